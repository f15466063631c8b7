"""The two other cuts: which way up, in which colours, and how viewer and cuts follow one another."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.core.planes import PlaneRef
from napari_sam.core.window import Window
from napari_sam.plugin._cuts import Cut, cut_of, draw_cut
from volumes import Geometry

SHAPE, SCALE_MM = (4, 6, 8), (3.0, 1.0, 0.5)


def geometry(*signs: float) -> Geometry:
    """Planes to the head, rows to the back, columns to the left, each the other way round for -1."""
    affine = np.eye(4)
    affine[:3, :3] = np.diag(SCALE_MM)[:, ::-1] * np.array(signs)
    return Geometry(SHAPE, affine)


@pytest.mark.parametrize("signs", list(itertools.product((1.0, -1.0), repeat=3)))
def test_a_patient_stands_upright_in_every_cut(signs):
    placed = geometry(*signs)
    to_back, to_left, to_head = (np.array(one) for one in ((0, 1, 0), (1, 0, 0), (0, 0, 1)))
    for axis, (down, right) in enumerate(((to_back, to_left), (-to_head, to_left), (-to_head, to_back))):
        cut = cut_of(PlaneRef(axis, 1), SHAPE, SCALE_MM, placed)
        corner, below, beside = (
            np.array(placed.index_to_mm(cut.voxel_at(part))) for part in ((0, 0), (1, 0), (0, 1))
        )
        assert (below - corner) @ down > 0
        assert (beside - corner) @ right > 0


def test_what_is_no_patient_is_not_turned():
    cut = cut_of(PlaneRef(1, 2), SHAPE, SCALE_MM, None)
    assert cut == Cut(PlaneRef(1, 2), (False, False), (4, 8), (12.0, 4.0))


@given(st.sampled_from([(False, False), (True, False), (True, True)]), st.integers(0, 5), st.integers(0, 7))
def test_a_voxel_is_found_where_it_is_drawn(flips, row, col):
    cut = Cut(PlaneRef(0, 3), flips, (6, 8), (6.0, 8.0))
    at = (3.0, float(row), float(col))
    assert cut.voxel_at(cut.part_of(at)) == at
    image = np.zeros(SHAPE, np.int16)
    image[3, row, col] = 100
    drawn = draw_cut(cut, image, None, Window(0, 100), lambda _: None)
    part = cut.part_of(at)
    assert drawn[int(part[0] * 6), int(part[1] * 8)].tolist() == [255, 255, 255]
    assert np.count_nonzero(drawn) == 3


def test_outside_the_picture_is_its_edge():
    cut = Cut(PlaneRef(2, 1), (False, True), (4, 6), (4.0, 6.0))
    assert cut.voxel_at((-0.2, -3.0)) == (0.0, 5.0, 1.0)
    assert cut.voxel_at((1.0, 1.0)) == (3.0, 0.0, 1.0)


def test_objects_lie_on_grey_and_on_colour_as_their_colours_say():
    labels = np.zeros(SHAPE, np.uint16)
    labels[1, 2, :3] = (1, 2, 3)
    colours = {1: (1.0, 0.0, 0.0, 1.0), 2: (0.0, 1.0, 0.0, 0.0)}
    cut = cut_of(PlaneRef(0, 1), SHAPE, SCALE_MM, None)
    grey = draw_cut(cut, np.full(SHAPE, 50, np.int16), labels, Window(0, 100), colours.get)
    colour = draw_cut(cut, np.full((*SHAPE, 3), 128, np.uint8), labels, Window(0, 255), colours.get)
    for drawn, beside in ((grey, grey[0, 0, 0]), (colour, 128)):
        assert drawn.shape == (6, 8, 3)
        assert drawn[2, 0].tolist() == [int(0.5 * beside + 127.5), beside // 2, beside // 2]
        assert drawn[2, 1].tolist() == drawn[2, 2].tolist() == [beside] * 3


@pytest.mark.viewer
@pytest.mark.filterwarnings("default")
def test_cuts_follow_the_mouse_and_the_viewer_follows_them(window):
    from qtpy.QtCore import QPoint, Qt

    panel, image = window.widget.cuts, window.viewer.layers["ball"]
    window.click(19, 24)
    window.ready()
    assert panel.is_folded
    assert panel.pictures[0].cut is None
    window.press(panel.header)
    window.until(lambda: panel.pictures[0].cut is not None)
    window.qtbot.mouseMove(window.native, window.pixel_of(12, 33))
    window.until(lambda: [one.cut.plane for one in panel.pictures] == [PlaneRef(1, 12), PlaneRef(2, 33)])
    assert panel.pictures[0].cut.size_mm == (27.0, 50.0)
    picture = panel.pictures[0]
    frame = picture.frame
    at = QPoint(round(frame.left() + frame.width() * 0.41), round(frame.top() + frame.height() * 0.73))
    window.qtbot.mouseClick(picture, Qt.MouseButton.LeftButton, pos=at)
    window.until(lambda: window.controller.plane == PlaneRef(0, 6))
    window.until(lambda: panel.pictures[1].cut.plane == PlaneRef(2, 20))
    assert panel.pictures[0].cut.plane == PlaneRef(1, 12)
    grabbed = picture.grab().toImage()
    assert grabbed.pixelColor(picture.width() // 2, picture.height() // 2).isValid()
    window.viewer.dims.ndisplay = 3
    window.until(lambda: "2-D view" in panel.note.text())
    window.viewer.dims.ndisplay = 2
    window.until(lambda: not panel.note.isVisible())
    window.viewer.layers.remove(image)
    window.until(lambda: panel.note.text() == "Open a volume first.")
