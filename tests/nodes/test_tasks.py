"""The task list: what it takes from a folder, and that it is the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from numpy.typing import NDArray
from PIL import Image

from napari_sam.core.labelled_folder import LabelledItem, list_labelled
from napari_sam.core.masks import innermost_point, tight_box
from napari_sam.errors import InvalidDataset
from napari_sam.nodes.kinds import KINDS, kind_of, kinds_in_order
from napari_sam.nodes.tasks import Task, TaskLimits, jitter_box, read_item
from napari_sam.nodes.tasks import make_tasks as make_tasks_of

HEADS = ("path", "modality", "mask_path", "classes", "mask_type")


def make_tasks(root: Path, **limits: float) -> list[Task]:
    return make_tasks_of(root, list_labelled(root), TaskLimits(**limits))  # type: ignore[arg-type]


def _write_volume(path: Path, array: NDArray[np.generic]) -> None:
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), str(path))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A photo with a square and specks, a picture of four nuclei, and a CT volume of one organ."""
    nuclei = np.zeros((60, 80), np.uint8)
    for number, (row, column) in enumerate(((10, 10), (10, 50), (40, 10), (40, 50)), start=1):
        nuclei[row : row + 4 + 2 * number, column : column + 8] = number
    Image.fromarray(nuclei * 40).save(tmp_path / "nuclei.png")
    Image.fromarray(nuclei).save(tmp_path / "nuclei_seg.png")

    lungs = np.zeros((60, 80), np.uint8)
    lungs[10:40, 5:30] = 1
    lungs[50:53, 60:63] = 1  # 9 px: a fragment, and too small
    lungs[10:40, 50:70] = 2
    Image.fromarray(np.repeat(lungs[..., None] * 90, 3, axis=2)).save(tmp_path / "chest.png")
    Image.fromarray(lungs).save(tmp_path / "chest_seg.png")

    organ = np.zeros((20, 40, 40), np.uint8)
    organ[5:15, 10:30, 12:22] = 7
    _write_volume(tmp_path / "ct.nii.gz", np.where(organ > 0, 60, -1000).astype(np.int16))
    _write_volume(tmp_path / "ct_seg.nii.gz", organ)

    lines = (
        (
            "nuclei.png",
            "microscopy 2D nuclei, grey",
            "nuclei_seg.png",
            "instances=4;foreground=9",
            "instance",
        ),
        ("chest.png", "chest X-ray", "chest_seg.png", "1:left=759;2:right=600", "semantic"),
        ("ct.nii.gz", "CT", "ct_seg.nii.gz", "7:liver=2000", "semantic"),
    )
    (tmp_path / "INDEX.tsv").write_text("\n".join("\t".join(line) for line in (HEADS, *lines)) + "\n")
    return tmp_path


GOLDEN = [
    ("nuclei.png#0:1", (10, 10, 16, 18), (12, 12), 48),
    ("nuclei.png#0:4", (40, 50, 52, 58), (43, 53), 96),
    ("nuclei.png#0:2", (10, 50, 18, 58), (13, 53), 64),
    ("nuclei.png#0:3", (40, 10, 50, 18), (43, 13), 80),
    ("ct.nii.gz#7:liver", (10, 12, 30, 22), (14, 16), 200),
    ("ct.nii.gz#10:liver", (10, 12, 30, 22), (14, 16), 200),
    ("ct.nii.gz#9:liver", (10, 12, 30, 22), (14, 16), 200),
    ("ct.nii.gz#11:liver", (10, 12, 30, 22), (14, 16), 200),
    ("ct.nii.gz#12:liver", (10, 12, 30, 22), (14, 16), 200),
    ("ct.nii.gz#8:liver", (10, 12, 30, 22), (14, 16), 200),
    ("chest.png#0:left.0", (10, 5, 40, 30), (22, 17), 750),
    ("chest.png#0:right.0", (10, 50, 40, 70), (19, 59), 600),
]


def test_each_task_is_one_object_with_its_tight_box_and_a_point_in_it(folder: Path) -> None:
    tasks = make_tasks(folder)
    assert [task.kind for task in tasks] == sorted((task.kind for task in tasks), key=KINDS.index)
    for task in tasks:
        assert task.mask.sum() >= 30
        assert task.box == tight_box(task.mask)
        assert task.mask[task.point]
        assert task.point == innermost_point(task.mask)
        assert task.image.dtype == np.uint8
        assert task.image.shape[:2] == task.mask.shape


