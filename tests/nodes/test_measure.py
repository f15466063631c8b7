"""Measuring files: the table on the screen, the CSV, the JSON."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import volumes
from napari_sam.cli.main import main
from napari_sam.nodes.measure import measure_labels
from napari_sam.nodes.measurement_table import MEASURE_COLUMNS, measurements_csv, measurements_json
from volumes import Code, Geometry, Provenance, Segment, Volume


@pytest.fixture
def labels(truth: NDArray[np.uint16], volume: Volume, tmp_path: Path) -> Path:
    path = tmp_path / "labels.seg.nrrd"
    volumes.write(path, truth, like=volume, segments=[Segment(1, "=1+1"), Segment(2, "Milz, größer")])
    return path


def test_the_tables_hold_what_was_measured(
    image: Path,
    labels: Path,
    truth: NDArray[np.uint16],
    volume: Volume,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table, record = tmp_path / "o.csv", tmp_path / "o.json"
    assert main(["measure", str(image), str(labels), "--csv", str(table), "--json", str(record)]) == 0
    shown = capsys.readouterr().out
    assert "2 Milz, größer" in shown
    assert "longest mm" in shown
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == MEASURE_COLUMNS
    assert [(row["id"], row["name"]) for row in rows] == [("1", "'=1+1"), ("2", "Milz, größer")]
    for row in rows:
        own = truth == int(row["id"])
        assert int(row["voxels"]) == own.sum()
        assert float(row["volume_ml"]) == pytest.approx(own.sum() * 1.5 / 1000, abs=1e-6)
        assert float(row["intensity_mean"]) == pytest.approx(np.asarray(volume.data)[own].mean(), abs=1e-5)
        x, y, z = (float(row[f"centroid_{one}_lps_mm"]) for one in "xyz")
        assert (z, y, x) == pytest.approx(np.argwhere(own).mean(axis=0) * (2.0, 0.5, 1.5), abs=1e-5)
    content = json.loads(record.read_text(encoding="utf-8"))
    assert content["objects"][0]["name"] == "=1+1"
    areas = content["objects"][1]["areas_mm2"]
    assert sum(areas.values()) == pytest.approx((truth == 2).sum() * 0.75, abs=1e-3)
    assert [one["objects"] for one in content["classes"]] == [1, 1]


def test_ct_is_in_hu_and_coded_kinds_are_classes() -> None:
    labels = np.zeros((2, 6, 8), np.uint8)
    labels[0, 1:3, 1:3], labels[1, 1:3, 5:7], labels[1, 4:6, 1:3] = 1, 2, 3
    geometry = Geometry.from_spacing(labels.shape)
    image = Volume(np.full(labels.shape, -50, np.int16), geometry, Provenance("made", "CT"))
    lesion = Code("4147007", "SCT", "Mass")
    segments = {1: Segment(1, "first", kind=lesion), 2: Segment(2, "second", kind=lesion)}
    found = measure_labels(labels, image, segments=segments)
    assert found.unit == "HU"
    assert [(one.name, one.n_objects, one.voxels) for one in found.classes] == [
        ("Mass", 2, 8),
        ("object 3", 1, 4),
    ]
    row = next(csv.DictReader(measurements_csv(found).splitlines()))
    assert (row["intensity_mean"], row["intensity_sd"], row["intensity_unit"]) == ("-50", "0", "HU")


def test_colours_have_no_grey_values_and_no_objects_make_an_empty_table() -> None:
    geometry = Geometry.from_spacing((1, 5, 5))
    image = Volume(np.zeros((1, 5, 5, 3), np.uint8), geometry, Provenance("made"))
    labels = np.zeros((1, 5, 5), np.uint8)
    empty = measure_labels(labels, image)
    assert measurements_csv(empty).splitlines() == [",".join(MEASURE_COLUMNS)]
    labels[0, 1, 1] = 1
    found = measure_labels(labels, image, axis=1)
    row = next(csv.DictReader(measurements_csv(found).splitlines()))
    assert (row["intensity_mean"], row["intensity_unit"], row["voxels"]) == ("", "", "1")
    assert json.loads(measurements_json(found))["objects"][0]["intensity_mean"] is None


@pytest.mark.parametrize("name", ["=a", "+a", "-a", "@a", "\ta", "  =a"])
def test_a_name_is_never_a_formula(name: str) -> None:
    labels = np.ones((1, 2, 2), np.uint8)
    image = Volume(np.zeros((1, 2, 2)), Geometry.from_spacing((1, 2, 2)), Provenance("made"))
    found = measure_labels(labels, image, segments={1: Segment(1, name)})
    row = next(csv.DictReader(measurements_csv(found).splitlines()))
    assert row["name"] == row["class"] == f"'{name}"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--csv", "o.txt"], ".csv"),
        (["--json", "o.csv"], ".json"),
        (["--csv", "none/o.csv"], "no folder"),
        (["--axis", "5"], "--help"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: list[str], part: str, image: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["measure", str(image), str(labels), *arguments]) == 2
    error = capsys.readouterr().err
    assert part in error
    assert error.count("\n") == 1
