"""Measurements in the window: those of the current object, kept up to date, and a table of all."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from napari_sam.nodes.amounts import PIXELS
from napari_sam.plugin._gestures import Tool
from volumes import Geometry, Provenance, Volume


def _run(desk):
    desk.background.run()
    desk.files.run()


def _lines(desk):
    return dict(desk.state.measure.lines)


def test_nothing_is_measured_until_somebody_looks(desk):
    desk.open()
    desk.click()
    _run(desk)
    assert desk.state.measure.lines == ()
    assert desk.files.ran == []
    desk.controller.measure.want(True)
    _run(desk)
    n = np.count_nonzero(desk.controller.session.labels)
    assert _lines(desk)["Voxels"] == str(n)
    assert _lines(desk)["Largest area"] == f"{n:.4g} mm² in plane 4"
    assert _lines(desk)["Mean ± SD"] == "200 ± 0"


def test_measures_follow_propagation_and_undo(desk):
    desk.open()
    desk.click()
    _run(desk)
    desk.controller.measure.want(True)
    desk.controller.strip.propagate()
    _run(desk)
    labels = desk.controller.session.labels
    assert _lines(desk)["Volume"] == f"{np.count_nonzero(labels) * 3 / 1000:.4g} ml"
    desk.controller.objects.undo()
    _run(desk)
    assert "Volume" not in _lines(desk)
    desk.controller.objects.undo()
    _run(desk)
    assert _lines(desk) == {}


def test_cells_are_measured_in_micrometres(desk, make_ball_volume):
    ball = make_ball_volume()
    geometry = Geometry.from_spacing(ball.shape, (1e-3, 5e-4, 5e-4))
    desk.open(Volume(ball.data, geometry, ball.provenance))
    desk.click()
    _run(desk)
    desk.controller.measure.want(True)
    desk.controller.strip.propagate()
    _run(desk)
    n = np.count_nonzero(desk.controller.session.labels)
    area = np.count_nonzero(desk.controller.session.labels[4]) / 4
    assert _lines(desk)["Volume"] == desk.state.objects[0].size == f"{n / 4:.4g} µm³"
    assert _lines(desk)["Largest area"] == f"{area:.4g} µm² in plane 4"
    assert _lines(desk)["Longest in 3-D"].endswith(" µm")
    assert 1 < float(_lines(desk)["Longest in 3-D"].split()[0]) < 20


def test_a_picture_without_a_size_is_measured_in_pixels(desk, make_ball_volume):
    ball = make_ball_volume((1, 40, 50))
    desk.open(Volume(ball.data, Geometry.from_spacing(ball.shape, (1.0, 1.0, 1.0)), Provenance("PNG")))
    desk.click()
    _run(desk)
    desk.controller.measure.want(True)
    _run(desk)
    n = np.count_nonzero(desk.controller.session.labels)
    assert _lines(desk)["Largest area"] == f"{n} px² in plane 0"
    assert desk.state.objects[0].size == f"{n} px²"
    assert _lines(desk)["Centre (x, y, z)"].endswith(" px")
    assert "Surface" not in _lines(desk), "a plane has none"
    assert desk.state.clean.units is PIXELS


def test_where_the_table_has_other_units_than_the_window_it_is_said(desk, tmp_path, make_ball_volume):
    ball = make_ball_volume((9, 40, 50))
    for spacing_mm, name, told in (
        ((1e-3, 4e-4, 4e-4), "TIFF", "Its columns are in mm and ml, as their names say."),
        ((1.0, 1.0, 1.0), "PNG", "Its columns take a pixel for 1 mm."),
    ):
        desk.open(Volume(ball.data, Geometry.from_spacing(ball.shape, spacing_mm), Provenance(name)), name)
        desk.click()
        _run(desk)
        desk.controller.measure.save(tmp_path / "cells.csv")
        _run(desk)
        assert desk.state.status == f"Saved cells.csv. {told}"


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_a_table_of_all_objects(desk, tmp_path, suffix):
    desk.open()
    desk.click()
    _run(desk)
    desk.controller.table.rename(1, "=ball")
    path = tmp_path / f"table{suffix}"
    desk.controller.measure.save(path)
    assert not desk.state.measure.can_save
    _run(desk)
    assert desk.state.status == f"Saved {path.name}."
    n = np.count_nonzero(desk.controller.session.labels)
    if suffix == ".csv":
        (row,) = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
        assert (row["name"], row["voxels"]) == ("'=ball", str(n))
    else:
        assert "=ball" in path.read_text(encoding="utf-8")


def test_a_place_that_cannot_be_written_is_one_line(desk, tmp_path):
    desk.open()
    desk.click()
    _run(desk)
    desk.controller.measure.save(tmp_path / "missing" / "table.csv")
    _run(desk)
    assert desk.state.warning
    assert desk.state.measure.can_save


@pytest.mark.viewer
@pytest.mark.filterwarnings("default")
def test_measurements_in_a_window(window):
    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.ready()
    panel = window.widget.measure
    panel.fold(False)
    window.until(lambda: panel.lines.rowCount() > 0)
    assert "Voxels\t380" in panel.text
    window.press(window.widget.prompt.undo)
    window.until(lambda: panel.lines.rowCount() == 0)


@pytest.mark.viewer
@pytest.mark.filterwarnings("default")
def test_the_menu_measures_any_labels_of_an_open_image(window, monkeypatch, tmp_path):
    from napari_sam.plugin import _commands, _dialogs

    path = tmp_path / "table.csv"
    monkeypatch.setattr(_dialogs, "ask_table", lambda parent: path)
    monkeypatch.setattr(_commands, "_viewer", lambda: window.viewer)
    drawn = np.zeros((9, 40, 50), np.uint8)
    drawn[4, 10:20, 10:20] = 7
    window.viewer.add_labels(drawn, name="mine", scale=(3, 1, 1))
    _commands.measure_layer()
    window.until(path.exists)
    (row,) = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    assert (row["id"], row["voxels"], row["volume_ml"]) == ("7", "100", "0.3")