def test_instances_components_and_planes_become_tasks(folder: Path) -> None:
    by_kind: dict[str, list[str]] = {}
    for task in make_tasks(folder):
        by_kind.setdefault(task.kind, []).append(task.id)
    assert len(by_kind["nuclei and blood cells"]) == 4
    assert sorted(by_kind["X-ray lungs"]) == ["chest.png#0:left.0", "chest.png#0:right.0"]
    planes = [int(name.split("#")[1].split(":")[0]) for name in by_kind["CT organs"]]
    assert len(set(planes)) == len(planes) >= 4
    assert all(5 <= plane < 15 for plane in planes)


def test_a_volume_is_shown_in_one_range_for_all_planes(folder: Path) -> None:
    organ = [task for task in make_tasks(folder) if task.kind == "CT organs"]
    inside = {int(task.image[task.mask].min()) for task in organ}
    assert inside == {round((60 + 160) * 255 / 400)}


def test_the_list_is_the_same_every_time(folder: Path) -> None:
    first, second = (make_tasks(folder, jitter=0.08) for _ in range(2))
    assert [(task.id, task.box, task.point) for task in first] == [
        (task.id, task.box, task.point) for task in second
    ]


def test_limits_hold(folder: Path) -> None:
    tasks = make_tasks(folder, per_kind=3, per_item=1)
    kinds = [task.kind for task in tasks]
    assert all(kinds.count(kind) <= 3 for kind in kinds)
    assert kinds.count("nuclei and blood cells") == 2  # twice one an item: the kind has few files


def test_the_list_is_the_one_there_always_was(folder: Path) -> None:
    assert [(task.id, task.box, task.point, int(task.mask.sum())) for task in make_tasks(folder)] == GOLDEN


def test_a_modality_nobody_knows_is_a_kind_of_its_own() -> None:
    items = [
        LabelledItem(Path("a"), Path("b"), kind, "semantic", {}, "a") for kind in ("radar", "CT", "radar")
    ]
    assert kinds_in_order(items) == ("CT organs", "radar")


def test_labels_that_are_none_are_named(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(np.zeros((20, 31), np.uint8)).save(tmp_path / "a_seg.png")
    with pytest.raises(InvalidDataset, match=r"\(1, 20, 30\).*\(1, 20, 31\)"):
        read_item(list_labelled(tmp_path)[0])
    for wrong in (np.full((1, 20, 30), 0.5, np.float32), np.full((1, 20, 30), -1, np.int16)):
        (tmp_path / "a_seg.png").unlink(missing_ok=True)
        _write_volume(tmp_path / "a_seg.nii.gz", wrong)
        with pytest.raises(InvalidDataset, match="no labels"):
            read_item(list_labelled(tmp_path)[0])


def test_a_jittered_box_stays_near_and_inside() -> None:
    for seed in range(50):
        r0, c0, r1, c1 = jitter_box((0, 20, 40, 100), (60, 100), 0.1, seed)
        assert 0 <= r0 <= 4
        assert 36 <= r1 <= 44
        assert 12 <= c0 <= 28
        assert 92 <= c1 <= 100


@pytest.mark.parametrize(
    ("modality", "classes", "kind"),
    [
        ("MR brain FLAIR", "MS_lesion", "lesions (CT, MR)"),
        ("MR cardiac cine (DICOM series)", "LV_cavity", "MR organs"),
        ("CT slice (8-bit PNG)", "aorta", "CT organs"),
        ("ultrasound breast", "benign_tumour", "ultrasound"),
        ("microscopy 2D SEM nerve", "myelin", "EM and SEM"),
        ("microscopy 3D light-sheet nuclei", "instances=5", "3-D microscopy"),
        ("video (RGB frames)", "camel", "photos and film"),
    ],
)
def test_kinds(modality: str, classes: str, kind: str) -> None:
    names = {} if "instances" in classes else {1: classes}
    item = LabelledItem(Path("a"), Path("b"), modality, "semantic", names, "a")
    assert kind_of(item) == kind


def test_the_real_folder_gives_every_kind(shared_data: Path) -> None:
    tasks = make_tasks(shared_data / "eval", per_kind=2, per_item=1)
    assert list(dict.fromkeys(task.kind for task in tasks)) == list(KINDS)
    assert len({task.id for task in tasks}) == len(tasks)
