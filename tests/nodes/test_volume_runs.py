"""Objects followed through volumes: which, from where, and whether a method knows where they end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from numpy.typing import NDArray

from napari_sam.core.labelled_folder import LabelledItem, list_labelled
from napari_sam.core.prompts import MaskPrompt
from napari_sam.core.scores import auc
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.window import Window
from napari_sam.nodes.tasks import TaskLimits
from napari_sam.nodes.volume_objects import VolumeObject, choose_volume_objects, structure_of
from napari_sam.nodes.volume_runs import VolumeRule, follow_objects, planes_near_ends, presence_near_ends
from tests.fakes import FakeSegmenter, ellipsoid_labels, labelled_volume


def write(path: Path, array: NDArray[np.generic]) -> None:
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), str(path))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A CT of a spleen and a speck, one plane, and a stack whose instances are told apart by plane."""
    labels = ellipsoid_labels((15, 48, 64)).astype(np.uint8)
    labels[0, 0, 0] = 2
    write(tmp_path / "ct.nii.gz", np.where(labels == 1, 100, -1000).astype(np.int16))
    write(tmp_path / "ct_seg.nii.gz", labels)
    write(tmp_path / "em.nii.gz", labels)
    write(tmp_path / "em_seg.nii.gz", labels)
    write(tmp_path / "flat.nii.gz", labels[7:8])
    write(tmp_path / "flat_seg.nii.gz", labels[7:8])
    lines = (
        "path\tmask_path\tmodality\tmask_type\tclasses",
        "ct.nii.gz\tct_seg.nii.gz\tCT\tsemantic\t1:spleen=9;2:speck=1",
        "em.nii.gz\tem_seg.nii.gz\tmicroscopy 3D EM\tinstance_per_slice\t",
        "flat.nii.gz\tflat_seg.nii.gz\tMR\tsemantic\t1:spleen=9",
    )
    (tmp_path / "INDEX.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path


def objects_of(folder: Path) -> list[VolumeObject]:
    return choose_volume_objects(folder, list_labelled(folder), TaskLimits())


def test_only_objects_of_several_planes_are_followed(folder: Path) -> None:
    assert [(one.id, one.structure) for one in objects_of(folder)] == [("ct.nii.gz:spleen", "spleen")]


@pytest.mark.parametrize(
    ("name", "structure"),
    [
        ("kidney_left", "kidneys"),
        ("Right Kidney", "kidneys"),
        ("LV_cavity", "heart ventricle"),
        ("heart_ventricle_left", "heart ventricle"),
        ("liver", "liver"),
        ("liver_lesion", None),
        ("LV_myocardium", None),
        ("kidney_cyst", None),
    ],
)
def test_organs_with_published_figures_are_told_by_name(name: str, structure: str | None) -> None:
    assert structure_of(name) == structure


def test_of_a_class_the_largest_part_is_the_object() -> None:
    labels = np.zeros((4, 9, 9), np.int32)
    labels[:, 0:4, 0:4], labels[:, 6:8, 6:8] = 1, 1
    item = LabelledItem(Path("a"), Path("b"), "CT", "semantic", {}, "a")
    one = VolumeObject("a:1", item, 1, "1", 80)
    assert int(one.truth(labels).sum()) == 64
    film = replace(one, item=replace(item, kind="video (RGB frames)"))
    assert int(film.truth(labels).sum()) == 80


@pytest.mark.parametrize(("anchor", "plane"), [("middle", 7), ("largest", 7)])
def test_a_perfect_method_finds_all_of_it(folder: Path, anchor: str, plane: int) -> None:
    (outcome,) = follow_objects(FakeSegmenter(), objects_of(folder), VolumeRule(anchor))
    assert outcome.score.dice == pytest.approx(1.0)
    assert (outcome.score.too_many, outcome.score.too_few) == ((0, 0), (0, 0))
    assert (outcome.kind, outcome.group, outcome.anchor) == ("CT organs", "CT", plane)


def test_a_method_that_finds_nothing_lacks_every_plane(folder: Path) -> None:
    class Blind(FakeSegmenter):
        def _from_grey(self, request: SegmentRequest) -> NDArray[np.bool_]:
            return np.zeros(request.plane.shape_hw(request.volume.shape), np.bool_)

    (outcome,) = follow_objects(Blind(), objects_of(folder), VolumeRule())
    assert outcome.score.dice == 0.0
    assert sum(outcome.score.too_few) == outcome.score.n_planes - 1


def test_both_sides_of_both_ends_are_asked_about() -> None:
    truth = np.zeros((20, 3, 3), bool)
    truth[5:11] = True
    assert planes_near_ends(truth) == [
        (7, 6), (6, 5), (5, 4), (5, 3),
        (8, 9), (9, 10), (10, 11), (10, 12),
    ]  # fmt: skip


def test_the_volumes_own_end_is_no_end() -> None:
    truth = np.zeros((9, 3, 3), bool)
    truth[0:4] = True
    assert planes_near_ends(truth) == [(1, 2), (2, 3), (3, 4), (3, 5)]
    truth[:] = True
    assert planes_near_ends(truth) == []
    truth[:] = False
    truth[7:8] = True  # one plane: nothing to carry to it, and one plane beyond it
    assert planes_near_ends(truth) == [(7, 6), (7, 5), (7, 8)]


def test_presence_is_asked_with_the_true_mask_of_the_plane_before() -> None:
    truth = ellipsoid_labels((15, 48, 64))
    asked: list[SegmentRequest] = []

    class Knowing(FakeSegmenter):
        def segment(self, request: SegmentRequest) -> MaskPrediction:
            asked.append(request)
            is_there = bool((request.plane.take(truth) > 0).any())
            prediction = super().segment(request)
            object.__setattr__(prediction, "presence", 0.9 if is_there else 0.2)
            return prediction

    volume = labelled_volume(truth)
    presence = presence_near_ends(Knowing(), volume, Window(0, 1000), truth > 0)
    assert (presence.holding, presence.ended) == ((0.9,) * 4, (0.2,) * 4)
    assert auc(presence.holding, presence.ended) == 1.0
    first = int(np.flatnonzero((truth > 0).any(axis=(1, 2)))[0])
    masks = {r.plane.index: p.mask for r in asked for p in r.prompts if isinstance(p, MaskPrompt)}
    carried = masks[first - 2].to_plane(asked[0].plane, volume.shape)
    assert np.array_equal(carried, truth[first] > 0)
