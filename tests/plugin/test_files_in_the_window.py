"""Real napari windows: lazy and oblique volumes, labels from files, the cursor, the choice of series."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("napari")
pytest.importorskip("qtpy", exc_type=ImportError)

import volumes
from napari_sam.core.naming import object_colour
from napari_sam.plugin._gestures import Tool
from napari_sam.plugin._label_layers import labels_of_file, read_labels_onto
from napari_sam.plugin._reader import layer_of_volume
from tests.plugin.test_window import Window
from volumes import Geometry, LabelVolume, LazyArray, Provenance, Segment, Volume

pytestmark = [pytest.mark.viewer, pytest.mark.filterwarnings("default")]

TURN = math.radians(25.0)


class Planes:
    """Hands out one plane at a time, and remembers which."""

    def __init__(self, whole: np.ndarray) -> None:
        self._whole = whole
        self.shape, self.dtype = whole.shape, whole.dtype
        self.planes: set[int] = set()

    def read_box(self, start: tuple[int, ...], stop: tuple[int, ...]) -> np.ndarray:
        assert stop[0] - start[0] == 1, "more than one plane was read at once"
        self.planes.add(start[0])
        return self._whole[tuple(slice(low, high) for low, high in zip(start, stop, strict=True))]

    def overview(self) -> np.ndarray:
        return self._whole[::4]


def placed(shape: tuple[int, int, int], kind: str) -> Geometry:
    """An oblique, sheared or mirrored place in a patient, voxels of 3 × 1 × 1 mm."""
    affine = np.array([[0, 0, 1, -20.0], [0, 1, 0, 30.0], [3, 0, 0, -400.0], [0, 0, 0, 1]])
    if kind == "mirrored":
        affine[:3, 1:3] *= -1
    elif kind == "sheared":
        affine[1, 0] = 0.9
    else:
        turn = np.array(
            [[1, 0, 0], [0, math.cos(TURN), -math.sin(TURN)], [0, math.sin(TURN), math.cos(TURN)]]
        )
        affine[:3, :3] = turn @ affine[:3, :3]
    return Geometry(shape, affine)


@pytest.fixture
def open_volume(make_napari_viewer_proxy, qtbot, monkeypatch, segmenter):
    """Open a window on a volume, in its fifth plane."""
    import napari_sam.plugin.widget as widget

    monkeypatch.setattr(widget, "load_model", lambda name, weights: segmenter)

    def opened(volume: Volume) -> Window:
        viewer = make_napari_viewer_proxy(show=True)
        data, arguments, _ = layer_of_volume(volume, "ball")
        viewer.add_image(data, **arguments)
        window = Window(viewer, qtbot)
        window.ready()
        viewer.dims.set_current_step(0, 4)
        window.settle()
        return window

    return opened


def hover(window: Window, row: float, column: float) -> str:
    """Move the mouse over a voxel of the shown plane, and read what the dock says of it."""
    for at in ((row + 5, column + 5), (row, column)):  # a mouse that is there already does not move
        window.qtbot.mouseMove(window.native, window.pixel_of(*at))
        window.qtbot.wait(30)
    return window.widget.status.under.text()


@pytest.mark.parametrize("kind", ["oblique", "sheared", "mirrored"])
def test_the_cursor_is_told_in_the_patients_millimetres(open_volume, make_ball_volume, kind):
    plain = make_ball_volume()
    geometry = placed(plain.shape, kind)
    window = open_volume(Volume(plain.data, geometry, Provenance("DICOM", "CT")))
    before = [
        (layer.name, tuple(layer.scale), layer.affine.affine_matrix.copy()) for layer in window.viewer.layers
    ]
    text = hover(window, 19, 24)
    x, y, z = geometry.index_to_mm((4, 19, 24))
    assert text == f"(4, 19, 24) · {x:.1f}, {y:.1f}, {z:.1f} mm LPS · 200 HU"
    assert hover(window, 2, 3).startswith("(4, 2, 3) · ")
    assert hover(window, 19, 24) == text
    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.until(lambda: window.session.labels.any())
    assert hover(window, 19, 24) == text  # with the labels on top
    assert window.session.volume.geometry is geometry
    for name, scale, affine in before:
        assert tuple(window.viewer.layers[name].scale) == scale == pytest.approx(geometry.spacing_mm)
        assert np.array_equal(window.viewer.layers[name].affine.affine_matrix, affine)
    labels, image = window.viewer.layers["ball labels"], window.viewer.layers["ball"]
    assert np.array_equal(labels.affine.affine_matrix, image.affine.affine_matrix)
    assert tuple(labels.scale) == tuple(image.scale)


def test_a_picture_has_no_place_in_a_patient(open_volume, make_ball_volume):
    window = open_volume(make_ball_volume())
    assert hover(window, 19, 24) == "(4, 19, 24) · 200"


def test_a_lazy_volume_is_shown_and_segmented_plane_by_plane(open_volume, make_ball_volume):
    plain = make_ball_volume()
    source = Planes(plain.data)
    window = open_volume(Volume(LazyArray(source), plain.geometry, Provenance("OME-Zarr")))
    assert isinstance(window.viewer.layers["ball"].data, LazyArray)
    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.until(lambda: window.session.labels.any())
    assert np.array_equal(window.session.labels[4] == 1, plain.data[4] == 200)
    assert hover(window, 19, 24).endswith(" · 200")
    assert window.session.volume.data is window.viewer.layers["ball"].data
    assert 8 not in source.planes


@pytest.fixture
def labels_of(monkeypatch):
    """Make every file of labels hold the ball's lower half as a liver and a speck, on the given grid."""

    def prepare(volume: Volume, belongs: bool = True) -> None:
        data = np.zeros(volume.shape, np.uint8)
        data[:4][np.asarray(volume.data)[:4] == 200], data[8, 0, 0] = 3, 5
        segments = (Segment(3, "liver", (200, 10, 20)), Segment(5))

        def read_labels(path, *, like=None, series=None):
            if like is not None and not belongs:
                raise volumes.ShapeMismatch("of another image")
            return LabelVolume(data, volume.geometry, segments)

        monkeypatch.setattr(volumes, "read_labels", read_labels, raising=False)

    return prepare


