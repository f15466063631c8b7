"""A person's own images: read once, checked, windowed as a whole, and split by subject."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import volumes
from napari_sam.core.labelled_folder import INSTANCE, INSTANCE_PER_SLICE, SEMANTIC, list_labelled
from napari_sam.errors import InvalidDataset, InvalidWindow, SettingsError
from napari_sam.training.user_data import LabelledPlanes, data_digest, prepare, split_by_subject
from napari_sam.training.user_pairs import PairSettings, UserPairs
from tests.training.conftest import SUBJECTS, write_volume

PAIRS = PairSettings(side=64, n_objects=3, min_area=12)


@pytest.fixture
def ready(folder: Path, tmp_path: Path) -> tuple[LabelledPlanes, ...]:
    place = tmp_path / "place"
    place.mkdir()
    return prepare(list_labelled(folder), place)


def made(labels: np.ndarray, mask_type: str = INSTANCE) -> LabelledPlanes:
    labelled = {0: np.flatnonzero(labels.any(axis=(1, 2)))}
    image = np.where(labels > 0, 200, 40).astype(np.uint8)
    return LabelledPlanes(image, labels, mask_type, "one", labelled, "")


def test_a_volume_has_one_window_and_its_labels(ready: tuple[LabelledPlanes, ...], folder: Path) -> None:
    assert [item.subject for item in ready] == list(SUBJECTS)
    volume = volumes.read(folder / "images" / "ann.nrrd")
    low, high = np.percentile(volume.data, (0.5, 99.5))
    expected = np.rint(np.clip((volume.data - low) / (high - low), 0, 1) * 255)
    assert np.abs(ready[0].image.astype(int) - expected).max() <= 1
    assert np.array_equal(ready[0].labels, volumes.read(folder / "labels" / "ann.nii.gz").data)
    assert ready[2].image.shape == (1, 48, 48)


def test_an_explicit_window_is_taken(folder: Path, tmp_path: Path) -> None:
    (item,) = prepare(list_labelled(folder)[:1], tmp_path, window="0,40000")
    assert item.image.max() < 30
    with pytest.raises(InvalidWindow, match="purple"):
        prepare(list_labelled(folder)[:1], tmp_path, window="purple")


def test_planes_are_cut_across_the_axis_asked_for(folder: Path, tmp_path: Path) -> None:
    write_volume(folder, "eve", 9, (1.0, 1.0, 4.0))
    items = {item.subject: item for item in list_labelled(folder)}
    (upright,) = prepare([items["ann"]], tmp_path)
    (sagittal,) = prepare([items["eve"]], tmp_path)
    assert list(upright.labelled) == [0]
    assert list(sagittal.labelled) == [2]
    (both,) = prepare([items["ann"]], tmp_path, axes="all")
    assert list(both.labelled) == [0]  # the other planes are 8 voxels high, which is too little


def test_the_digest_is_of_the_contents(
    ready: tuple[LabelledPlanes, ...], folder: Path, tmp_path: Path
) -> None:
    again = prepare(list_labelled(folder), tmp_path)
    assert data_digest(again) == data_digest(ready)
    other = prepare(list_labelled(folder), tmp_path, window="0,900")
    assert data_digest(other) != data_digest(ready)


@pytest.mark.parametrize(
    ("labels", "part"),
    [
        (np.zeros((48, 40), np.uint8), "shape"),
        (np.random.default_rng(0).integers(0, 9, (48, 48, 3)).astype(np.uint8), "colour"),
    ],
)
def test_labels_that_do_not_fit_are_refused(
    labels: np.ndarray, part: str, folder: Path, tmp_path: Path
) -> None:
    Image.fromarray(labels).save(folder / "labels" / "dot.png")
    with pytest.raises(InvalidDataset, match=part) as caught:
        prepare(list_labelled(folder), tmp_path)
    assert "dot.png" in str(caught.value)


def test_labels_that_lie_elsewhere_are_refused(folder: Path, tmp_path: Path) -> None:
    write_volume(tmp_path / "other", "ann", 0, (3.0, 1.0, 1.0))
    (tmp_path / "other" / "labels" / "ann.nii.gz").replace(folder / "labels" / "ann.nii.gz")
    with pytest.raises(InvalidDataset, match="elsewhere in space"):
        prepare(list_labelled(folder), tmp_path)


def test_empty_labels_are_left_out_and_refused_where_nothing_is_left(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("cem", "dot"):
        Image.fromarray(np.zeros((48, 48), np.uint8)).save(folder / "labels" / f"{name}.png")
    items = list_labelled(folder)
    assert len(prepare(items, tmp_path)) == 2
    assert "left out 2 of 4" in caplog.text
    with pytest.raises(InvalidDataset, match="none of the 2"):
        prepare(items[2:], tmp_path)


class TestSplit:
    def test_a_subject_stays_together(self, ready: tuple[LabelledPlanes, ...]) -> None:
        doubled = [*ready, *ready]
        train, held_out = split_by_subject(doubled, 0.25, seed=1)
        apart = {item.subject for item in held_out}
        assert len(apart) == 1
        assert len(held_out) == 2
        assert not apart & {item.subject for item in train}

    def test_the_seed_chooses(self, ready: tuple[LabelledPlanes, ...]) -> None:
        chosen = [split_by_subject(ready, 0.1, seed)[1][0].subject for seed in range(12)]
        assert chosen == [split_by_subject(ready, 0.1, seed)[1][0].subject for seed in range(12)]
        assert len(set(chosen)) > 1

    def test_too_little_is_refused_unless_nothing_is_held_out(
        self, ready: tuple[LabelledPlanes, ...]
    ) -> None:
        with pytest.raises(InvalidDataset, match="--held-out 0"):
            split_by_subject(ready[:1], 0.1, 0)
        assert split_by_subject(ready[:1], 0, 0) == (ready[:1], ())
        with pytest.raises(SettingsError, match="1.5"):
            split_by_subject(ready, 1.5, 0)


class TestPairs:
    def test_the_number_alone_decides(self, ready: tuple[LabelledPlanes, ...]) -> None:
        pairs = UserPairs(ready, PAIRS, seed=4)
        late = pairs.draw(7)
        for number in range(3):
            pairs.draw(number)
        again = UserPairs(ready, PAIRS, seed=4).draw(7)
        assert torch.equal(late.pixels, again.pixels)
        assert torch.equal(late.masks, again.masks)
        assert not torch.equal(late.pixels, UserPairs(ready, PAIRS, seed=5).draw(7).pixels)

    def test_shapes_sizes_and_numbers(self, ready: tuple[LabelledPlanes, ...]) -> None:
        pairs = UserPairs(ready, PAIRS, seed=0)
        for number in range(20):
            pair = pairs.draw(number)
            assert pair.pixels.shape == (2, 3, 64, 64)
            assert pair.masks.shape[0] == 2
            assert 1 <= pair.masks.shape[1] <= 3
            assert int(pair.masks[0].flatten(1).sum(dim=1).min()) >= 12
            assert bool(torch.isfinite(pair.pixels).all())

    def test_a_plain_pair_is_the_planes_themselves(self) -> None:
        labels = np.zeros((1, 64, 64), np.uint8)
        labels[0, 10:30, 20:44] = 1
        pair = UserPairs([made(labels)], PAIRS, seed=0).draw_plain(0)
        assert torch.equal(pair.masks[0, 0], torch.from_numpy(labels[0] > 0))
        grey = pair.pixels[0] * torch.tensor(PAIRS.std).view(3, 1, 1) + torch.tensor(PAIRS.mean).view(3, 1, 1)
        assert torch.allclose(grey[0], torch.from_numpy(made(labels).image[0]).float(), atol=1e-3)

    def test_a_picture_is_its_own_slightly_other_neighbour(self) -> None:
        labels = np.zeros((1, 64, 64), np.uint8)
        labels[0, 10:34, 20:44] = 1
        first, second = UserPairs([made(labels)], PAIRS, seed=0).draw_plain(0).masks[:, 0]
        assert not torch.equal(first, second)
        assert float((first & second).sum() / (first | second).sum()) > 0.5

    @pytest.mark.parametrize("mask_type", [INSTANCE, INSTANCE_PER_SLICE])
    def test_the_second_plane_is_another_only_where_labels_keep_their_meaning(self, mask_type: str) -> None:
        labels = np.zeros((30, 64, 64), np.uint8)
        for plane in range(30):
            labels[plane, 8:24, 8 + plane : 24 + plane] = 1 + plane
        pairs = UserPairs([made(labels, mask_type)], PAIRS, seed=0)
        ended = [not bool(pairs.draw_plain(number).masks[1].any()) for number in range(8)]
        assert all(ended) if mask_type == INSTANCE else not any(ended)

    def test_neighbours_are_one_to_four_planes_away_and_inside(self) -> None:
        labels = np.zeros((12, 64, 64), np.uint8)
        for plane in range(12):
            labels[plane, 4 : 20 + 3 * plane, 4:60] = 1
        pairs = UserPairs([made(labels)], PAIRS, seed=0)
        steps = set()
        for number in range(40):
            rows = pairs.draw_plain(number).masks[:, 0].any(dim=2).sum(dim=1)
            steps.add(abs(int(rows[0] - rows[1])) // 3)
        assert steps == {1, 2, 3, 4}

    def test_classes_are_taken_apart_and_instances_are_not(self) -> None:
        labels = np.zeros((1, 64, 64), np.uint8)
        labels[0, 4:20, 4:20] = labels[0, 40:60, 40:60] = 1
        item = made(labels, SEMANTIC)
        assert UserPairs([item], PAIRS, seed=0).draw_plain(0).masks.shape[1] == 2
        whole = replace(item, mask_type=INSTANCE)
        assert UserPairs([whole], PAIRS, seed=0).draw_plain(0).masks.shape[1] == 1

    def test_beyond_the_plane_there_is_padding_and_no_object(self) -> None:
        labels = np.ones((1, 64, 64), np.uint8)
        labels[0, 16:48, 16:48] = 2
        n_beyond = 0
        for number in range(10):
            pair = UserPairs([made(labels)], PAIRS, seed=0).draw(number)
            beyond = (pair.pixels == 0).all(dim=1)
            n_beyond += int(beyond.sum())
            assert not bool((pair.masks & beyond[:, None]).any())
        assert n_beyond > 0

    def test_objects_too_small_are_an_error(self) -> None:
        labels = np.zeros((1, 64, 64), np.uint8)
        labels[0, 5, 5] = 1
        settings = PairSettings(side=64, min_area=400)
        with pytest.raises(InvalidDataset, match="no object covered 400 pixels"):
            UserPairs([made(labels)], settings, seed=0).draw(0)
