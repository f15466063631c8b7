"""DICOM series whose headers conform to the standard, a volume on them, and judges of what is written."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from volumes import Geometry, PlaneSource, Provenance, Segment, Volume
from volumes.segments import Code

SECRETS = ("SECRET^NAME", "SECRETID", "19700102", "20010203")
SEGMENTS = (
    Segment(
        1,
        "Liver",
        (221, 130, 101),
        Code("123037004", "SCT", "Anatomical Structure"),
        Code("10200004", "SCT", "Liver"),
        "tiny_sam.v6",
    ),
    Segment(3, "Läsion µ", (1, 2, 255)),
)
ROTATIONS = [
    matrix
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
    if np.linalg.det(matrix := np.eye(3)[:, axes] * signs)
    < 0  # planes go along the row x the column direction
]


def phantom_geometry(rotation: NDArray[Any], shape: tuple[int, int, int] = (4, 6, 9)) -> Geometry:
    """Grid whose planes, rows and columns run along a matrix's columns (normal, down, along)."""
    affine = np.eye(4)
    affine[:3, :3] = rotation * (2.5, 0.75, 1.25)
    affine[:3, 3] = (-101.25, 12.5, 1000.125)
    return Geometry(shape, affine, generate_uid())


def write_phantom(folder: Path, geometry: Geometry, gaps: tuple[int, ...] = (), **tags: Any) -> Volume:
    """Write one CT file a plane, but for `gaps`, and return the volume that a reader makes of them.

    A tag that is None is left out of the files.
    """
    folder.mkdir(exist_ok=True, parents=True)
    common = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid(), **tags}
    sources: list[PlaneSource | None] = []
    for index in range(geometry.shape[0]):
        if index in gaps:
            sources.append(None)
            continue
        path = folder / f"{(index * 7) % 11:02}.dcm"
        _plane(geometry, index, common).save_as(path)
        sources.append(PlaneSource(path))
    rng = np.random.default_rng(5)
    data = rng.integers(-1000, 1000, geometry.shape, dtype=np.int16)
    if tags.get("FrameOfReferenceUID", "") is None:
        geometry = replace(geometry, frame_uid=None)
    provenance = Provenance("DICOM", "CT", common["SeriesInstanceUID"], sources=tuple(sources))
    return Volume(data, geometry, provenance)


def write_series(folder: Path, volume: Volume) -> None:
    """Write the voxels of a CT volume of any format as a series, one file a plane."""
    folder.mkdir(exist_ok=True, parents=True)
    geometry = replace(volume.geometry, frame_uid=generate_uid())
    common = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
    for index in range(geometry.shape[0]):
        dataset = _plane(geometry, index, common)
        dataset.PixelData = np.asarray(volume.data[index], np.int16).tobytes()
        dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = 1, 0, "HU"
        dataset.save_as(folder / f"{index:04}.dcm")


def _plane(geometry: Geometry, index: int, tags: dict[str, Any]) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = FileDataset("", Dataset(), file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = SECRETS[:3]
    dataset.PatientSex, dataset.StudyDate, dataset.StudyTime = "F", SECRETS[3], "101112"
    dataset.StudyID, dataset.AccessionNumber, dataset.ReferringPhysicianName = "1", "", ""
    dataset.Modality, dataset.Manufacturer, dataset.InstanceNumber = "CT", "Maker", index + 1
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = geometry.frame_uid, ""
    dataset.Rows, dataset.Columns = geometry.shape[1:]
    dataset.ImagePositionPatient = geometry.index_to_mm((index, 0, 0)).round(9).tolist()
    along, down = geometry.directions[:, 2], geometry.directions[:, 1]
    dataset.ImageOrientationPatient = [float(f"{one:.10g}") for one in (*along, *down)]
    dataset.PixelSpacing, dataset.SliceThickness = list(geometry.spacing_mm[1:]), geometry.spacing_mm[0]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    dataset.PixelData = np.zeros(geometry.shape[1:], np.int16).tobytes()
    for keyword, value in tags.items():
        if value is not None:
            setattr(dataset, keyword, value)
        elif keyword in dataset:
            delattr(dataset, keyword)
    return dataset


def phantom_labels(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Labels 1 and 3, with a hole, the second plane empty, that no flip or exchange of axes leaves alone."""
    labels = np.zeros(shape, np.uint8)
    labels[0, 1:4, 2:6] = 1
    labels[0, 2, 3] = 0
    labels[-1, 1:3, 5:] = 3
    labels[-1, 4, 0] = labels[-1, 5, 1] = 1
    labels[2, 0, 0] = 3
    return labels


def standard_errors(path: Path) -> list[str]:
    """What dciodvfy holds against a file, in both of its ways of looking; skips where it is missing."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (Debian package dicom3tools) is not installed")
    lines: list[str] = []
    for flags in ((), ("-new",)):
        done = subprocess.run(["dciodvfy", *flags, str(path)], capture_output=True, text=True, check=False)
        lines += (done.stdout + done.stderr).splitlines()
    assert lines
    return [line for line in lines if line.startswith("Error")]


def dumped(path: Path) -> str:
    """What dcmtk reads; skips where it is missing."""
    if shutil.which("dcmdump") is None:
        pytest.skip("dcmdump (Debian package dcmtk) is not installed")
    done = subprocess.run(["dcmdump", "-q", str(path)], capture_output=True, check=True)
    assert not done.stderr
    return done.stdout.decode("utf-8")
