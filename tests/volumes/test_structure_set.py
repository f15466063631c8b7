"""Structure sets hold the same voxels after writing and reading, and are read as other programs read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import generate_uid
from skimage.draw import polygon2mask

from tests.dicom_phantoms import (
    ROTATIONS,
    SEGMENTS,
    dumped,
    phantom_geometry,
    phantom_labels,
    standard_errors,
    write_phantom,
)
from volumes import (
    ForeignLabels,
    Segment,
    UnknownSeries,
    UnsupportedImage,
    Volume,
    read,
    read_labels,
    write,
)

AXIAL = np.array([(0.0, 0, 1), (0, 1, 0), (1, 0, 0)])
OBLIQUE = np.array([(0.36, 0.48, -0.8), (-0.8, 0.6, 0.0), (0.48, 0.64, 0.6)]) @ AXIAL


@pytest.fixture
def phantom(tmp_path: Path) -> Volume:
    return write_phantom(tmp_path / "series", phantom_geometry(AXIAL))


@pytest.fixture
def changed(phantom: Volume, tmp_path: Path) -> Callable[[Callable[[FileDataset], Any]], Path]:
    """Write the phantom's labels, change the dataset, and give the path."""

    def make(change: Callable[[FileDataset], Any]) -> Path:
        path = tmp_path / "a.rtstruct.dcm"
        write(path, phantom_labels(phantom.shape), like=phantom, segments=SEGMENTS)
        dataset = pydicom.dcmread(path)
        change(dataset)
        dataset.save_as(path)
        return path

    return make


def contour(points_mm: NDArray[np.float64], kind: str = "CLOSED_PLANAR") -> Dataset:
    item = Dataset()
    item.ContourGeometricType, item.NumberOfContourPoints = kind, len(points_mm)
    item.ContourData = [f"{one:.6f}" for one in points_mm.ravel()]
    return item


def square(image: Volume, plane: float, start: float, stop: float) -> NDArray[np.float64]:
    """Corners (LPS mm) of a square in a plane, from row and column `start` to `stop`."""
    corners = [(start, start), (start, stop), (stop, stop), (stop, start)]
    return image.geometry.index_to_mm([(plane, *corner) for corner in corners])


@pytest.mark.parametrize("rotation", [*ROTATIONS, OBLIQUE])
def test_the_same_voxels_come_back(rotation: NDArray[Any], tmp_path: Path) -> None:
    image = write_phantom(tmp_path / "series", phantom_geometry(rotation))
    labels = phantom_labels(image.shape)
    write(tmp_path / "a.rtstruct.dcm", labels, like=image, segments=SEGMENTS)
    back = read_labels(tmp_path / "a.rtstruct.dcm", like=image)
    assert np.array_equal(back.data, labels)
    assert back.geometry == image.geometry
    assert [(one.value, one.name, one.algorithm, one.kind) for one in back.segments] == [
        (one.value, one.name, one.algorithm, one.kind) for one in SEGMENTS
    ]
    assert back.segments[0].colour == SEGMENTS[0].colour
    assert back.notes == ()


@pytest.mark.parametrize("rotation", [AXIAL, OBLIQUE])
def test_it_conforms_and_refers_to_its_images(rotation: NDArray[Any], tmp_path: Path) -> None:
    image = write_phantom(tmp_path / "series", phantom_geometry(rotation), gaps=(2,))
    labels = phantom_labels(image.shape)
    write(tmp_path / "a.rtstruct.dcm", labels, like=image, segments=SEGMENTS)
    assert standard_errors(tmp_path / "a.rtstruct.dcm") == []
    assert "Läsion µ" in dumped(tmp_path / "a.rtstruct.dcm")
    made = pydicom.dcmread(tmp_path / "a.rtstruct.dcm")
    frame = made.ReferencedFrameOfReferenceSequence[0]
    assert frame.FrameOfReferenceUID == image.geometry.frame_uid
    series = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == image.provenance.series_uid
    assert len(series.ContourImageSequence) == 3
    assert [one.ROIName for one in made.StructureSetROISequence] == ["Liver", "Läsion µ"]
    for region in made.ROIContourSequence:
        for one in region.ContourSequence:
            points = np.reshape(np.array(one.ContourData, float), (-1, 3))
            (plane,) = {round(float(index)) for index in image.geometry.mm_to_index(points)[:, 0]}
            source = image.provenance.sources[plane]
            if source is None:
                assert "ContourImageSequence" not in one
            else:
                named = one.ContourImageSequence[0].ReferencedSOPInstanceUID
                assert named == pydicom.dcmread(source.path).SOPInstanceUID


