"""Converting against stand-ins for readers and writers; the formats themselves have tests of their own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import volumes
from napari_sam.errors import InvalidPrompt
from napari_sam.nodes.convert import ConvertJob, convert_file
from napari_sam.nodes.image_input import ImageInput
from napari_sam.nodes.label_files import is_label_output, label_kind
from napari_sam.nodes.names_file import read_names
from volumes import Geometry, LabelVolume, Segment, UnknownFormat, UnwritableOutput, Volume

SEG_UID, RTSTRUCT_UID = b"1.2.840.10008.5.1.4.1.1.66.4", b"1.2.840.10008.5.1.4.1.1.481.3"


@pytest.fixture
def read_with(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Volume | None, str | None]]:
    """Read what is bright in an image as the labels 1 and 2; a record of what was asked for."""
    asked: list[tuple[Any, Volume | None, str | None]] = []

    def read_labels(path: Any, *, like: Volume | None = None, series: str | None = None) -> LabelVolume:
        asked.append((path, like, series))
        found = volumes.read(path)
        labels = np.digitize(np.asarray(found.data), (400, 725)).astype(np.uint8)
        return LabelVolume(labels, found.geometry, (Segment(1, "first"),), ("a note",))

    monkeypatch.setattr(volumes, "read_labels", read_labels, raising=False)
    return asked


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Volume, tuple[Segment, ...]]]:
    """Take labels and images in all formats that there will be; a record of what was written."""
    record: list[tuple[str, Volume, tuple[Segment, ...]]] = []

    def write(path: Path, labels: NDArray[Any], *, like: Volume, segments: Sequence[Segment] = ()) -> None:
        assert labels.shape == like.shape
        record.append(("labels", like, tuple(segments)))
        path.touch()

    def write_image(path: Path, volume: Volume) -> None:
        record.append(("image", volume, ()))
        path.touch()

    both = (".nii.gz", ".nrrd")
    monkeypatch.setattr(volumes, "label_suffixes", lambda: (*both, ".seg.nrrd", ".dcm", ".json", ".stl"))
    monkeypatch.setattr(volumes, "image_suffixes", lambda: both)
    monkeypatch.setattr(volumes, "write", write)
    monkeypatch.setattr(volumes, "write_image", write_image)
    return record


def head(sop_class: bytes, *, has_meta: bool = True) -> bytes:
    """The start of a DICOM file."""
    group = b"\x02\x00\x02\x00" if has_meta else b"\x08\x00\x16\x00"
    element = group + b"UI" + len(sop_class).to_bytes(2, "little") + sop_class
    return (bytes(128) + b"DICM" if has_meta else b"") + element


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (head(SEG_UID), "DICOM SEG"),
        (head(SEG_UID + b"\0"), "DICOM SEG"),
        (head(b"1.2.840.10008.5.1.4.1.1.66.7"), "DICOM SEG"),
        (head(RTSTRUCT_UID, has_meta=False), "DICOM RTSTRUCT"),
        (head(b"1.2.840.10008.5.1.4.1.1.2"), ""),
        (b' \n{"images": []}', "COCO JSON"),
        (b"NRRD0004\n", ""),
        (b"", ""),
    ],
)
def test_files_of_labels_are_known_by_content(content: bytes, kind: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    assert label_kind(tmp_path / "file") == kind


def test_what_is_no_file_holds_no_labels(tmp_path: Path) -> None:
    assert [label_kind(place) for place in (tmp_path, tmp_path / "none", "https://a.b/c.zarr")] == [
        "",
        "",
        "",
    ]


def test_a_real_segmentation_and_a_real_structure_set(shared_data: Path) -> None:
    zoo = shared_data / "dicom_zoo"
    kinds = {label_kind(path) for path in zoo.rglob("*") if path.is_file()}
    assert {"DICOM SEG", "DICOM RTSTRUCT"} <= kinds


@pytest.mark.parametrize(
    ("output", "options", "expected"),
    [
        ("o.nrrd", {}, "image"),
        ("o.nrrd", {"as_labels": True}, "labels"),
        ("o.nrrd", {"as_labels": False}, "image"),
        ("o.dcm", {}, "labels"),
        ("o.seg.nrrd", {"as_labels": True}, "labels"),
        ("o.nrrd", {"like": True}, "labels"),
    ],
)
def test_whether_it_is_labels(
    output: str,
    options: dict[str, Any],
    expected: str,
    image: Path,
    tmp_path: Path,
    read_with: list[Any],
    written: list[tuple[str, Volume, tuple[Segment, ...]]],
) -> None:
    if "like" in options:
        options = {"like": ImageInput(image)}
    done = convert_file(ConvertJob(ImageInput(image), tmp_path / output, **options))
    assert written[0][0] == expected
    assert done.is_labels == (expected == "labels")
    assert (tmp_path / output).exists()


def test_an_image_keeps_values_and_geometry(
    image: Path, volume: Volume, tmp_path: Path, written: list[Any]
) -> None:
    done = convert_file(ConvertJob(ImageInput(image), tmp_path / "o.nrrd"))
    assert done.geometry.is_close(volume.geometry)
    assert np.array_equal(written[0][1].data, volume.data)


def test_labels_go_onto_the_image_with_their_names(
    image: Path, tmp_path: Path, read_with: list[Any], written: list[Any]
) -> None:
    names = tmp_path / "n.json"
    names.write_text(json.dumps({"2": "brighter", "9": "nothing"}))
    done = convert_file(
        ConvertJob(ImageInput(image, "s"), tmp_path / "o.seg.nrrd", ImageInput(image), names=names)
    )
    place, like, series = read_with[0]
    assert (place, series) == (image, "s")
    assert like is written[0][1]
    assert [(one.value, one.name) for one in written[0][2]] == [(1, "first"), (2, "brighter")]
    assert all(one.colour is not None for one in done.segments)
    assert done.notes == ("a note", "no voxel has the value 9, which was named")


class TestRefusals:
    def test_inputs_are_never_written_over(self, image: Path, written: list[Any]) -> None:
        before = image.read_bytes()
        with pytest.raises(UnwritableOutput, match="is the input"):
            convert_file(ConvertJob(ImageInput(image), image))
        with pytest.raises(UnwritableOutput, match="is the input"):
            convert_file(ConvertJob(ImageInput(image.parent / "other"), image, ImageInput(image)))
        assert image.read_bytes() == before

    def test_a_suffix_that_nothing_writes(self, image: Path, tmp_path: Path) -> None:
        with pytest.raises(UnknownFormat, match=r"o\.xyz"):
            convert_file(ConvertJob(ImageInput(image), tmp_path / "o.xyz"))
        assert not (tmp_path / "o.xyz").exists()

    def test_an_image_does_not_go_into_a_format_of_labels(
        self, image: Path, tmp_path: Path, written: list[Any]
    ) -> None:
        with pytest.raises(UnknownFormat, match=r"o\.stl"):
            convert_file(ConvertJob(ImageInput(image), tmp_path / "o.stl", as_labels=False))


def test_formats_of_labels_alone(written: list[Any]) -> None:
    assert [is_label_output(Path(name)) for name in ("a.dcm", "A.STL", "a.nii.gz", "a.xyz")] == [
        True,
        True,
        False,
        False,
    ]


def test_names_colours_and_codes(tmp_path: Path) -> None:
    path = tmp_path / "names.json"
    entry = {"name": "spleen", "colour": "#0a0b0c", "type": ["78961009", "SCT", "Spleen"]}
    path.write_text(json.dumps({"2": entry, "1": "liver"}))
    liver, spleen = read_names(path)
    assert (liver.value, liver.name, liver.colour) == (1, "liver", None)
    assert (spleen.value, spleen.colour, spleen.kind.meaning) == (2, (10, 11, 12), "Spleen")
    path.write_text(json.dumps({"objects": [{"id": 4, "name": "aorta", "prompts": []}]}))
    assert [(one.value, one.name) for one in read_names(path)] == [(4, "aorta")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "holds a list"),
        ("nonsense", "is no JSON"),
        ('{"x": "liver"}', "'x'"),
        ('{"0": "liver"}', "values start at 1"),
        ('{"1": {"name": 3}}', "holds 3"),
        ('{"1": {"nom": "foie"}}', "nom"),
        ('{"1": {"colour": [1, 2]}}', r"\[1, 2\]"),
        ('{"1": {"colour": [1, 2, 300]}}', "300"),
        ('{"1": {"colour": [1, 2, true]}}', "True"),
        ('{"1": {"type": ["a"]}}', r"\['a'\]"),
        ('{"objects": [3]}', "None"),
    ],
)
def test_names_that_cannot_be_used(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "n.json").write_text(content)
    with pytest.raises(InvalidPrompt, match=message):
        read_names(tmp_path / "n.json")
    with pytest.raises(InvalidPrompt, match="No such file"):
        read_names(tmp_path / "none.json")


def test_labels_that_lie_on_their_own_grid_are_written_there(
    truth: NDArray[np.uint16], image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """End to end with a real writer: labels without an image keep their place and names."""
    placed = Geometry.from_spacing(truth.shape, (2, 3, 4), (5, 6, 7))
    found = LabelVolume(truth, placed, (Segment(2, "right"),))
    monkeypatch.setattr(volumes, "read_labels", lambda path, **_: found, raising=False)
    out = tmp_path / "o.mha"
    done = convert_file(ConvertJob(ImageInput(image), out, as_labels=True))
    assert [one.title for one in done.segments] == ["object 1", "right"]
    back = volumes.read(out)
    assert np.array_equal(back.data, truth)
    assert back.geometry.is_close(placed)
