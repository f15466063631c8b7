"""Generated pictures: the same seed gives the same pair, and objects keep their numbers."""

from __future__ import annotations

import math

import pytest
import torch

from napari_sam.training.abdomen import abdomen
from napari_sam.training.appearance import degrade, paint, resize_pair
from napari_sam.training.cuts import joint
from napari_sam.training.hippocampus import hippocampus
from napari_sam.training.photographs import photographs
from napari_sam.training.samples import PairSampler, SampleSettings, choose_objects, normalise
from napari_sam.training.scenes import FEW_PIXELS, SCENES, _fit_size


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("family", [family for _, family in SCENES], ids=lambda f: f.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_parents_backdrop_and_tissues_name_labels_of_the_scene(family, seed):
    scene = family((72, 64), seeded(seed))
    known = len(scene.tissues) if scene.tissues else 10**6
    assert int(scene.labels.max()) < known
    assert {*scene.parents, *scene.parents.values(), *scene.backdrop, *scene.whole} <= set(range(1, known))
    for child in scene.parents:
        above, steps = scene.parents.get(child), 0
        while above is not None:
            above, steps = scene.parents.get(above), steps + 1
            assert steps < 10, "parents run in a circle"


@pytest.mark.parametrize("family", [family for _, family in SCENES], ids=lambda f: f.__name__)
@pytest.mark.parametrize("seed", range(4))
def test_a_scene_has_two_planes_that_are_alike(family, seed):
    scene = family((64, 48), seeded(seed))
    assert scene.labels.shape == (2, 64, 48)
    assert scene.labels.dtype == torch.int64
    assert int(scene.labels.min()) >= 0
    alike = (scene.labels[0] == scene.labels[1]).float().mean()
    assert alike > 0.4


@pytest.mark.parametrize("family", [family for _, family in SCENES], ids=lambda f: f.__name__)
def test_a_painted_scene_stays_within_range(family):
    rng = seeded(5)
    image = degrade(paint(family((40, 56), rng), None, rng), rng)
    assert image.shape == (2, 3, 40, 56)
    assert float(image.min()) >= 0.0
    assert float(image.max()) <= 1.0


def test_the_same_seed_gives_the_same_pair():
    sampler = PairSampler(SampleSettings(side=64), [])
    first, second = (sampler.draw(seeded(11)) for _ in range(2))
    assert torch.equal(first.pixels, second.pixels)
    assert torch.equal(first.masks, second.masks)


@pytest.mark.parametrize("seed", range(6))
def test_a_pair_holds_objects_of_the_asked_size(seed):
    settings = SampleSettings(side=96, n_objects=4, min_area=30)
    pair = PairSampler(settings, []).draw(seeded(seed))
    assert pair.pixels.shape == (2, 3, 96, 96)
    assert pair.masks.shape[0] == 2
    assert 1 <= pair.masks.shape[1] <= 4
    assert int(pair.masks[0].flatten(1).sum(dim=1).min()) >= 30
    assert bool(torch.isfinite(pair.pixels).all())


def test_padding_lies_below_and_right_and_is_zero_for_the_network():
    image, labels = torch.ones(2, 3, 20, 40), torch.ones(2, 20, 40, dtype=torch.int64)
    padded, padded_labels = resize_pair(image, labels, 80)
    assert padded.shape == (2, 3, 80, 80)
    assert bool(padded[..., 40:, :].isnan().all())
    assert not bool(padded[..., :40, :].isnan().any())
    assert int(padded_labels[:, 40:].sum()) == 0
    assert int((normalise(padded)[..., 40:, :] != 0).sum()) == 0


def test_an_object_is_followed_by_its_number_and_not_by_its_place():
    labels = torch.zeros(2, 40, 40, dtype=torch.int64)
    labels[0, 5:20, 5:20] = 1
    labels[1, 5:20, 5:20] = 2
    masks = choose_objects(labels, {}, SampleSettings(side=40, n_objects=1, min_area=10), seeded(0))
    assert masks is not None
    assert int(masks[0].sum()) == 15 * 15
    assert int(masks[1].sum()) == 0


def test_pieces_of_one_label_are_objects_of_their_own():
    labels = torch.zeros(2, 40, 40, dtype=torch.int64)
    labels[:, 2:10, 2:10] = 3
    labels[:, 20:35, 20:35] = 3
    masks = choose_objects(labels, {}, SampleSettings(side=40, n_objects=2, min_area=10), seeded(0))
    assert masks is not None
    areas = sorted(int(a) for a in masks[0].flatten(1).sum(dim=1))
    assert areas == [64, 225]
    assert torch.equal(masks[0], masks[1])


def test_a_scene_without_large_objects_gives_none():
    labels = torch.zeros(2, 16, 16, dtype=torch.int64)
    assert choose_objects(labels, {}, SampleSettings(side=16), seeded(0)) is None


def test_the_normalisation_is_that_of_the_published_models():
    pixels = normalise(torch.zeros(2, 3, 2, 2))
    assert math.isclose(float(pixels[0, 0, 0, 0]), -123.675 / 58.395, rel_tol=1e-6)


def test_crops_are_small_and_photographs_sharp_of_the_same_shape():
    rng = seeded(3)
    small = [_fit_size(hippocampus, (200, 100), 256, rng) for _ in range(40)]
    sharp = [_fit_size(photographs, (60, 30), 256, rng) for _ in range(40)]
    plain = _fit_size(joint, (60, 30), 256, rng)
    least = _fit_size(abdomen, (60, 30), 256, rng)
    low, high = FEW_PIXELS[hippocampus]
    assert 15 < sum(low <= max(hw) <= high for hw in small) < 40
    assert {max(hw) for hw in small} - {200, *range(low, high + 1)} == set()
    assert 15 < sum(hw == (256, 128) for hw in sharp) < 40
    assert all(abs(height - 2 * width) <= 2 for height, width in small + sharp)
    assert plain == (60, 30)
    assert least == (100, 50), "a body of sixty pixels shows nothing"