def test_contours_that_have_no_inside_or_lie_elsewhere_are_noted(
    changed: Callable[..., Path], phantom: Volume
) -> None:
    def change(dataset: FileDataset) -> None:
        inner = square(phantom, 1, 1.2, 4.4)
        dataset.ROIContourSequence[0].ContourSequence = [
            contour(square(phantom, 0.3, 0.6, 5.4)),
            contour(inner),
            contour(square(phantom, 1, 1.6, 3.4), "CLOSEDPLANAR_XOR"),
            contour(square(phantom, 8, 1, 3)),
            contour(inner[:1], "POINT"),
            contour(inner, "OPEN_PLANAR"),
            contour(inner[:2]),
            contour(square(phantom, 2.2, 0, 3.0)),
            contour(square(phantom, 2.1, 1.7, 4.1)),
        ]
        del dataset.ROIContourSequence[1].ContourSequence

    labels = read_labels(changed(change), like=phantom)
    expected = np.zeros(phantom.shape, bool)
    expected[0, 1:6, 1:6] = True
    expected[1, 2:5, 2:5] = True
    expected[1, 2:4, 2:4] = False
    expected[2, 2:5, 2:5] = True  # the nearer of two levels
    assert np.array_equal(labels.data > 0, expected)
    assert sorted(labels.notes) == [
        "1 contours lie beyond the image's planes and were left out",
        "1 contours of type open_planar were left out; only closed ones have an inside",
        "1 contours of type point were left out; only closed ones have an inside",
        "1 contours of type unusable were left out; only closed ones have an inside",
        "1 contours were left out, others of their region lie nearer to the plane",
        "3 contours lie between planes and were drawn on the nearest one",
    ]


def test_of_regions_that_overlap_the_later_one_stays(changed: Callable[..., Path], phantom: Volume) -> None:
    def change(dataset: FileDataset) -> None:
        for region, (start, stop) in zip(dataset.ROIContourSequence, [(-0.5, 3.5), (1.5, 5.5)], strict=True):
            region.ContourSequence = [contour(square(phantom, 0, start, stop))]

    labels = read_labels(changed(change), like=phantom)
    assert np.bincount(labels.data.ravel()).tolist()[1:] == [12, 0, 16]
    assert labels.notes == ("regions 1 and 3 overlap in 4 voxels, which were given to the later one",)


def test_planes_without_a_contour_between_others_are_noted(
    changed: Callable[..., Path], phantom: Volume
) -> None:
    affine = phantom.geometry.affine.copy()
    affine[:, 0] /= 2
    fine = replace(phantom.geometry, shape=(7, 6, 9), affine=affine)
    image = Volume(np.zeros(fine.shape, np.uint8), fine, phantom.provenance)

    def change(dataset: FileDataset) -> None:
        dataset.ROIContourSequence[0].ContourSequence = [
            contour(square(phantom, at, 0, 3)) for at in range(4)
        ]
        del dataset.ROIContourSequence[1].ContourSequence

    (note,) = read_labels(changed(change), like=image).notes
    assert note == "region 1 is drawn on every other plane or less; those between stay empty"


def test_it_belongs_to_one_image(changed: Callable[..., Path], phantom: Volume, tmp_path: Path) -> None:
    path = changed(lambda dataset: None)
    with pytest.raises(UnsupportedImage, match="give the image"):
        read_labels(path)
    with pytest.raises(UnknownSeries, match="leave series out"):
        read_labels(path, like=phantom, series="2")
    stranger = write_phantom(tmp_path / "other", replace(phantom.geometry, frame_uid=generate_uid()))
    with pytest.raises(ForeignLabels, match="another frame of reference"):
        read_labels(path, like=stranger)
    unknown = replace(stranger, geometry=replace(stranger.geometry, frame_uid=None))
    assert read_labels(path, like=unknown).data.any()
    far = phantom.geometry.affine.copy()
    far[2, 3] += 500
    beside = replace(phantom, geometry=replace(phantom.geometry, affine=far))
    with pytest.raises(ForeignLabels, match="no closed contour on the image's planes"):
        read_labels(path, like=beside)
    across = replace(
        phantom,
        data=np.moveaxis(np.asarray(phantom.data), 2, 0),
        geometry=phantom.geometry.permute((2, 0, 1)),
    )
    with pytest.raises(UnsupportedImage, match="do not lie in the image's planes"):
        read_labels(path, like=across)


