"""Finding DICOM files: nested studies, damaged and other files beside them, DICOMDIRs."""

from __future__ import annotations

import gc
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.fileset import FileSet
from pydicom.uid import generate_uid

import volumes
from volumes import Volume, list_series, read

Make = Callable[..., Path]
STRAIGHT = [(5.0, -7.0, 2.5 * step) for step in range(6)]


def notes_of(volume: Volume) -> str:
    return " | ".join(volume.provenance.notes)


def refusal(attempt: Callable[[], object]) -> str:
    """Run what may be refused; its message, empty where it is not."""
    try:
        attempt()
    except volumes.VolumeError as error:
        return str(error)
    return ""


def test_images_that_lie_deeper_beside_others_are_found(make_series: Make, tmp_path: Path) -> None:
    make_series(STRAIGHT[:3], folder="study", uid="1.2.3", SeriesNumber=1)
    make_series(STRAIGHT, folder="study/a/b", uid="1.2.4", SeriesNumber=2)
    for file in list((tmp_path / "study" / "a" / "b").iterdir())[:3]:
        (tmp_path / "study" / "c").mkdir(exist_ok=True)
        file.rename(tmp_path / "study" / "c" / file.name)
    assert [(info.key, info.shape[0]) for info in list_series(tmp_path / "study")] == [("1", 3), ("2", 6)]
    assert read(tmp_path / "study", series="2").data[:, 0, 0].tolist() == [-24, -23, -22, -21, -20, -19]


def test_what_is_no_image_is_left_out_by_name(make_series: Make) -> None:
    folder = make_series(STRAIGHT)
    for number, sop_class in enumerate(
        ("1.2.840.10008.5.1.4.1.1.481.3", "1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.88.11")
    ):
        dataset = pydicom.dcmread(next(folder.glob("*.dcm")))
        for keyword in ("Rows", "Columns", "PixelData"):
            delattr(dataset, keyword)
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
        dataset.SOPInstanceUID = generate_uid()
        dataset.save_as(folder / f"other{number}")
    (folder / "readme.txt").write_text("no image")
    volume = read(folder)
    assert volume.shape == (6, 5, 6)
    assert "files that are no images were left out" in notes_of(volume)
    assert notes_of(volume).count(": 1") == notes_of(volume).count(": 2") == 1


def without_header(file: Path) -> None:
    """Cut a file off before its rows and columns."""
    content = file.read_bytes()
    file.write_bytes(content[: content.index(b"\x28\x00\x02\x00")])


def unreadable(file: Path) -> None:
    """Cut a file off within its first elements, before its series is named."""
    content = file.read_bytes()
    file.write_bytes(content[: content.index(b"\x08\x00\x60\x00")])


@pytest.mark.parametrize("damage", [without_header, unreadable, lambda file: file.write_bytes(b"")])
def test_a_damaged_file_of_the_series_is_an_error_naming_it(
    damage: Callable[[Path], None], make_series: Make
) -> None:
    folder = make_series(STRAIGHT)
    broken = sorted(folder.iterdir())[3]
    damage(broken)
    with pytest.raises(volumes.BrokenFile, match=broken.name) as caught:
        read(folder)
    assert ";" in str(caught.value)


def test_a_damaged_file_of_another_series_is_a_note(make_series: Make) -> None:
    folder = make_series(STRAIGHT, uid="1.2.3", SeriesNumber=1)
    make_series(STRAIGHT, uid="1.2.4", SeriesNumber=2)
    broken = min(path for path in folder.iterdir() if path.name.startswith(".2.4") or "2.4" in path.name)
    without_header(broken)
    assert broken.name in notes_of(read(folder, series="1"))
    with pytest.raises(volumes.BrokenFile, match=broken.name):
        read(folder, series="2")


def test_a_folder_of_nothing_but_damaged_files(make_series: Make) -> None:
    folder = make_series(STRAIGHT[:1])
    without_header(next(folder.iterdir()))
    with pytest.raises(volumes.BrokenFile):
        read(folder)


