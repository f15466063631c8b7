"""Files that DCMTK compresses, where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.volumes.dicom_made import image, saved
from tests.volumes.dicom_streams import SMOOTH, TEXTURE
from volumes import read

DCMTK = {
    "JPEG lossless, first predictor": ("dcmcjpeg", "+e1"),
    "JPEG lossless, predictor 5": ("dcmcjpeg", "+el", "+sv", "5"),
    "JPEG-LS": ("dcmcjpls",),
    "run lengths": ("dcmcrle",),
}
KINDS: dict[str, tuple[NDArray[Any], dict[str, Any]]] = {
    "8 bits": (SMOOTH, {}),
    "16 bits": (TEXTURE[0].view(np.uint16), {}),
    "16 bits signed": (TEXTURE[0], {}),
    "12 bits": (np.abs(TEXTURE[0]).view(np.uint16), {"BitsStored": 12, "HighBit": 11}),
    "12 bits signed": (TEXTURE[0], {"BitsStored": 12, "HighBit": 11}),
    "colours": (np.stack([SMOOTH, 255 - SMOOTH, SMOOTH // 2], axis=-1), {}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("codec", DCMTK)
def test_what_dcmtk_writes_comes_back(codec: str, kind: str, tmp_path: Path) -> None:
    program = shutil.which(DCMTK[codec][0])
    if program is None:
        pytest.skip("DCMTK is not installed")
    pixels, tags = KINDS[kind]
    plain = saved(
        image(pixels, StudyInstanceUID="1.2.9", RescaleSlope=1, RescaleIntercept=-7, **tags), tmp_path
    )
    path = tmp_path / "compressed.dcm"
    subprocess.run([program, *DCMTK[codec][1:], plain, path], check=True, capture_output=True)
    assert path.stat().st_size != plain.stat().st_size
    assert np.array_equal(read(path).data, read(plain).data)
    assert np.array_equal(read(plain).data[0], pixels.astype(int) - (7 if kind != "colours" else 0))


def test_what_dcmtk_writes_with_losses_is_near(tmp_path: Path) -> None:
    program = shutil.which("dcmcjpeg")
    if program is None:
        pytest.skip("DCMTK is not installed")
    deep = SMOOTH.astype(np.uint16) * 16
    for pixels, options, tags in (
        (deep, ("+ee", "+q", "98"), {"BitsStored": 12, "HighBit": 11}),  # 12 bits
        (SMOOTH, ("+eb", "+q", "98"), {}),
        (KINDS["colours"][0], ("+eb", "+q", "98"), {}),
    ):
        plain = saved(image(pixels, StudyInstanceUID="1.2.9", **tags), tmp_path)
        path = tmp_path / "compressed.dcm"
        subprocess.run([program, *options, plain, path], check=True, capture_output=True)
        near = np.abs(read(path).data[0].astype(int) - pixels.astype(int))
        assert near.mean() < (40 if pixels is deep else 5)
        assert read(path).data.dtype == pixels.dtype