def test_the_real_one_has_the_areas_that_another_rasteriser_finds(shared_data: Path) -> None:
    folder = shared_data / "dicom_zoo/series/dicompyler_rt"
    image = read(folder)
    (path,) = [
        one for one in folder.iterdir() if pydicom.dcmread(one, force=True).get("Modality") == "RTSTRUCT"
    ]
    labels = read_labels(path, like=image)
    assert [one.name for one in labels.segments][:5] == ["BODY", "Areola", "Borders", "Breast", "Heart"]
    assert "437 contours lie beyond the image's planes and were left out" in labels.notes
    body = np.zeros(image.shape[1:], bool)
    dataset = pydicom.dcmread(path, force=True)
    for one in dataset.ROIContourSequence[0].ContourSequence:
        at_idx = image.geometry.mm_to_index(np.reshape(np.array(one.ContourData, float), (-1, 3)))
        if abs(at_idx[0, 0]) < 0.5:
            body ^= polygon2mask(body.shape, at_idx[:, 1:])
    assert body.sum() > 40_000
    assert (
        np.count_nonzero(body != (labels.data[0] == 1)) <= 0.0005 * body.sum()
    )  # centres on the line itself


def test_a_real_one_of_several_regions_on_planes_made_to_fit(shared_data: Path) -> None:
    folder = shared_data / "dicom_zoo/series/dicompyler_rt"
    (path,) = [
        one for one in folder.iterdir() if pydicom.dcmread(one, force=True).get("Modality") == "RTSTRUCT"
    ]
    dataset = pydicom.dcmread(path, force=True)
    points = [
        np.reshape(np.array(one.ContourData, float), (-1, 3))
        for region in dataset.ROIContourSequence
        for one in region.get("ContourSequence", ())
    ]
    levels = np.unique([one[0, 2] for one in points])
    geometry = read(folder).geometry
    affine = geometry.affine.copy()
    affine[2, 0], affine[2, 3] = np.diff(levels).min(), levels[0]
    n_planes = round((levels[-1] - levels[0]) / affine[2, 0]) + 1
    grid = replace(geometry, shape=(n_planes, 512, 512), affine=affine)
    image = Volume(np.zeros(grid.shape, np.uint8), grid, read(folder).provenance)
    labels = read_labels(path, like=image)
    counts = np.bincount(labels.data.ravel(), minlength=11)
    for region in dataset.ROIContourSequence:
        number = int(region.ReferencedROINumber)
        area_px = 0.0
        for one in region.get("ContourSequence", ()):
            at_idx = grid.mm_to_index(np.reshape(np.array(one.ContourData, float), (-1, 3)))
            row, column = at_idx[:, 1], at_idx[:, 2]
            area_px += abs(np.dot(row, np.roll(column, 1)) - np.dot(column, np.roll(row, 1))) / 2
        covered = number < max(int(one.ReferencedROINumber) for one in dataset.ROIContourSequence)
        assert counts[number] <= 1.15 * area_px + 50
        assert covered or counts[number] == pytest.approx(area_px, rel=0.03)


def test_regions_without_usable_numbers_are_numbered_in_order(
    changed: Callable[..., Path], phantom: Volume
) -> None:
    def change(dataset: FileDataset) -> None:
        for place, number in enumerate((0, 70000)):
            dataset.StructureSetROISequence[place].ROINumber = number
            dataset.ROIContourSequence[place].ReferencedROINumber = number
            dataset.RTROIObservationsSequence[place].ReferencedROINumber = number

    labels = read_labels(changed(change), like=phantom)
    assert [one.value for one in labels.segments] == [1, 2]
    assert np.array_equal(labels.data > 0, phantom_labels(phantom.shape) > 0)
    assert isinstance(labels.segments[0], Segment)
