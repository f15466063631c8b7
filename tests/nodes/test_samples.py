"""The artificial samples: the same every time, in their place, and what the tutorials say of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

import volumes
from napari_sam.core.propagation_film import is_film
from napari_sam.errors import UnknownSample
from napari_sam.nodes.info import find_orientation
from napari_sam.nodes.measure import measure_labels
from napari_sam.nodes.nuclei import TOUCHING_NUCLEI
from napari_sam.nodes.samples import SAMPLES, make_sample, write_sample
from tests.dicom_phantoms import standard_errors

NAMES = sorted(SAMPLES)


@pytest.mark.parametrize("name", NAMES)
def test_they_are_the_same_every_time(name: str) -> None:
    (first, first_labels), (second, second_labels) = make_sample(name), make_sample(name)
    assert first.digest() == second.digest()
    assert np.array_equal(first_labels, second_labels)


@pytest.mark.parametrize("name", NAMES)
def test_every_value_has_voxels_and_a_name_where_there_are_names(name: str) -> None:
    volume, labels = make_sample(name)
    values = np.unique(labels[labels > 0])
    assert labels.shape == volume.shape
    assert values.tolist() == list(range(1, int(values.max()) + 1))
    assert not SAMPLES[name].names or values.tolist() == sorted(SAMPLES[name].names)


@pytest.mark.parametrize("name", NAMES)
def test_written_they_are_read_as_they_were_drawn(name: str, tmp_path: Path) -> None:
    volume, labels = make_sample(name)
    done = write_sample(tmp_path / "new", name)
    image, truth = volumes.read(done.image), volumes.read_labels(done.truth, like=volume)
    assert np.array_equal(image.data, volume.data)
    assert image.geometry.is_close(volume.geometry)
    assert image.provenance.modality == volume.provenance.modality
    assert image.suggested_window == volume.suggested_window
    assert is_film(image) == is_film(volume) == (name == "film")
    assert np.array_equal(truth.data, labels)
    assert done.names == SAMPLES[name].names


@pytest.mark.parametrize("name", ["ct", "mr"])
def test_the_series_conform_and_take_segmentations(name: str, tmp_path: Path) -> None:
    _, labels = make_sample(name)
    folder = write_sample(tmp_path, name).image
    path = tmp_path / "labels.seg.dcm"
    volumes.write(path, labels, like=volumes.read(folder))
    assert np.array_equal(volumes.read_labels(path, like=volumes.read(folder)).data, labels)
    assert standard_errors(folder / "003.dcm") == []


def test_an_unknown_sample_is_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(UnknownSample, match=r"no sample 'pet'; choose one of ct, mr, cells, film$"):
        write_sample(tmp_path, "pet")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(volumes.UnwritableOutput, match="--output"):
        write_sample(tmp_path / "file", "mr")


class TestTheHead:
    def test_it_lies_in_space_as_a_head_does(self) -> None:
        volume, labels = make_sample("mr")
        assert volume.geometry.spacing_mm == pytest.approx((4.0, 1.0, 1.0))
        orientation = find_orientation(volume.geometry)
        assert (orientation.code, orientation.oblique_deg) == ("SPL", pytest.approx(12.0))
        x_mm, y_mm, z_mm = volume.geometry.index_to_mm(np.argwhere(labels == 3).mean(axis=0))
        assert x_mm < -20  # the lesion is on the right, in front, above the middle
        assert y_mm < 0 < z_mm

    def test_the_lesion_has_a_rim_and_is_whole(self) -> None:
        volume, labels = make_sample("mr")
        lesion = labels == 3
        assert ndimage.label(lesion)[1] == 1
        core = ndimage.binary_erosion(lesion, iterations=4)
        rim = lesion & ~ndimage.binary_erosion(lesion, iterations=2)
        tones = [float(volume.data[mask].mean()) for mask in (core, rim, labels == 1, labels == 2)]
        assert tones[1] > tones[0] > tones[2] > tones[3]

    def test_the_lesion_measures_what_its_ellipsoids_fill(self) -> None:
        step_mm, filled = 0.5, np.zeros((), bool)
        spans = ((-5.0, 50.0), (-50.0, 10.0), (-60.0, -10.0))
        at_mm = np.meshgrid(
            *(np.arange(*span, step_mm) + step_mm / 2 for span in spans), indexing="ij", sparse=True
        )
        for centre, (along_z, along_y, along_x), turn_deg in (
            ((20.0, -24.0, -32.0), (17.0, 15.0, 12.5), 25.0),
            ((30.0, -12.0, -36.0), (11.0, 11.0, 10.0), 0.0),
        ):
            z, y, x = (axis - middle for axis, middle in zip(at_mm, centre, strict=True))
            cos, sin = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
            turned_x, turned_y = x * cos + y * sin, y * cos - x * sin
            filled = filled | (
                (z / along_z) ** 2 + (turned_y / along_y) ** 2 + (turned_x / along_x) ** 2 <= 1
            )
        volume, labels = make_sample("mr")
        (lesion,) = measure_labels(np.where(labels == 3, labels, 0), volume).objects
        assert lesion.measures.volume_ml == pytest.approx(filled.sum() * step_mm**3 / 1000, rel=0.01)
        assert lesion.measures.volume_ml == pytest.approx(16.636)  # as docs/tutorial-mr.md says

    def test_the_coil_sees_the_front_better_than_the_back(self) -> None:
        volume, labels = make_sample("mr")
        brain = np.where(labels == 1, volume.data, np.nan)[12]
        assert np.nanmean(brain[:80]) > 1.1 * np.nanmean(brain[130:])


class TestTheCells:
    def test_pairs_touch_and_others_do_not(self) -> None:
        _, labels = make_sample("cells")
        touching = set()
        for axis in range(3):
            one, other = np.moveaxis(labels, axis, 0)[:-1], np.moveaxis(labels, axis, 0)[1:]
            at = (one != other) & (one > 0) & (other > 0)
            touching |= {(int(min(pair)), int(max(pair))) for pair in zip(one[at], other[at], strict=True)}
        assert touching == set(TOUCHING_NUCLEI)

    def test_they_are_micrometres_of_several_sizes(self) -> None:
        volume, labels = make_sample("cells")
        assert volume.geometry.spacing_mm == pytest.approx((1e-3, 4e-4, 4e-4))
        um3 = np.bincount(labels.ravel())[1:] * np.prod(volume.geometry.spacing_mm) * 1e9
        assert 200 < um3.min() < 500
        assert 1000 < um3.max() < 2000


class TestTheFilm:
    def test_the_fish_goes_from_left_to_right_is_hidden_and_comes_back(self) -> None:
        _, labels = make_sample("film")
        seen = [int(n) for n in labels.sum(axis=(1, 2))]
        assert [index for index, n in enumerate(seen) if n == 0] == [16, 17]
        assert min(*seen[:10], *seen[24:]) > 900
        columns = [float(np.argwhere(one)[:, 1].mean()) for one in labels if one.any()]
        assert columns == sorted(columns)

    def test_it_is_in_colour(self) -> None:
        volume, labels = make_sample("film")
        red, _, blue = volume.data[labels == 1].mean(axis=0)
        assert volume.is_rgb
        assert red > 2 * blue
