"""The plugin's reader, writer and sample, without a window."""

from __future__ import annotations

import numpy as np
import pytest

import volumes
from napari_sam.plugin._dialogs import describe_series
from napari_sam.plugin._reader import get_reader, read_layers
from napari_sam.plugin._sample_data import phantom
from napari_sam.plugin._writer import write_labels


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


def test_series_are_described_by_what_tells_them_apart():
    series = volumes.SeriesInfo("4", "CT", "", (60, 512, 512))
    assert describe_series(2, series) == "2. CT · no description · 60 × 512 × 512"


def test_real_ct_and_its_dicom(shared_data):
    path = shared_data / "eval" / "ct3d" / "ts_ct_abdomen.nii.gz"
    ((data, arguments, _),) = read_layers(str(path))
    assert data.shape == (112, 101, 122)
    assert arguments["scale"] == pytest.approx((3.0, 3.0, 3.0))
    assert np.diag(arguments["affine"]).tolist() == [1, -1, -1, 1]


def test_person_chooses_one_of_several_series(shared_data, monkeypatch):
    import napari_sam.plugin._reader as reader

    folder = shared_data / "dicom_zoo" / "series" / "tcia_mr_three_series_mixed"
    with pytest.raises(volumes.MixedSeries):
        read_layers(folder)
    listed = []
    monkeypatch.setattr(reader, "choose_series", lambda series: listed.extend(series) or series[1].key)
    ((data, _, _),) = read_layers(folder)
    assert len(listed) > 1
    assert data.shape[-2:] == listed[1].shape[-2:]