@pytest.fixture
def disc(make_series: Make, tmp_path: Path) -> Path:
    """A DICOMDIR with two series of a study, and a file beside it that it does not name."""
    study, folders = generate_uid(), []
    for number in (1, 2):
        folder = make_series(
            STRAIGHT,
            folder=f"made{number}",
            SeriesNumber=number,
            PatientID="X",
            PatientName="X",
            StudyInstanceUID=study,
            StudyDate="20200101",
            StudyTime="120000",
            StudyID="1",
        )
        folders.append(folder)
    with warnings.catch_warnings():  # its temporary folders are left to the end, with a warning
        warnings.simplefilter("ignore", ResourceWarning)
        file_set = FileSet()
        for folder in folders:
            for file in sorted(folder.iterdir()):
                file_set.add(file)
        file_set.write(tmp_path / "disc")
        del file_set
        gc.collect()
    make_series(STRAIGHT[:2], folder="disc/EXTRA", SeriesNumber=9)
    return tmp_path / "disc"


def test_a_dicomdir_is_followed(disc: Path) -> None:
    assert [info.key for info in list_series(disc / "DICOMDIR")] == ["1", "2"]
    assert [info.key for info in list_series(disc)] == ["1", "2", "9"]
    volume = read(disc / "DICOMDIR", series="2")
    assert volume.data[:, 0, 0].tolist() == [-24, -23, -22, -21, -20, -19]
    assert notes_of(volume) == ""


def test_a_dicomdir_finds_files_whatever_their_case(disc: Path) -> None:
    for path in sorted(disc.rglob("*"), key=lambda path: -len(path.parts)):
        path.rename(path.with_name(path.name.lower()))
    assert [info.key for info in list_series(disc / "dicomdir")] == ["1", "2"]


def test_files_that_a_dicomdir_names_and_that_are_missing(disc: Path) -> None:
    info = list_series(disc / "DICOMDIR")[1]
    lost = [
        path for path in disc.rglob("*") if path.is_file() and info.series_uid.encode() in path.read_bytes()
    ]
    lost = sorted(path for path in lost if path.name != "DICOMDIR")
    place = {path: pydicom.dcmread(path).ImagePositionPatient[2] for path in lost}
    max(lost, key=lambda path: place[path]).unlink()
    with pytest.raises(volumes.MissingSlices, match="names 1 files of this series that are not there"):
        read(disc / "DICOMDIR", series="2")
    assert read(disc / "DICOMDIR", series="2", allow_gaps=True).shape[0] == 5
    assert "names 1 files that are not there, 0 of this series" in notes_of(
        read(disc / "DICOMDIR", series="1")
    )


def test_a_dicomdir_without_its_files_says_so(disc: Path, tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    shutil.copy(disc / "DICOMDIR", tmp_path / "alone" / "DICOMDIR")
    with pytest.raises(volumes.NoDicomFound, match="names 12 files and none of them is there"):
        read(tmp_path / "alone" / "DICOMDIR")
    with pytest.raises(volumes.NoDicomFound):
        read(tmp_path / "alone")


@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
def test_a_dicomdir_that_leads_out_of_its_folder(disc: Path, make_series: Make) -> None:
    outside = make_series(STRAIGHT[:1], folder="outside")
    next(outside.iterdir()).rename(outside / "SECRET")
    dataset = pydicom.dcmread(disc / "DICOMDIR")
    for record in dataset.DirectoryRecordSequence:
        if "ReferencedFileID" in record:
            record.ReferencedFileID = ["..", "outside", "SECRET"]
    dataset.save_as(disc / "DICOMDIR")
    with pytest.raises(volumes.NoDicomFound, match="none of them is there"):
        read(disc / "DICOMDIR")


def test_a_damaged_dicomdir(disc: Path) -> None:
    content = (disc / "DICOMDIR").read_bytes()
    for length in range(200, len(content), 997):
        (disc / "DICOMDIR").write_bytes(content[:length])
        assert "\n" not in refusal(lambda: list_series(disc / "DICOMDIR"))
