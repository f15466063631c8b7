"""Colours of frames that are not compressed: palettes, luminance and chrominance, planes of colour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from tests.volumes.dicom_made import image, ramp, saved
from volumes import read


def palette(is_segmented: bool, n_bits: int) -> dict[str, Any]:
    tags: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for number, name in enumerate(("Red", "Green", "Blue")):
        entries = np.linspace(0, 60 * (number + 1), 16).astype(np.uint16) * (257 if n_bits == 16 else 1)
        if is_segmented:  # one discrete entry, then a line to the last
            entries = np.array([0, 1, entries[0], 1, 15, entries[-1]], np.uint16)
        tags[f"{name}PaletteColorLookupTableDescriptor"] = [16, 0, 16]
        key = f"Segmented{name}" if is_segmented else name
        tags[f"{key}PaletteColorLookupTableData"] = entries.tobytes()
    return tags


@pytest.mark.parametrize("is_segmented", [False, True])
def test_palettes(is_segmented: bool, tmp_path: Path) -> None:
    indices = (ramp(4, 4) % 16).astype(np.uint8)
    found = read(saved(image(indices, **palette(is_segmented, 16)), tmp_path)).data[0]
    assert found.dtype == np.uint8
    for number in range(3):
        expected = np.linspace(0, 60 * (number + 1), 16)[indices]
        assert np.abs(found[..., number] - expected).max() <= 1


def test_palettes_of_deep_pixels_and_of_shallow_entries(tmp_path: Path) -> None:
    deep = read(saved(image((ramp(4, 4) % 16).astype(np.uint16), **palette(False, 16)), tmp_path)).data
    assert deep.dtype == np.uint16
    assert deep.max() == 180 * 257
    shallow = read(saved(image((ramp(4, 4) % 16).astype(np.uint8), **palette(False, 8)), tmp_path)).data
    assert shallow.max() == 180


@pytest.mark.parametrize("photometric", ["YBR_FULL", "YBR_FULL_422"])
def test_uncompressed_luminance_and_chrominance(photometric: str, tmp_path: Path) -> None:
    dataset = image(np.zeros((2, 4, 3), np.uint8), PhotometricInterpretation=photometric)
    ybr = [(200, 90, 160)] * 8
    half = [200, 200, 90, 160] * 4
    dataset.PixelData = bytes(half) if photometric.endswith("422") else bytes(np.array(ybr, np.uint8))
    found = read(saved(dataset, tmp_path)).data[0]
    expected = (200 + 1.402 * 32, 200 - 0.344136 * -38 - 0.714136 * 32, 200 + 1.772 * -38)
    assert np.abs(found - np.array(expected)).max() < 1.0
    assert np.array_equal(found[None], pydicom.dcmread(tmp_path / "image.dcm").pixel_array[None])


def test_colour_planes_one_behind_the_other(tmp_path: Path) -> None:
    pixels = ramp(2, 4, 5, 3, dtype=np.uint8)
    dataset = image(pixels, PlanarConfiguration=1, PixelData=np.moveaxis(pixels, -1, 1).tobytes())
    assert np.array_equal(read(saved(dataset, tmp_path)).data, pixels)
