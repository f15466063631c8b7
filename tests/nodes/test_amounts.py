"""Sizes of cells are not lost in units for organs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_sam.cli.main import main
from napari_sam.nodes.amounts import MICRO, MILLI, PIXELS, size_of, units_for, units_of
from napari_sam.nodes.measure import measure_labels
from napari_sam.nodes.measurement_table import measurements_csv, measurements_json
from napari_sam.nodes.samples import write_sample
from volumes import Geometry, Provenance, Volume

CELL_MM = (1e-3, 4e-4, 4e-4)


@pytest.mark.parametrize(
    ("spacing_mm", "units"),
    [((3.0, 1.5, 1.5), MILLI), ((0.04, 0.02, 0.02), MILLI), (CELL_MM, MICRO), ((1e-4, 1e-4, 1e-4), MICRO)],
)
def test_a_microscope_counts_in_micrometres(spacing_mm: tuple[float, float, float], units: object) -> None:
    assert units_for(float(np.prod(spacing_mm))) is units


@pytest.mark.parametrize(
    ("spacing_mm", "file_format", "units"),
    [
        ((1.0, 1.0, 1.0), "PNG", PIXELS),
        ((1.0, 1.0, 1.0), "napari layer", PIXELS),
        ((1.0, 0.5, 0.5), "napari layer", MILLI),
        ((1.0, 1.0, 1.0), "NIfTI", MILLI),
        (CELL_MM, "TIFF", MICRO),
    ],
)
def test_a_picture_that_does_not_say_its_size_counts_in_pixels(
    spacing_mm: tuple[float, float, float], file_format: str, units: object
) -> None:
    shape = (1, 4, 5)
    geometry = Geometry.from_spacing(shape, spacing_mm)
    assert units_of(Volume(np.zeros(shape, np.uint8), geometry, Provenance(file_format))) is units


def test_the_command_line_tells_pictures_in_pixels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = np.zeros((20, 30), np.uint8)
    picture[4:14, 5:25] = 1
    Image.fromarray(picture * 200).save(tmp_path / "picture.png")
    Image.fromarray(picture).save(tmp_path / "labels.png")
    assert main(["measure", str(tmp_path / "picture.png"), str(tmp_path / "labels.png")]) == 0
    heads, _, first, *_ = capsys.readouterr().out.splitlines()
    assert heads.split()[2:7] == ["px³", "longest", "px", "in", "plane"]
    assert float(first.split()[-6]) == 200


@pytest.mark.parametrize(
    ("shape", "spacing_mm", "file_format", "size"),
    [
        ((1, 40, 50), (1.0, 1.0, 1.0), "PNG", "1200 px²"),
        ((4, 40, 50), (1.0, 1.0, 1.0), "AVI", "1200 px³"),
        ((1, 40, 50), (5.0, 0.5, 0.5), "DICOM", "300 mm²"),
        ((9, 40, 50), (5.0, 0.5, 0.5), "NIfTI", "1.5 ml"),
        ((9, 40, 50), CELL_MM, "TIFF", "192 µm³"),
    ],
)
def test_sizes_are_told_as_people_read_them(
    shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], file_format: str, size: str
) -> None:
    volume = Volume(
        np.zeros(shape, np.uint8), Geometry.from_spacing(shape, spacing_mm), Provenance(file_format)
    )
    assert size_of(volume, 1200) == size
    assert size_of(volume, 0) == ""


def test_units_say_the_same_size() -> None:
    assert PIXELS.per_ml * 1e-3 == PIXELS.per_mm3 == 1
    assert MICRO.per_ml * 1e-3 == pytest.approx(MICRO.per_mm**3)
    assert MICRO.per_mm2 == pytest.approx(MICRO.per_mm**2)


@pytest.mark.parametrize(("spacing_mm", "ml"), [(CELL_MM, 1.6e-10), ((3.0, 1.5, 1.5), 6.75)])
def test_tables_keep_small_sizes(spacing_mm: tuple[float, float, float], ml: float) -> None:
    labels = np.zeros((14, 20, 20), np.uint8)
    labels[2:12, 5:15, 5:15] = 1
    image = Volume(
        labels.astype(np.int16), Geometry.from_spacing(labels.shape, spacing_mm), Provenance("made")
    )
    found = measure_labels(labels, image)
    (row,) = csv.DictReader(io.StringIO(measurements_csv(found)))
    told = json.loads(measurements_json(found))
    assert float(row["volume_ml"]) == pytest.approx(ml)
    assert float(row["largest_area_mm2"]) == pytest.approx(100 * spacing_mm[1] * spacing_mm[2])
    assert told["objects"][0]["volume_ml"] == pytest.approx(ml)
    assert told["objects"][0]["areas_mm2"]["2"] == pytest.approx(100 * spacing_mm[1] * spacing_mm[2])
    assert told["classes"][0]["volume_ml"] == pytest.approx(ml)
    assert told["units"] == {"length": "mm", "area": "mm2", "volume": "ml", "pixel_is_1_mm": False}


def test_the_command_line_tells_cells_in_micrometres(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = write_sample(tmp_path, "cells")
    table = tmp_path / "cells.csv"
    assert main(["measure", str(done.image), str(done.truth), "--csv", str(table)]) == 0
    heads, _, first, *others = capsys.readouterr().out.splitlines()
    assert "units: Its columns are in mm and ml, as their names say." in others
    assert heads.split()[2:7] == ["µm³", "longest", "µm", "in", "plane"]
    voxels, volume = first.split()[3:5]
    assert float(volume) == pytest.approx(int(voxels) * 0.16, abs=1e-3)
