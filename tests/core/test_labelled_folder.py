"""Which image belongs to which labels: the three forms of a folder, and what is wrong with others."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from napari_sam.core.labelled_folder import LabelledItem, list_labelled
from napari_sam.errors import InvalidDataset

HEADS = ("path", "mask_path", "modality", "mask_type", "classes", "subject")


def _touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def _index(root: Path, *lines: tuple[str, ...], heads: tuple[str, ...] = HEADS) -> None:
    text = "".join("\t".join(line) + "\n" for line in (heads, *lines))
    (root / "INDEX.tsv").write_text(text, encoding="utf-8")


def test_an_index_says_everything(tmp_path: Path) -> None:
    _touch(tmp_path, "ct/a.nii.gz", "ct/a_seg.nii.gz", "film/frames/0.png", "film/masks/0.png", "other.png")
    _index(
        tmp_path,
        ("ct/a.nii.gz", "ct/a_seg.nii.gz", "CT", "semantic", "1:liver=20;7:kidney_left=3", "P1"),
        ("film/frames", "film/masks", "video", "instance", "instances=4;foreground=9", "F"),
    )
    ct, film = list_labelled(tmp_path)
    assert ct == LabelledItem(
        tmp_path / "ct/a.nii.gz",
        tmp_path / "ct/a_seg.nii.gz",
        "CT",
        "semantic",
        {1: "liver", 7: "kidney_left"},
        "P1",
    )
    assert (film.image, film.mask_type, film.names) == (tmp_path / "film/frames", "instance", {})


def test_two_columns_are_enough(tmp_path: Path) -> None:
    _touch(tmp_path, "a.ome.tif", "b.tif")
    _index(tmp_path, ("a.ome.tif", "b.tif"), heads=("path", "mask_path"))
    (item,) = list_labelled(tmp_path)
    assert (item.kind, item.mask_type, item.names, item.subject) == ("images", "semantic", {}, "a")


def test_two_folders_pair_by_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _touch(tmp_path, "images/b.jpg", "images/a.nii.gz", "images/c.png", "images/.hidden")
    _touch(tmp_path, "images/series/1.dcm", "labels/b.png", "labels/a.nrrd", "labels/series.nii.gz")
    with caplog.at_level(logging.WARNING):
        items = list_labelled(tmp_path)
    assert [(item.image.name, item.labels.name) for item in items] == [
        ("a.nii.gz", "a.nrrd"),
        ("b.jpg", "b.png"),
        ("series", "series.nii.gz"),
    ]
    assert "left out 1 images" in caplog.text


def test_the_first_of_several_channels_is_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _touch(tmp_path, *(f"imagesTr/liver_{k}_000{channel}.nii.gz" for k in (1, 2) for channel in (0, 1)))
    _touch(tmp_path, "labelsTr/liver_1.nii.gz", "labelsTr/liver_2.nii.gz")
    items = list_labelled(tmp_path)
    assert [item.image.name for item in items] == ["liver_1_0000.nii.gz", "liver_2_0000.nii.gz"]
    assert [item.subject for item in items] == ["liver_1", "liver_2"]
    assert not caplog.records


def test_masks_beside_their_images(tmp_path: Path) -> None:
    _touch(tmp_path, "x.jpg", "x_seg.png", "y.tif", "y_mask.tif", "README.md")
    assert [(item.image.name, item.labels.name) for item in list_labelled(tmp_path)] == [
        ("x.jpg", "x_seg.png"),
        ("y.tif", "y_mask.tif"),
    ]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("images/a.png", "labels/a.png", "labels/b.png"), "b.png has no image"),
        (("images/a.png", "images/a.jpg", "labels/a.png"), "one name"),
        (("images/a.png", "labels/.keep"), "is empty"),
        (("a_seg.png",), "exactly one image named a"),
        (("a.png", "a_seg.png", "a_mask.png"), "exactly one image named a"),
        (("a.png", "b.png"), "INDEX.tsv"),
    ],
)
def test_what_cannot_be_paired_is_named(tmp_path: Path, files: tuple[str, ...], message: str) -> None:
    _touch(tmp_path, *files)
    with pytest.raises(InvalidDataset, match=message):
        list_labelled(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("a.png", "gone.png"), "line 2 .* 'gone.png'"),
        (("a.png", ""), "line 2 .* 'nothing'"),
        (("a.png", "b.png", "CT", "panoptic"), "'panoptic'.* semantic"),
        (("a.png", "b.png", "CT", "semantic", "one:liver=3"), "'one:liver=3'"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: tuple[str, ...], message: str) -> None:
    _touch(tmp_path, "a.png", "b.png")
    _index(tmp_path, line)
    with pytest.raises(InvalidDataset, match=message):
        list_labelled(tmp_path)


def test_an_index_without_columns_lines_or_text(tmp_path: Path) -> None:
    _index(tmp_path, ("a", "b"), heads=("path", "mask"))
    with pytest.raises(InvalidDataset, match="column 'mask_path'"):
        list_labelled(tmp_path)
    _index(tmp_path)
    with pytest.raises(InvalidDataset, match="no line"):
        list_labelled(tmp_path)
    (tmp_path / "INDEX.tsv").write_bytes(b"path\tmask_path\n\xff\xfe\t\xff\n")
    with pytest.raises(InvalidDataset, match="UTF-8"):
        list_labelled(tmp_path)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset, match="no folder"):
        list_labelled(tmp_path / "gone")


def test_the_real_folders(shared_data: Path) -> None:
    items = list_labelled(shared_data / "eval")
    assert len(items) == 119
    assert {item.mask_type for item in items} <= {"semantic", "instance", "instance_per_slice"}
    liver = next(item for item in items if item.image.name == "ts_ct_abdomen.nii.gz")
    assert (liver.kind, liver.names[5], liver.subject) == ("CT", "liver", "TS-A")
