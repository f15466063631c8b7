"""Uncompressed planes are read straight into one array: the same values and types as decoding gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from volumes import read
from volumes._dicom import pixels
from volumes._dicom.headers import read_headers
from volumes._dicom.raw_planes import read_raw_planes

Make = Callable[..., Path]
PLACES = [(0, 0, 2.0 * z) for z in range(3)]
SCALES = [(1, 0), (1, -1024), (2, -1024), (-1, 40), (1, 70_000), (30_000, 0), (0.5, 0.25), (1, 0.5), (-3, 7)]


def with_pixels(folder: Path, dtype: str, scale: tuple[float, float], values: Any = None) -> Path:
    """Give the planes pixels of a type, over its whole range, and a scale."""
    limits = np.iinfo(dtype)
    for at, file in enumerate(sorted(folder.iterdir())):
        dataset = pydicom.dcmread(file)
        random = np.random.default_rng(at)
        high = limits.max if values is None else values
        stored = random.integers(limits.min if values is None else 0, high, (5, 6), dtype, endpoint=True)
        dataset.BitsAllocated = dataset.BitsStored = limits.bits
        dataset.HighBit, dataset.PixelRepresentation = limits.bits - 1, int(limits.min < 0)
        dataset.RescaleSlope, dataset.RescaleIntercept = scale
        dataset.PixelData = stored.tobytes()
        dataset.save_as(file)
    return folder


def both(folder: Path) -> tuple[np.ndarray | None, np.ndarray]:
    """Read planes straight, and by decoding."""
    planes = [read_headers(file).planes[0] for file in sorted(folder.iterdir())]
    with mock.patch.object(pixels, "read_raw_planes", return_value=None):
        decoded = pixels.read_planes(planes)
    return read_raw_planes(planes), decoded


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("dtype", "values"), [("u1", None), ("u2", None), ("i2", None), ("u2", 4095)])
def test_straight_and_decoded_planes_are_the_same(
    dtype: str, values: int | None, scale: tuple[float, float], make_series: Make
) -> None:
    raw, decoded = both(with_pixels(make_series(PLACES), dtype, scale, values))
    if raw is not None:
        assert raw.dtype == decoded.dtype
        assert np.array_equal(raw, decoded)
    is_usual = scale in SCALES[:3] and values is not None
    assert raw is not None or not is_usual


def test_a_scale_of_its_own_for_each_plane(make_series: Make) -> None:
    folder = make_series(PLACES, each=lambda at: {"RescaleSlope": 0.25 * (1 + at), "RescaleIntercept": 0})
    raw, decoded = both(folder)
    assert raw is not None
    assert raw.dtype == decoded.dtype == np.float32
    assert np.array_equal(raw, decoded)


def test_implicit_little_endian_is_read_straight(make_series: Make) -> None:
    folder = make_series(PLACES)
    before = read(folder)
    for file in folder.iterdir():
        dataset = pydicom.dcmread(file)
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        dataset.save_as(file, implicit_vr=True, little_endian=True)
    assert both(folder)[0] is not None
    assert read(folder).digest() == before.digest()


def test_big_endian_is_read_straight(shared_data: Path) -> None:
    zoo = shared_data / "dicom_zoo" / "singles" / "pydicom"
    raw = read_raw_planes(read_headers(zoo / "MR_small_bigendian.dcm").planes)
    assert raw is not None
    assert raw.dtype.isnative
    assert np.array_equal(raw[0], pydicom.dcmread(zoo / "MR_small.dcm").pixel_array)


def deflated(dataset: pydicom.Dataset) -> None:
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian


def compressed(dataset: pydicom.Dataset) -> None:
    dataset.compress(RLELossless, generate_instance_uid=False)


def with_overlay_bits(dataset: pydicom.Dataset) -> None:
    dataset.BitsStored, dataset.HighBit = 8, 7


@pytest.mark.parametrize("change", [deflated, compressed, with_overlay_bits])
def test_what_is_not_plain_is_left_to_the_decoder(
    change: Callable[[pydicom.Dataset], None], make_series: Make
) -> None:
    folder = make_series(PLACES)
    for file in folder.iterdir():
        dataset = pydicom.dcmread(file)
        change(dataset)
        dataset.save_as(file)
    assert both(folder)[0] is None


def test_frames_are_read_from_their_places(make_series: Make) -> None:
    file = next(make_series(PLACES[:1]).iterdir())
    dataset = pydicom.dcmread(file)
    dataset.NumberOfFrames, dataset.PixelData = 4, np.arange(120, dtype="<u2").tobytes()
    dataset.save_as(file)
    raw = read_raw_planes(read_headers(file).planes[::-1])
    assert raw is not None
    assert raw[:, 0, 0].tolist() == [90 - 1024, 60 - 1024, 30 - 1024, -1024]
