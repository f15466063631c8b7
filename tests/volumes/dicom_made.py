"""DICOM files made for a test: images of any kind, with any tags, and with functional groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, generate_uid

STORAGE = "1.2.840.10008.5.1.4.1.1."
CT, ENHANCED_MR, NM, PET = f"{STORAGE}2", f"{STORAGE}4.1", f"{STORAGE}20", f"{STORAGE}128"
AXIAL = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def image(
    pixels: NDArray[Any], sop_class: str = CT, syntax: str = ExplicitVRLittleEndian, **tags: Any
) -> FileDataset:
    """An image of pixels (R, C), (R, C, 3), (F, R, C) or (F, R, C, 3); a tag of None is left out."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, generate_uid()
    dataset = FileDataset("", Dataset(), file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    dataset.SeriesInstanceUID, dataset.Modality, dataset.InstanceNumber = "1.2.3", "CT", 1
    is_colour = pixels.ndim > 2 and pixels.shape[-1] == 3
    dataset.SamplesPerPixel = 3 if is_colour else 1
    dataset.PhotometricInterpretation = "RGB" if is_colour else "MONOCHROME2"
    if is_colour:
        dataset.PlanarConfiguration = 0
    size = pixels.shape[:-1] if is_colour else pixels.shape
    dataset.Rows, dataset.Columns = size[-2:]
    if len(size) == 3:
        dataset.NumberOfFrames = size[0]
    bits = 8 * pixels.dtype.itemsize
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    data = pixels.tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OW" if bits > 8 else "OB"
    with_tags(dataset, **tags)
    return dataset


def with_tags(dataset: Dataset, **tags: Any) -> Dataset:
    """Set tags; None takes one away."""
    for keyword, value in tags.items():
        if value is None:
            if keyword in dataset:
                delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def item(**tags: Any) -> Dataset:
    """An item of a sequence."""
    return with_tags(Dataset(), **tags)


def group(**macros: Any) -> Dataset:
    """Functional groups: each macro a dictionary of its tags."""
    return item(**{macro: Sequence([item(**tags)]) for macro, tags in macros.items()})


def saved(dataset: FileDataset, folder: Path, name: str = "image.dcm") -> Path:
    """Write a dataset as it is, right or wrong."""
    path = folder / name
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax == ExplicitVRBigEndian or (syntax is not None and not syntax.is_transfer_syntax):
        dcmwrite(path, dataset, implicit_vr=False, little_endian=syntax != ExplicitVRBigEndian)
    else:
        dataset.save_as(path, enforce_file_format=False)
    return path


def ramp(*shape: int, dtype: Any = np.uint16) -> NDArray[Any]:
    """Values that are all different, as far as the type goes."""
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)
