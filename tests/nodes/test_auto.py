"""Everything in planes of a volume: ids, labels, and the three files that hold them."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import torch
from numpy.typing import NDArray

import volumes
from napari_sam.core.auto_labels import LabelRules
from napari_sam.core.auto_plan import AutoMaskSettings
from napari_sam.core.jobs import Cancel
from napari_sam.core.run_lengths import RunLengths
from napari_sam.core.window import resolve_window
from napari_sam.engine.sam_segmenter import SamSegmenter
from napari_sam.errors import Cancelled, InvalidPrompt, SettingsError
from napari_sam.nodes.auto import AutoOptions, everything_by_plane, segment_everything
from napari_sam.nodes.auto_file import TABLE_COLUMNS, AutoJob, auto_file
from napari_sam.store.cache import EmbeddingStore
from tests.taught_model import taught_sam
from tests.tiny_models import spec_of
from volumes import Geometry, Provenance, UnknownFormat, UnwritableOutput, Volume

LAX = AutoMaskSettings(8, 64, 0.3, 0.4, 1.0, 0.8)
SPACING_MM = (3.0, 0.5, 0.75)


@pytest.fixture(scope="module")
def masker(tmp_path_factory: pytest.TempPathFactory) -> SamSegmenter:
    """A network that finds discs."""
    store = EmbeddingStore(tmp_path_factory.mktemp("cache"), 2**20, 0)
    spec = spec_of(auto_masks=LAX)
    return SamSegmenter(taught_sam(), spec, "0" * 64, store, torch.device("cpu"))


@pytest.fixture
def discs() -> Volume:
    """Two bright discs on three planes, moved a little from each to the next."""
    rows, cols = np.indices((64, 80))
    planes = []
    for step in range(3):
        plane = np.full((64, 80), 60, np.uint8)
        for row, col, radius in ((20, 22, 11), (42, 56, 13)):
            plane[(rows - row) ** 2 + (cols - col - step) ** 2 < radius**2] = 200
        planes.append(plane)
    data = np.stack(planes)
    return Volume(data, Geometry.from_spacing(data.shape, SPACING_MM), Provenance("test"))


@pytest.fixture
def files(discs: Volume, masker: SamSegmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AutoJob:
    """The discs in a file, and where everything goes."""
    picture = SimpleITK.GetImageFromArray(discs.data)
    picture.SetSpacing(SPACING_MM[::-1])
    SimpleITK.WriteImage(picture, str(tmp_path / "discs.nrrd"))
    monkeypatch.setattr("napari_sam.nodes.auto_file.load_model", lambda choice: masker)
    names = {name: tmp_path / f"out.{end}" for name, end in (("table", "csv"), ("rle", "json"))}
    return AutoJob(tmp_path / "discs.nrrd", tmp_path / "labels.nii.gz", **names)


def ids_of(labels: NDArray[np.generic]) -> set[int]:
    return set(np.unique(labels).tolist()) - {0}


def test_each_mask_has_an_id_of_its_own_and_labels_say_how_much_of_it_shows(
    discs: Volume, masker: SamSegmenter
) -> None:
    result = segment_everything(discs, masker)
    assert result.labels.shape == discs.shape
    assert result.labels.dtype == np.uint16
    assert [one.id for one in result.found] == list(range(1, len(result.found) + 1))
    assert {one.mask.plane.index for one in result.found} == {0, 1, 2}
    for one in result.found:
        inside = result.labels == one.id
        assert np.count_nonzero(inside) == one.label_px <= one.mask.area_px
        assert not np.any(inside & ~whole(one.mask.mask, discs.shape))
    assert result.n_objects == len(ids_of(result.labels)) > 0


def whole(mask: object, shape: tuple[int, int, int]) -> NDArray[np.bool_]:
    bits = np.zeros(shape, np.bool_)
    bits[mask.box.slices()] = mask.bits  # type: ignore[attr-defined]
    return bits


def test_any_axis_and_any_planes(discs: Volume, masker: SamSegmenter) -> None:
    turned = Volume(np.moveaxis(discs.data, 0, 2), Geometry.from_spacing((64, 80, 3)), discs.provenance)
    flat = segment_everything(discs, masker, AutoOptions(planes=(1, 2)))
    upright = segment_everything(turned, masker, AutoOptions(axis=2, planes=(1, 2)))
    assert np.array_equal(np.moveaxis(upright.labels, 2, 0), flat.labels)
    assert not flat.labels[0].any()
    assert not flat.labels[2].any()
    with pytest.raises(InvalidPrompt, match=r"range 2:4 .* 3 planes of axis 0"):
        segment_everything(discs, masker, AutoOptions(planes=(2, 4)))
    with pytest.raises(InvalidPrompt, match=r"plane 3 is outside the 3 planes of axis 0; give 0 to 2"):
        segment_everything(discs, masker, AutoOptions(planes=(3, 4)))


def test_linked_labels_go_through_the_planes(discs: Volume, masker: SamSegmenter) -> None:
    result = segment_everything(discs, masker, AutoOptions(link=True))
    at_disc = [int(result.labels[index, 20, 22 + index]) for index in range(3)]
    assert at_disc[0] > 0
    assert len(set(at_disc)) == 1
    loose = segment_everything(discs, masker)
    assert len({int(loose.labels[index, 20, 22 + index]) for index in range(3)}) == 3


def test_planes_are_done_from_one_outward_and_link_as_ever(discs: Volume, masker: SamSegmenter) -> None:
    options = AutoOptions(link=True, begin=1)
    order = [one.plane.index for one in everything_by_plane(discs, masker, resolve_window(discs), options)]
    assert order == [1, 2, 0]
    outward = segment_everything(discs, masker, options).labels
    onward = segment_everything(discs, masker, AutoOptions(link=True)).labels
    assert np.array_equal(outward != 0, onward != 0)
    both = np.stack([outward.ravel(), onward.ravel()])
    pairs = np.unique(both[:, both[0] != 0], axis=1)
    assert len(set(pairs[0])) == len(set(pairs[1])) == pairs.shape[1]
    assert min(ids_of(outward)) == min(ids_of(outward[1]))


def test_what_is_not_changed_is_what_the_model_recommends(discs: Volume, masker: SamSegmenter) -> None:
    options = AutoOptions(planes=(0, 1), changes={"points_per_side": 2})
    result = segment_everything(discs, masker, options)
    assert result.settings == replace(LAX, points_per_side=2)
    assert {one.mask.point_rc for one in result.found} <= {(16, 20), (16, 60), (48, 20), (48, 60)}
    with pytest.raises(SettingsError, match="points"):
        segment_everything(discs, masker, replace(options, changes={"points": 2}))


def test_rules_say_what_becomes_a_label(discs: Volume, masker: SamSegmenter) -> None:
    nothing = segment_everything(
        discs, masker, AutoOptions(planes=(0, 1), rules=LabelRules(max_area_share=0))
    )
    assert nothing.n_objects == 0
    assert len(nothing.found) > 0


def test_progress_counts_the_points_of_all_planes(discs: Volume, masker: SamSegmenter) -> None:
    seen: list[tuple[str, int, int]] = []
    segment_everything(discs, masker, progress=lambda *told: seen.append(told))
    assert [n for _, n, _ in seen] == [64, 128, 192]
    assert {n_all for *_, n_all in seen} == {192}


def test_three_files_tell_the_same(files: AutoJob) -> None:
    result = auto_file(files)
    written = volumes.read(files.labels)
    assert np.array_equal(written.data, result.labels)
    assert written.geometry.spacing_mm == pytest.approx(SPACING_MM)

    assert files.table is not None
    assert files.rle is not None
    rows = list(csv.DictReader(files.table.read_text().splitlines()))
    assert tuple(rows[0]) == TABLE_COLUMNS
    content = json.loads(files.rle.read_text())
    assert len(rows) == len(content["annotations"]) == len(result.found)
    assert [image["id"] for image in content["images"]] == [0, 1, 2]
    for row, annotation, one in zip(rows, content["annotations"], result.found, strict=True):
        assert int(row["id"]) == annotation["label"] == one.id
        assert int(row["plane"]) == annotation["image_id"] == one.mask.plane.index
        assert int(row["area_px"]) == annotation["area"] == one.mask.area_px
        assert int(row["label_px"]) == one.label_px
        left, top, width, height = annotation["bbox"]
        assert tuple(int(row[name]) for name in ("row0", "col0", "row1", "col1")) == one.mask.box_hw
        assert (top, left, top + height, left + width) == one.mask.box_hw
        mask = RunLengths.from_coco(annotation["segmentation"]).to_mask()
        assert np.array_equal(mask, whole(one.mask.mask, result.labels.shape)[one.mask.plane.index])


def test_what_cannot_be_written_is_said_before_the_work(files: AutoJob, tmp_path: Path) -> None:
    with pytest.raises(UnknownFormat, match=r"\.csv"):
        auto_file(replace(files, table=tmp_path / "table.txt"))
    with pytest.raises(UnknownFormat, match=r"\.json"):
        auto_file(replace(files, rle=tmp_path / "masks.txt"))
    with pytest.raises(UnwritableOutput, match="is the input"):
        auto_file(replace(files, labels=files.image))
    with pytest.raises(SettingsError, match="points_per_side is 0"):
        auto_file(replace(files, options=AutoOptions(changes={"points_per_side": 0})))


def test_nothing_is_written_where_it_was_cancelled(files: AutoJob) -> None:
    cancel = Cancel()

    def stop(stage: str, n_done: int, n_total: int) -> None:
        if n_done > 64:
            cancel.cancel()

    with pytest.raises(Cancelled):
        auto_file(files, progress=stop, cancel=cancel)
    assert [path.name for path in files.image.parent.iterdir()] == ["discs.nrrd"]
