"""The plugin's reader, writer and sample, without a window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import volumes
from napari_sam.plugin._dialogs import ask_yes, choose_series
from napari_sam.plugin._images import LayerSource
from napari_sam.plugin._opening import layer_name
from napari_sam.plugin._reader import get_reader, read_layers
from napari_sam.plugin._sample_data import cells, film, mr_head, phantom
from napari_sam.plugin._writer import offered_suffixes, write_labels


def test_reader_passes_on_what_is_not_there(tmp_path):
    assert get_reader(str(tmp_path / "no.nii.gz")) is None
    assert get_reader([]) is None


def test_phantom_is_a_layer_in_millimetres():
    ((data, arguments, kind),) = phantom()
    volume = arguments["metadata"]["napari-sam-volumes"]["volume"]
    assert kind == "image"
    assert data is volume.data
    assert arguments["scale"] == pytest.approx(volume.geometry.spacing_mm)
    assert arguments["contrast_limits"] == (-160, 240)


@pytest.mark.parametrize(
    ("sample", "name", "scale"),
    [(mr_head, "MR head", (4, 1, 1)), (cells, "Cells", (0.001, 0.0004, 0.0004)), (film, "Film", (1, 1, 1))],
)
def test_samples_are_layers_with_plain_names(sample, name, scale):
    ((data, arguments, kind),) = sample()
    assert (kind, arguments["name"]) == ("image", name)
    assert arguments["scale"] == pytest.approx(scale)
    assert arguments.get("rgb", False) == (name == "Film") == (data.ndim == 4)


def test_written_labels_are_read_where_the_image_is(tmp_path, make_ball_volume):
    volume = make_ball_volume()
    labels = (volume.data > 100).astype(np.uint16)
    metadata = {"napari-sam-volumes": {"volume": volume}}
    (path,) = write_labels(str(tmp_path / "out.nii.gz"), labels, {"metadata": metadata})
    ((data, arguments, _),) = get_reader(path)(path)
    assert arguments["name"] == "out"
    assert np.array_equal(data, labels)
    assert arguments["metadata"]["napari-sam-volumes"]["volume"].geometry.is_close(volume.geometry)


def test_labels_of_other_layers_keep_their_spacing(tmp_path):
    labels = np.ones((3, 4, 5), np.int32)
    write_labels(str(tmp_path / "out.nrrd"), labels, {"scale": (2.0, 0.5, 0.25), "metadata": {}})
    assert volumes.read(tmp_path / "out.nrrd").geometry.spacing_mm == pytest.approx((2.0, 0.5, 0.25))


def test_flat_labels(tmp_path):
    write_labels(str(tmp_path / "out.tif"), np.eye(6, dtype=np.uint8), {"scale": (1.0, 1.0)})
    assert np.array_equal(volumes.read(tmp_path / "out.tif").data, np.eye(6)[None])


def test_labels_of_another_shape_are_refused(tmp_path, make_ball_volume):
    metadata = {"napari-sam-volumes": {"volume": make_ball_volume()}}
    with pytest.raises(volumes.ShapeMismatch):
        write_labels(str(tmp_path / "out.nii"), np.zeros((2, 2, 2), np.uint8), {"metadata": metadata})
    assert list(tmp_path.iterdir()) == []


def test_unreadable_file_is_one_of_our_errors(tmp_path):
    path = tmp_path / "text.nii.gz"
    path.write_text("no image")
    with pytest.raises(volumes.VolumeError, match=r"text\.nii\.gz"):
        get_reader(str(path))(str(path))


def test_real_ct_and_its_dicom(shared_data):
    path = shared_data / "eval" / "ct3d" / "ts_ct_abdomen.nii.gz"
    ((data, arguments, _),) = read_layers(str(path))
    assert data.shape == (112, 101, 122)
    assert arguments["scale"] == pytest.approx((3.0, 3.0, 3.0))
    assert np.diag(arguments["affine"]).tolist() == [1, -1, -1, 1]


def test_person_chooses_some_of_several_series(shared_data, monkeypatch):
    import napari_sam.plugin._opening as opening

    folder = shared_data / "dicom_zoo" / "series" / "tcia_mr_three_series_mixed"
    monkeypatch.setattr(opening, "choose_series", lambda series: None)
    with pytest.raises(volumes.MixedSeries):
        read_layers(folder)
    monkeypatch.setattr(opening, "choose_series", lambda series: ())
    components = pytest.importorskip("napari.components")
    pytest.importorskip("npe2").PluginManager.instance().discover()  # as napari does when it starts
    assert components.ViewerModel().open(folder, plugin="napari-sam-volumes") == []
    listed = []
    monkeypatch.setattr(opening, "choose_series", lambda series: listed.extend(series) or series[1:])
    first, second = read_layers(folder)
    assert len(listed) == 3
    for layer, chosen in zip((first, second), listed[1:], strict=True):
        assert layer[0].shape == chosen.shape
        assert layer[1]["name"] == f"tcia_mr_three_series_mixed {chosen.description}"


class Refusing:
    """A reader that reads only with what a question may allow."""

    def __init__(self, error, name):
        self.error, self.name, self.asked = error, name, []

    def __call__(self, place, **how):
        self.asked.append(how)
        if not how[self.name]:
            raise self.error("planes 3 and 4 are 5 mm apart")
        return volumes.Volume(
            np.zeros((2, 3, 4), np.int16), volumes.Geometry.from_spacing((2, 3, 4)), volumes.Provenance("t")
        )


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (volumes.MissingSlices, "allow_gaps"),
        (volumes.UnevenSpacing, "allow_gaps"),
        (volumes.TiltedGantry, "straighten"),
    ],
)
def test_gaps_and_tilts_are_taken_only_if_a_person_says_so(error, name, tmp_path, monkeypatch):
    import napari_sam.plugin._opening as opening

    refusing, questions = Refusing(error, name), []
    monkeypatch.setattr(volumes, "read", refusing)
    monkeypatch.setattr(opening, "ask_yes", lambda title, question: questions.append(question) or False)
    with pytest.raises(error):
        read_layers(tmp_path)
    monkeypatch.setattr(opening, "ask_yes", lambda title, question: True)
    ((data, _, _),) = read_layers(tmp_path)
    assert data.shape == (2, 3, 4)
    assert "planes 3 and 4 are 5 mm apart" in questions[0]
    assert refusing.asked[-1][name]


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (Path("a/b.nii.gz"), "b"),
        (Path("a/b.c.mha"), "b.c"),
        (Path("a/case 1"), "case 1"),
        (Path("a/b.ome.zarr"), "b.ome.zarr"),
        ("https://user:secret@host/data/c.zarr?key=1", "c.zarr"),
    ],
)
def test_layers_are_named_after_their_files(place, name):
    assert layer_name(place) == name


def test_an_address_is_opened_as_it_is(monkeypatch):
    asked = []

    def read(place, **_):
        asked.append(place)
        raise volumes.UnknownFormat("no")

    monkeypatch.setattr(volumes, "read", read)
    url = "https://host/a.zarr"
    with pytest.raises(volumes.UnknownFormat):
        get_reader(url)(url)
    assert asked == [url]


def test_labels_are_written_with_what_they_mean(tmp_path, make_ball_volume, monkeypatch):
    written = []
    monkeypatch.setattr(volumes, "write", lambda path, labels, *, like, segments: written.append(segments))
    volume, liver = make_ball_volume(), (volumes.Segment(1, "liver"),)
    for segments in (liver, lambda: liver):
        own = {"napari-sam-volumes": {"volume": volume, "segments": segments}}
        write_labels(str(tmp_path / "o.nrrd"), np.zeros(volume.shape, np.uint8), {"metadata": own})
    write_labels(str(tmp_path / "o.nrrd"), np.zeros((2, 3, 4), np.uint8), {"metadata": {}})
    assert written == [liver, liver, ()]


def test_dicom_is_offered_for_images_that_are_dicom(monkeypatch, make_ball_volume):
    monkeypatch.setattr(volumes, "label_suffixes", lambda: (".nrrd", ".nii.gz", ".dcm", ".seg.dcm"))
    volume = make_ball_volume()
    assert offered_suffixes(volume) == (".nii.gz", ".nrrd")
    sources = (volumes.PlaneSource(Path("a.dcm")),) * volume.shape[0]
    dicom = replace(volume, provenance=replace(volume.provenance, sources=sources))
    assert offered_suffixes(dicom) == (".nii.gz", ".seg.dcm", ".nrrd", ".dcm")


class TestLayersThatAreNotInMemory:
    def test_they_are_read_where_they_are_looked_at(self):
        dask = pytest.importorskip("dask.array")
        whole = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
        array = volumes.LazyArray(LayerSource([dask.from_array(whole, chunks=(1, 5, 6))]))
        assert np.array_equal(array[2], whole[2])
        assert np.array_equal(array, whole)
        assert array.overview().shape[1:] == (5, 6)

    def test_pictures_and_colours_become_planes(self):
        flat = LayerSource([np.arange(30).reshape(5, 6)])
        assert flat.shape == (1, 5, 6)
        assert volumes.LazyArray(flat)[0, 2].tolist() == list(range(12, 18))
        colour = volumes.LazyArray(LayerSource([np.arange(2 * 3 * 4 * 4).reshape(2, 3, 4, 4)], is_rgb=True))
        assert colour.shape == (2, 3, 4, 3)
        assert colour[1, 0, 0].tolist() == [48, 49, 50]
        assert colour.overview().shape == (2, 3, 4, 3)

    def test_the_coarsest_of_several_levels_stands_for_all(self):
        levels = [np.ones((8, 8, 8)), np.full((4, 4, 4), 2.0)]
        assert np.array_equal(LayerSource(levels).overview(), levels[1])


def test_without_a_window_nobody_is_asked(monkeypatch):
    qt = pytest.importorskip("qtpy.QtWidgets", exc_type=ImportError)
    monkeypatch.setattr(qt.QApplication, "instance", staticmethod(lambda: None))
    assert choose_series((volumes.SeriesInfo("1", "CT", "", (1, 2, 3)),)) is None
    assert not ask_yes("Missing planes", "Open it all the same?")
