"""Every file of the zoos reads as it did: no reading changes in silence.

After a change that is meant, ``python -m docs.make_formats_table --data DIR`` writes the table anew; look at
its difference.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pydicom
import pytest
from scipy.ndimage import map_coordinates

import volumes
from benchmarks._zoo import COLUMNS, ZOOS, expectation, readings

EXPECTATIONS = Path(__file__).with_name("zoo_expectations.tsv")


@pytest.mark.parametrize("zoo", ZOOS)
def test_every_file_reads_as_expected(zoo: str, shared_data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with EXPECTATIONS.open(encoding="utf-8", newline="") as stream:
        lines = [tuple(line) for line in csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)]
    assert lines[0] == COLUMNS
    expected = [line for line in lines[1:] if line[0].startswith(zoo)]
    found = [expectation(reading) for reading in readings(shared_data, zoo)]
    assert found == expected
    assert capfd.readouterr() == ("", "")


def test_no_refusal_names_a_folder_of_the_machine_or_an_identifier() -> None:
    text = EXPECTATIONS.read_text(encoding="utf-8")
    assert "/tmp" not in text
    assert "/shared" not in text
    assert not re.search(r"1\.2\.840\.(?!10008)|1\.3\.6\.1\.", text)  # 10008: classes of objects, not objects


@pytest.mark.parametrize(
    ("folder", "key"),
    [("philips_tilt_minus18", "201"), ("philips_two_tilts_mixed", "201"), ("philips_two_tilts_mixed", "301")],
)
def test_straightened_planes_hold_what_the_headers_put_there(
    folder: str, key: str, shared_data: Path
) -> None:
    """By the files' own positions, of every seventh pixel: SciPy's interpolation finds the stored value."""
    tilted = volumes.read(shared_data / "dicom_zoo" / "series" / folder, series=key)
    straight = volumes.read(shared_data / "dicom_zoo" / "series" / folder, series=key, straighten=True)
    turned = straight.geometry.directions
    assert np.allclose(turned.T @ turned, np.eye(3), atol=1e-6)
    inverse = np.linalg.inv(straight.geometry.affine)
    for index, source in enumerate(tilted.provenance.sources):
        assert source is not None
        header = pydicom.dcmread(source.path)
        stored = header.pixel_array[::7, ::7] * float(header.RescaleSlope) + float(header.RescaleIntercept)
        row, column = np.mgrid[: header.Rows : 7, : header.Columns : 7][..., None]
        along_row, along_column = np.reshape(np.array(header.ImageOrientationPatient, dtype=float), (2, 3))
        row_mm, column_mm = map(float, header.PixelSpacing)
        there_mm = np.array(header.ImagePositionPatient, dtype=float)
        there_mm = there_mm + along_row * column * column_mm + along_column * row * row_mm
        there = there_mm @ inverse[:3, :3].T + inverse[:3, 3]
        assert np.abs(there[..., 0] - index).max() < 1e-3
        voxels, at = np.asarray(straight.data, dtype=float), np.moveaxis(there, -1, 0)
        found = map_coordinates(voxels, at, order=1, mode="nearest")
        assert np.abs(found - stored)[1:-1].mean() < 0.01 * stored.std()
