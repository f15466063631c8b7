"""The task list: what it takes from an index, and that it is the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from numpy.typing import NDArray
from PIL import Image

from benchmarks._reading import Row, display_range, to_uint8
from benchmarks._tasks import KINDS, innermost, jitter_box, kind_of, make_tasks, tight_box

HEADS = ("path", "modality", "mask_path", "classes", "mask_type")


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


def test_each_task_is_one_object_with_its_tight_box_and_a_point_in_it(folder: Path) -> None:
    tasks = make_tasks(folder)
    assert [task.kind for task in tasks] == sorted((task.kind for task in tasks), key=KINDS.index)
    for task in tasks:
        assert task.mask.sum() >= 30
        assert task.box == tight_box(task.mask)
        assert task.mask[task.point]
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


def test_a_folder_without_an_index_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="INDEX.tsv"):
        make_tasks(tmp_path)


def test_a_jittered_box_stays_near_and_inside() -> None:
    for seed in range(50):
        r0, c0, r1, c1 = jitter_box((0, 20, 40, 100), (60, 100), 0.1, seed)
        assert 0 <= r0 <= 4
        assert 36 <= r1 <= 44
        assert 12 <= c0 <= 28
        assert 92 <= c1 <= 100


def test_the_innermost_point_is_the_middle_of_a_square() -> None:
    mask = np.zeros((30, 30), dtype=bool)
    mask[4:11, 8:15] = True
    assert innermost(mask) == (7, 11)


@pytest.mark.parametrize(
    ("modality", "classes", "kind"),
    [
        ("MR brain FLAIR", "1:MS_lesion=8227", "lesions (CT, MR)"),
        ("MR cardiac cine (DICOM series)", "1:LV_cavity=1", "MR organs"),
        ("CT slice (8-bit PNG)", "1:aorta=192", "CT organs"),
        ("ultrasound breast", "1:benign_tumour=3621", "ultrasound"),
        ("microscopy 2D SEM nerve", "1:myelin=5", "EM and SEM"),
        ("microscopy 3D light-sheet nuclei", "instances=5", "3-D microscopy"),
        ("video (RGB frames)", "1:camel=7", "photos and film"),
    ],
)
def test_kinds(modality: str, classes: str, kind: str) -> None:
    assert kind_of(Row("a", "b", modality, classes, "semantic")) == kind


def test_the_display_range_is_rounded_and_clipped() -> None:
    plane = np.array([[-500, -160, 39, 240, 900]], np.int16)
    low, high = display_range(np.array([-1000, 900], np.int16), "CT")
    assert to_uint8(plane, low, high).tolist() == [[0, 0, 127, 255, 255]]


def test_the_real_folder_gives_every_kind(shared_data: Path) -> None:
    tasks = make_tasks(shared_data / "eval", per_kind=2, per_item=1)
    assert list(dict.fromkeys(task.kind for task in tasks)) == list(KINDS)
    assert len({task.id for task in tasks}) == len(tasks)