def test_labels_of_a_file_become_objects_that_are_kept(
    open_volume, make_ball_volume, labels_of, monkeypatch, tmp_path
):
    import napari_sam.plugin.widget as widget

    window = open_volume(make_ball_volume())
    labels_of(window.session.volume)
    monkeypatch.setattr(widget, "ask_labels", lambda parent: tmp_path / "older.seg.dcm")
    window.press(window.widget.object.load)
    window.until(lambda: len(window.session.objects) == 2)
    window.ready()
    assert [(one.name, one.locked) for one in window.session.objects.values()] == [
        ("liver", True),
        ("object 5", True),
    ]
    assert "Read 2 objects from older.seg.dcm" in window.widget.status.text.text()
    layer = window.viewer.layers["ball labels"]
    assert layer.data is window.session.labels
    liver, speck = layer.metadata["napari-sam-volumes"]["segments"]()
    assert (liver.name, liver.colour) == ("liver", (200, 10, 20))
    assert speck.value == 5
    window.press(window.widget.prompt.undo)
    assert not window.session.labels.any()


def test_a_file_of_labels_lies_on_the_image_that_is_open(open_volume, make_ball_volume, labels_of, tmp_path):
    window = open_volume(make_ball_volume())
    labels_of(window.session.volume)
    data, arguments, kind = labels_of_file(tmp_path / "liver.seg.dcm")
    layer = window.viewer.add_labels(data, **arguments)
    assert kind == "labels"
    assert layer.name == "liver.seg"
    assert tuple(layer.scale) == tuple(window.viewer.layers["ball"].scale)
    assert np.asarray(layer.colormap.map(3)).ravel()[:3] == pytest.approx(
        np.array((200, 10, 20)) / 255, abs=0.01
    )
    expected = np.array(object_colour(5)) / 255
    assert np.asarray(layer.colormap.map(5)).ravel()[:3] == pytest.approx(expected, abs=0.01)
    assert layer.metadata["napari-sam-volumes"]["volume"] is window.session.volume
    assert list(layer.features["name"]) == ["background", "liver", "object 5"]


def test_labels_of_another_image_lie_where_they_say(
    make_napari_viewer_proxy, make_ball_volume, labels_of, tmp_path
):
    viewer = make_napari_viewer_proxy()
    volume = make_ball_volume()
    data, arguments, _ = layer_of_volume(volume, "ball")
    viewer.add_image(data, **arguments)
    labels_of(volume, belongs=False)
    data, arguments, _ = labels_of_file(tmp_path / "a.seg.dcm")
    assert data.shape == volume.shape
    assert arguments["metadata"]["napari-sam-volumes"]["volume"].provenance.format == "labels"


def test_the_menu_reads_labels_onto_the_image(
    open_volume, make_ball_volume, labels_of, monkeypatch, tmp_path
):
    import napari_sam.plugin._dialogs as dialogs

    window = open_volume(make_ball_volume())
    labels_of(window.session.volume)
    monkeypatch.setattr(dialogs, "ask_labels", lambda parent: tmp_path / "a.nii.gz")
    read_labels_onto()
    assert np.count_nonzero(window.viewer.layers["a"].data == 3) > 0


def test_several_series_can_be_chosen(qtbot):
    from qtpy.QtCore import QItemSelectionModel

    from napari_sam.plugin._series_dialog import SeriesDialog

    found = tuple(
        volumes.SeriesInfo(key, "MR", description, (8, 320, 280))
        for key, description in (("3", "FLAIR"), ("4", "T2"), ("5", "T1"))
    )
    dialog = SeriesDialog(found)
    qtbot.addWidget(dialog)
    assert [one.key for one in dialog.chosen] == ["3"]
    shown = [dialog.table.item(1, column).text() for column in range(4)]
    assert shown == ["4", "MR", "T2", "8 × 320 × 280"]
    chosen = dialog.table.selectionModel()
    rows = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
    chosen.select(dialog.table.model().index(2, 0), rows)
    assert [one.key for one in dialog.chosen] == ["3", "5"]


def test_an_oblique_mr_is_written_back_where_it_lies(open_volume, shared_data: Path, tmp_path: Path):
    import SimpleITK

    folder = shared_data / "dicom_zoo" / "series" / "tcia_mr_three_series_mixed"
    volume = volumes.read(folder, series=volumes.list_series(folder)[0].key)
    window = open_volume(volume)
    at = (4, 150, 140)
    x, y, z = volume.geometry.index_to_mm(at)
    assert f"{x:.1f}, {y:.1f}, {z:.1f} mm LPS" in hover(window, *at[1:])
    window.session.paint(volumes.Box(at, (5, 151, 141)), np.zeros((1, 1, 1), int), np.ones((1, 1, 1), int))
    window.controller.label_files.save(tmp_path / "o.nrrd")
    window.until(lambda: not window.controller.label_files.doing)
    image = SimpleITK.ReadImage(str(tmp_path / "o.nrrd"))
    assert image.TransformPhysicalPointToIndex((x, y, z)) == at[::-1]
    assert SimpleITK.GetArrayFromImage(image)[at] == 1
