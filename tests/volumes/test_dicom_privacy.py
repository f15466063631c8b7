"""Nothing that a DICOM file says of a patient comes out in a message, a note or a listing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.datadict import DicomDictionary, keyword_dict
from pydicom.uid import generate_uid

import volumes

Make = Callable[..., Path]
NAME = "DOE-SECRET"
DATE = "19571231"
UID_ROOT = "1.2.77777."
TEXTS = {"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UT"}
# What is shown because somebody has to choose by it, and what the image is made of.
SHOWN = {"SeriesDescription", "StackID"}


def planted(dataset: pydicom.Dataset) -> None:
    """Put the patient's name, a date or a UID into every element of the dictionary that can hold one."""
    for keyword, tag in keyword_dict.items():
        vr, multiplicity = DicomDictionary[tag][:2]
        if tag >> 16 < 8 or tag >> 16 >= 0x5000 or keyword in SHOWN or multiplicity[0] not in "1":
            continue
        if vr in TEXTS:
            dataset.add_new(tag, vr, NAME[:16])
        elif vr == "DA":
            dataset.add_new(tag, vr, DATE)
        elif vr == "UI" and keyword not in ("SOPClassUID", "SeriesInstanceUID"):
            dataset.add_new(tag, vr, generate_uid(prefix=UID_ROOT))


def spread_over(
    folder: Path, change: Callable[[int, pydicom.Dataset], None] = lambda at, dataset: None
) -> None:
    for at, file in enumerate(sorted(folder.iterdir())):
        dataset = pydicom.dcmread(file)
        planted(dataset)
        change(at, dataset)
        dataset.save_as(file)


def gap(folder: Path) -> None:
    sorted(folder.iterdir(), key=lambda file: pydicom.dcmread(file).InstanceNumber)[2].unlink()


def two_series(at: int, dataset: pydicom.Dataset) -> None:
    dataset.SeriesInstanceUID = f"{UID_ROOT}{1 + at % 2}"


def wrong_value(at: int, dataset: pydicom.Dataset) -> None:
    dataset.ImageOrientationPatient = [1, 0, 0, 1, 1, 0]


def cut_off(folder: Path) -> None:
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes()[:-20])


def cut_in_header(folder: Path) -> None:
    for file in folder.iterdir():
        content = file.read_bytes()
        file.write_bytes(content[: content.index(b"\x28\x00\x02\x00")])


def not_numbers(folder: Path) -> None:
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes().replace(b"0.7\\0.8", b"0.7\\" + NAME[:3].encode()))


def everything_said(path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> str:
    """Gather what comes out of listing and reading: errors, notes, keys, descriptions, logs, stderr."""
    said: list[str] = []
    keys: list[str | None] = [None]
    try:
        for info in volumes.list_series(path):
            keys.append(info.key)
            said += [info.key, info.modality, info.description]
    except volumes.VolumeError as error:
        said.append(str(error))
    for key in [*keys, "no such key"]:
        for gaps in (False, True):
            try:
                volume = volumes.read(path, series=key, allow_gaps=gaps, straighten=gaps)
                said += [*volume.provenance.notes, repr(volume.geometry.shape), volume.provenance.format]
            except volumes.VolumeError as error:
                said.append(str(error))
    shown = capfd.readouterr()
    return "\n".join([*said, caplog.text, shown.out, shown.err])


@pytest.mark.parametrize("damage", [None, gap, cut_off, cut_in_header, not_numbers])
@pytest.mark.parametrize("change", [None, two_series, wrong_value])
def test_no_message_holds_what_is_known_of_the_patient(
    damage: Callable[[Path], None] | None,
    change: Callable[[int, pydicom.Dataset], None] | None,
    make_series: Make,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    uid = f"{UID_ROOT}5"
    folder = make_series([(0, 0.3 * z, 2 * z) for z in range(6)], uid=uid, SeriesDescription="brain")
    for number, file in enumerate(sorted(folder.iterdir())):
        file.rename(folder / f"IM{number}")
    spread_over(folder, change or (lambda at, dataset: None))
    if damage is not None:
        damage(folder)
    caplog.clear()
    said = everything_said(folder, caplog, capfd)
    for secret in (NAME[:3], DATE, UID_ROOT):
        assert secret not in said, said
    one = next(folder.iterdir())
    for secret in (NAME[:3], DATE, UID_ROOT):
        assert secret not in everything_said(one, caplog, capfd)
