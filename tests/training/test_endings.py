"""Ends as slabs show them: ghosts of what is gone, pale last planes, and nothing else touched."""

from __future__ import annotations

import pytest
import torch

from napari_sam.training.endings import FLAT, soften_ends
from napari_sam.training.scene import Scene
from napari_sam.training.shapes import BEYOND, Lump, Pose, depth, lay_frame


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ending(second: slice | None, kind: str = "body") -> tuple[torch.Tensor, Scene]:
    labels = torch.zeros(2, 64, 64, dtype=torch.int64)
    labels[0, 20:44, 20:44] = 1
    labels[:, 2:10, 2:10] = 2
    if second is not None:
        labels[1, second, second] = 1
    grey = 0.2 + 0.6 * (labels > 0).float()
    return grey.unsqueeze(1).expand(-1, 3, -1, -1), Scene(labels, kind, {})


def test_a_ghost_of_an_object_that_ended_stays_below_half_and_its_last_plane_above():
    strongest, palest = 0.0, 1.0
    for seed in range(40):
        image, scene = ending(None)
        soft = soften_ends(image, scene, seeded(seed))
        strongest = max(strongest, float((soft[1, 0, 26:38, 26:38].max() - 0.2) / 0.6))
        palest = min(palest, float((soft[0, 0, 32, 32] - 0.2) / 0.6))
    assert 0.2 < strongest < 0.5
    assert 0.45 < palest < 0.8


def test_an_object_that_goes_on_smaller_is_paler_at_times_but_still_stands_out():
    palest, old_outline = 1.0, 0.0
    for seed in range(40):
        image, scene = ending(slice(26, 38))
        soft = soften_ends(image, scene, seeded(seed))
        palest = min(palest, float((soft[1, 0, 32, 32] - 0.2) / 0.6))
        old_outline = max(old_outline, float((soft[1, 0, 22, 32] - 0.2) / 0.6))
    assert 0.45 < palest < 0.8
    assert 0.1 < old_outline < 0.5


def test_what_goes_on_keeps_its_grey_or_changes_it_by_less_than_half():
    image, scene = ending(slice(20, 44))
    n_changed = 0
    for seed in range(60):
        soft = soften_ends(image, scene, seeded(seed))
        assert torch.equal(soft[0], image[0])
        n_changed += not torch.equal(soft[1], image[1])
        stands_out = float((soft[1, 0, 32, 32] - 0.2) / 0.6)
        assert 0.5 < stands_out < 1.4
    assert 4 < n_changed < 30


def test_two_lumps_at_one_place_are_told_apart_by_what_begins():
    for seed in range(20):
        rng = seeded(seed)
        frame = lay_frame((32, 32), Pose(), rng)
        first, second = depth(frame, Lump(0.0, 0.0, 0.5, 0.5, begins=True), rng).depth > 0
        assert not bool(first.any())
        assert bool(second.any())


@pytest.mark.parametrize("kind", sorted(FLAT))
def test_what_is_no_volume_is_not_touched(kind):
    image, scene = ending(None, kind)
    assert torch.equal(soften_ends(image, scene, seeded(0)), image)


def test_the_same_seed_gives_the_same_ends_and_the_picture_given_stays():
    image, scene = ending(None)
    before = image.clone()
    first, second = (soften_ends(image, scene, seeded(5)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(image, before)


def test_many_lumps_end_beyond_the_first_plane_and_large_ones_too():
    sizes: dict[bool, list[float]] = {True: [], False: []}
    n_near = 0
    for seed in range(300):
        rng = seeded(seed)
        frame = lay_frame((48, 48), Pose(), rng)
        inside = depth(frame, Lump(0.0, 0.0, 0.5, 0.5, wobble=0.0), rng).depth > 0
        first, second = (float(plane.float().mean()) for plane in inside)
        if first > 0:
            sizes[second == 0].append(first)
            n_near += 0 < second < 0.75 * first
    assert BEYOND > 1
    assert len(sizes[True]) > 25
    assert n_near > 25
    assert max(sizes[True]) > 0.5 * max(sizes[False])
