"""Small DICOM series and NIfTI files made on the fly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from volumes import Geometry, Provenance, Volume

# No test asserts a time: a busy machine is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def _plane(pixels: NDArray[Any], position: Any, number: int, **tags: Any) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = FileDataset("", Dataset(), file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.Modality = "CT"
    dataset.InstanceNumber = number
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelSpacing = [0.7, 0.8]
    dataset.SliceThickness = 2.5
    dataset.ImageOrientationPatient = list(AXIAL)
    if position is not None:
        dataset.ImagePositionPatient = [float(f"{value:.8g}") for value in position]
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.PixelData = pixels.tobytes()
    for keyword, value in tags.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


@pytest.fixture
def make_series(tmp_path: Path) -> Callable[..., Path]:
    """Write planes at the given positions to a folder, with shuffled names; plane i holds 1000 + i.

    Tags are those of all planes; `each` gives those of plane i.
    """

    def make(
        positions: Any,
        folder: str = "series",
        uid: str | None = None,
        each: Callable[[int], dict[str, Any]] | None = None,
        **tags: Any,
    ) -> Path:
        target = tmp_path / folder
        target.mkdir(exist_ok=True, parents=True)
        uid = uid or generate_uid()
        names = np.random.default_rng(3).permutation(len(positions))
        for index, (position, name) in enumerate(zip(positions, names, strict=True)):
            pixels = np.full((5, 6), 1000 + index, dtype=np.uint16)
            pixels[1, 2] = 2000
            own = each(index) if each else {}
            dataset = _plane(pixels, position, index + 1, SeriesInstanceUID=uid, **{**tags, **own})
            dataset.save_as(target / f"{uid[-4:]}_{name}.dcm")
        return target

    return make


@pytest.fixture
def image() -> Volume:
    """A volume of shape (4, 5, 6) with spacing (3, 2, 1) mm, off the origin."""
    data = np.arange(120, dtype=np.int16).reshape(4, 5, 6)
    geometry = Geometry.from_spacing((4, 5, 6), (3.0, 2.0, 1.0), (10.0, -20.0, 30.5))
    return Volume(data, geometry, Provenance("made"))
