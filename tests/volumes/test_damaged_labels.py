"""Damaged label files give labels or a VolumeError of one line: no warning, no other error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.dicom_phantoms import SECRETS, SEGMENTS, phantom_geometry, phantom_labels, write_phantom
from volumes import Volume, VolumeError, read_labels, write
from volumes._dicom.segmentation_in import read_segmentation
from volumes._dicom.structure_set_in import read_structure_set

N_DAMAGES = 120
AXIAL = np.array([(0.0, 0, 1), (0, 1, 0), (1, 0, 0)])


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Change some bytes, cut some out, or put some in."""
    result = bytearray(content)
    kind, at = rng.integers(3), int(rng.integers(140, len(content)))
    if kind == 0:
        for place in rng.integers(140, len(content), rng.integers(1, 6)):
            result[place] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        del result[at : at + int(rng.integers(1, 40))]
    else:
        result[at:at] = rng.bytes(int(rng.integers(1, 9)))
    return bytes(result)


@pytest.mark.parametrize("name", ["a.seg.dcm", "a.labelmap.dcm", "a.rtstruct.dcm", "a.json"])
def test_damage_is_a_volume_error(name: str, tmp_path: Path) -> None:
    image = write_phantom(tmp_path / "series", phantom_geometry(AXIAL))
    write(tmp_path / name, phantom_labels(image.shape), like=image, segments=SEGMENTS)
    content, rng = (tmp_path / name).read_bytes(), np.random.default_rng(8)
    path, refusals = tmp_path / "damaged", []
    for _ in range(N_DAMAGES):
        path.write_bytes(damaged(content, rng))
        try:
            read_as(name, path, image)
        except VolumeError as error:
            refusals.append(str(error))
    assert len(refusals) > N_DAMAGES // 10
    assert not any(secret in text for text in refusals for secret in ("\n", *SECRETS))


def read_as(name: str, path: Path, image: Volume) -> None:
    """Read as what it was before the damage, which may have made something else of it."""
    if "rtstruct" in name:
        read_structure_set(path, image)
    elif name.endswith(".dcm"):
        read_segmentation(path, image)
    else:
        read_labels(path, like=image)
