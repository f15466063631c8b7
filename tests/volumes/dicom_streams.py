"""Pixels, and DICOM files of their compressed streams."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate

from tests.volumes.dicom_made import image

SMOOTH = (np.hypot(*np.mgrid[0:64, 0:80]) * 2).astype(np.uint8)
TEXTURE = np.random.default_rng(2).integers(-2000, 2000, (3, 64, 80)).astype(np.int16)


def jpeg(pixels: NDArray[np.uint8], **options: Any) -> bytes:
    """A JPEG stream, as Pillow writes it."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", **options)
    return stream.getvalue()


def compressed(pixels: NDArray[Any], syntax: str, streams: list[bytes], **tags: Any) -> FileDataset:
    """An image whose pixels are these streams, one a frame, whatever they hold."""
    dataset = image(pixels, **tags)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([stream + b"\0" * (len(stream) % 2) for stream in streams])
    dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB"
    return dataset


def streams_of(pixels: NDArray[Any], syntax: str) -> list[bytes]:
    """Encode by pydicom; the frames' streams."""
    dataset = image(pixels)
    dataset.compress(syntax, generate_instance_uid=False)
    return list(pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=len(pixels)))
