"""Small DICOM images in every transfer syntax."""

from __future__ import annotations

import io
import locale
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

SECRETS = ("Zimmerfrau", "PAT-7351-X", "19341117", "20191203", "1.2.826.0.1.7351.99")
"""Who the seeds' patient is, and how every UID begins: what no message may say."""

SHAPE_HW = (36, 40)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_CT, _ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1"
_CAPTURE, _FILM, _PET = (
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.3.1",
    "1.2.840.10008.5.1.4.1.1.128",
)
_RTSTRUCT, _REPORT = "1.2.840.10008.5.1.4.1.1.481.3", "1.2.840.10008.5.1.4.1.1.88.33"


def uid(*parts: int) -> str:
    """Make a UID of the seeds' root."""
    return ".".join([SECRETS[4], *map(str, parts)])


def plane(number: int = 1, pixels: NDArray[Any] | None = None, **tags: Any) -> FileDataset:
    """Make a CT plane, or with other tags another image; ``None`` leaves one out."""
    if pixels is None:
        pixels = np.random.default_rng(number).integers(0, 2000, SHAPE_HW).astype(np.uint16)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = tags.get("SOPClassUID", _CT)
    meta.MediaStorageSOPInstanceUID = uid(3, number)
    dataset = FileDataset("", Dataset(), file_meta=meta, preamble=b"\0" * 128)
    given = {
        "PatientName": SECRETS[0] + "^Ada", "PatientID": SECRETS[1], "PatientBirthDate": SECRETS[2],
        "PatientSex": "O", "AccessionNumber": "", "StudyID": "1", "StudyTime": "120000",
        "StudyDate": SECRETS[3], "StudyInstanceUID": uid(1), "SeriesInstanceUID": uid(2),
        "SOPClassUID": _CT, "SOPInstanceUID": uid(3, number), "FrameOfReferenceUID": uid(4),
        "Modality": "CT", "SeriesNumber": 4, "SeriesDescription": "seed", "InstanceNumber": number,
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "SliceThickness": 2.5, "PixelSpacing": [0.7, 0.8],
        "ImagePositionPatient": [5.0, -7.0, 2.5 * number], "ImageOrientationPatient": list(AXIAL),
        "Rows": pixels.shape[-2], "Columns": pixels.shape[-1], "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 8 * pixels.dtype.itemsize,
        "BitsStored": 8 * pixels.dtype.itemsize, "HighBit": 8 * pixels.dtype.itemsize - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"), "RescaleSlope": 1, "RescaleIntercept": -1024,
        "WindowCenter": 40, "WindowWidth": 400, "PixelData": pixels.tobytes(), **tags,
    }  # fmt: skip
    for keyword, value in given.items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def colour(number: int = 1, **tags: Any) -> FileDataset:
    """Make a secondary capture in RGB."""
    pixels = np.random.default_rng(number).integers(0, 256, (*SHAPE_HW, 3)).astype(np.uint8)
    given = {
        "SOPClassUID": _CAPTURE, "Modality": "OT", "Rows": SHAPE_HW[0], "Columns": SHAPE_HW[1],
        "SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": "RGB",
        "PixelData": pixels.tobytes(), "RescaleSlope": None, "RescaleIntercept": None,
        "ImagePositionPatient": None, "ImageOrientationPatient": None,
    }  # fmt: skip
    return plane(number, np.zeros(SHAPE_HW, np.uint8), **{**given, **tags})


def saved(dataset: FileDataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """Return the file's bytes in an uncompressed or compressed transfer syntax."""
    if syntax in (JPEG2000Lossless, JPEGLSLossless, RLELossless):
        dataset.compress(syntax, generate_instance_uid=False)
    else:
        dataset.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    target = io.BytesIO()
    dcmwrite(target, dataset, enforce_file_format=True)
    return target.getvalue()


def jpeg(dataset: FileDataset) -> bytes:
    """Return a colour file with its pixels as JPEG baseline."""
    pixels = np.frombuffer(dataset.PixelData, np.uint8).reshape(*SHAPE_HW, 3)
    picture = io.BytesIO()
    Image.fromarray(pixels).save(picture, "JPEG")
    dataset.PixelData = encapsulate([picture.getvalue()])
    dataset["PixelData"].VR = "OB"
    dataset.PhotometricInterpretation = "YBR_FULL_422"
    return saved(dataset, JPEGBaseline8Bit)


def jpeg_lossless(content: bytes, folder: Path) -> bytes:
    """Return a grey file with its pixels as lossless JPEG, by GDCM."""
    import SimpleITK

    source, target = folder / "source.dcm", folder / "target.dcm"
    source.write_bytes(content)
    image = SimpleITK.ReadImage(str(source))
    writer = SimpleITK.ImageFileWriter()
    writer.SetFileName(str(target))
    writer.KeepOriginalImageUIDOn()
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG")
    kept = locale.setlocale(locale.LC_ALL)  # GDCM leaves "C" behind when it writes
    writer.Execute(image)
    locale.setlocale(locale.LC_ALL, kept)
    return target.read_bytes()
