"""A written DICOM SEG conforms, refers to its images, and holds the same voxels for highdicom."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.uid import generate_uid

from tests.dicom_phantoms import (
    ROTATIONS,
    SECRETS,
    SEGMENTS,
    dumped,
    phantom_geometry,
    phantom_labels,
    standard_errors,
    write_phantom,
)
from volumes import (
    BrokenFile,
    Geometry,
    InvalidLabels,
    MissingFile,
    PlaneSource,
    Provenance,
    Segment,
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


def values_at(path: Path, points_mm: NDArray[np.float64]) -> NDArray[np.int64]:
    """What highdicom finds at points (N, 3) LPS mm: 0 outside its grid."""
    seg = highdicom.seg.segread(path)
    volume = seg.get_volume(combine_segments=True, allow_missing_positions=True)
    at_idx = np.rint(volume.map_reference_to_indices(points_mm)).astype(int)
    inside = ((at_idx >= 0) & (at_idx < volume.spatial_shape)).all(axis=1)
    found = np.zeros(len(points_mm), np.int64)
    found[inside] = volume.array[tuple(at_idx[inside].T)]
    return found


def all_points(geometry: Geometry) -> NDArray[np.float64]:
    return geometry.index_to_mm(np.moveaxis(np.indices(geometry.shape), 0, -1).reshape(-1, 3))


@pytest.mark.parametrize("rotation", [*ROTATIONS, OBLIQUE])
def test_highdicom_finds_each_voxel_at_its_place(rotation: NDArray[Any], tmp_path: Path) -> None:
    geometry = phantom_geometry(rotation)
    image = write_phantom(tmp_path / "series", geometry)
    labels = phantom_labels(geometry.shape)
    write(tmp_path / "a.seg.dcm", labels, like=image, segments=SEGMENTS)
    write(tmp_path / "a.labelmap.dcm", labels, like=image, segments=SEGMENTS)
    numbered = np.where(labels == 3, 2, labels)  # binary segments are numbered 1, 2, 3 …
    points_mm = all_points(geometry)
    assert np.array_equal(values_at(tmp_path / "a.seg.dcm", points_mm), numbered.ravel())
    assert np.array_equal(values_at(tmp_path / "a.labelmap.dcm", points_mm), labels.ravel())
    for name in ("a.seg.dcm", "a.labelmap.dcm"):
        back = read_labels(tmp_path / name, like=image)
        assert np.array_equal(back.data, labels)
        assert back.geometry == geometry


@pytest.mark.parametrize("rotation", [AXIAL, OBLIQUE])
def test_it_conforms_to_the_standard(rotation: NDArray[Any], tmp_path: Path) -> None:
    image = write_phantom(tmp_path / "series", phantom_geometry(rotation))
    write(tmp_path / "a.seg.dcm", phantom_labels(image.shape), like=image, segments=SEGMENTS)
    assert standard_errors(tmp_path / "a.seg.dcm") == []
    text = dumped(tmp_path / "a.seg.dcm")
    assert "SegmentationStorage" in text
    assert "SEMIAUTOMATIC" in text
    assert "Läsion µ" in text


def test_names_colours_codes_and_algorithms_come_back(phantom: Volume, tmp_path: Path) -> None:
    for name in ("a.dcm", "a.labelmap.dcm"):
        write(tmp_path / name, phantom_labels(phantom.shape), like=phantom, segments=SEGMENTS)
        assert read_labels(tmp_path / name).segments == SEGMENTS
    seg = highdicom.seg.segread(tmp_path / "a.dcm")
    liver = seg.get_segment_description(1)
    assert (liver.segment_label, liver.algorithm_type.value) == ("Liver", "SEMIAUTOMATIC")
    assert liver.segmented_property_type.meaning == "Liver"
    assert liver.algorithm_identification.name == "tiny_sam.v6"
    assert seg.get_segment_description(2).algorithm_type.value == "MANUAL"


def test_frames_refer_to_the_image_of_their_plane_and_empty_ones_are_left_out(
    phantom: Volume, tmp_path: Path
) -> None:
    write(tmp_path / "a.dcm", phantom_labels(phantom.shape), like=phantom, segments=SEGMENTS)
    seg = pydicom.dcmread(tmp_path / "a.dcm")
    assert seg.NumberOfFrames == 4  # 1 in planes 0 and 3; 3 in planes 2 and 3
    found = set()
    for group in seg.PerFrameFunctionalGroupsSequence:
        image = group.DerivationImageSequence[0].SourceImageSequence[0]
        position = group.PlanePositionSequence[0].ImagePositionPatient
        plane = round(float(phantom.geometry.mm_to_index(position)[0]))
        source = phantom.provenance.sources[plane]
        assert source is not None
        original = pydicom.dcmread(source.path)
        assert image.ReferencedSOPInstanceUID == original.SOPInstanceUID
        assert image.SpatialLocationsPreserved == "YES"
        np.testing.assert_allclose(position, original.ImagePositionPatient, rtol=0, atol=1e-9)
        found.add((plane, int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)))
    assert found == {(0, 1), (3, 1), (2, 2), (3, 2)}
    named = seg.ReferencedSeriesSequence[0]
    assert named.SeriesInstanceUID == phantom.provenance.series_uid
    assert len(named.ReferencedInstanceSequence) == 4


def test_a_plane_that_was_filled_in_refers_to_no_image(tmp_path: Path) -> None:
    image = write_phantom(tmp_path / "series", phantom_geometry(OBLIQUE), gaps=(2,))
    labels = phantom_labels(image.shape)
    write(tmp_path / "a.dcm", labels, like=image, segments=SEGMENTS)
    assert standard_errors(tmp_path / "a.dcm") == []
    groups = pydicom.dcmread(tmp_path / "a.dcm").PerFrameFunctionalGroupsSequence
    assert sorted(len(group.DerivationImageSequence) for group in groups) == [0, 1, 1, 1]
    assert np.array_equal(read_labels(tmp_path / "a.dcm", like=image).data, labels)


def test_planes_that_shift_sideways_keep_their_places(tmp_path: Path) -> None:
    geometry = phantom_geometry(AXIAL)
    affine = geometry.affine.copy()
    affine[1, 0] = 0.9
    tilted = replace(geometry, affine=affine)
    image = write_phantom(tmp_path / "series", tilted)
    labels = phantom_labels(tilted.shape)
    write(tmp_path / "a.dcm", labels, like=image, segments=SEGMENTS)
    assert standard_errors(tmp_path / "a.dcm") == []
    assert np.array_equal(read_labels(tmp_path / "a.dcm", like=image).data, labels)
    alone = read_labels(tmp_path / "a.dcm")
    assert np.array_equal(alone.data, labels)
    assert alone.geometry.is_close(tilted, 1e-6)


@pytest.mark.parametrize(
    ("tags", "is_sound"),
    [
        ({"StudyInstanceUID": None, "PatientID": None, "PatientName": None, "StudyDate": None}, True),
        ({"FrameOfReferenceUID": None}, True),
        (
            {"PatientSex": "UNKNOWN", "PatientBirthDate": "2 Jan", "StudyTime": "noon", "PatientAge": "7"},
            True,
        ),
        ({"SpecificCharacterSet": "ISO_IR 100", "PatientName": "Jürgens^Ö"}, True),
        ({"SeriesInstanceUID": None}, False),
        ({"SOPInstanceUID": None}, False),
    ],
)
@pytest.mark.parametrize("name", ["a.seg.dcm", "a.rtstruct.dcm"])
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_poor_headers_give_a_sound_file_or_one_line(
    tags: dict[str, Any], is_sound: bool, name: str, tmp_path: Path
) -> None:
    image = write_phantom(tmp_path / "series", phantom_geometry(AXIAL), **tags)
    labels = phantom_labels(image.shape)
    if not is_sound:
        with pytest.raises(UnsupportedImage, match=r"identifier.*\.nii\.gz"):
            write(tmp_path / name, labels, like=image)
        return
    write(tmp_path / name, labels, like=image)
    assert np.array_equal(read_labels(tmp_path / name, like=image).data, labels)
    if "Jürgens^Ö" in tags.values():
        assert "Jürgens^Ö" in dumped(tmp_path / name)
    assert standard_errors(tmp_path / name) == []


@pytest.mark.parametrize("name", ["a.dcm", "a.labelmap.dcm", "a.rtstruct.dcm"])
def test_what_cannot_be_written_is_one_line_without_secrets(name: str, tmp_path: Path) -> None:
    image = write_phantom(tmp_path / "series", phantom_geometry(AXIAL))
    labels = phantom_labels(image.shape)
    sources = image.provenance.sources
    gone = replace(image, provenance=replace(image.provenance, sources=(PlaneSource(tmp_path / "no"),) * 4))
    torn = tmp_path / "torn.dcm"
    assert sources[0] is not None
    torn.write_bytes(sources[0].path.read_bytes()[:300])
    broken = replace(image, provenance=replace(image.provenance, sources=(PlaneSource(torn), *sources[1:])))
    other = Volume(image.data, image.geometry, Provenance("NIfTI"))
    for like, given, error, words in [
        (other, labels, UnsupportedImage, "refers to DICOM images, and the image was read from NIfTI"),
        (image, 0 * labels, InvalidLabels, "are empty"),
        (image, labels.astype(np.uint32) * 70000, InvalidLabels, "up to 65535"),
        (gone, labels, MissingFile, "no longer there"),
        (broken, labels, (BrokenFile, UnsupportedImage), None),
    ]:
        with pytest.raises(error, match=words) as caught:
            write(tmp_path / name, given, like=like)
        text = str(caught.value)
        assert "\n" not in text
        assert not any(secret in text for secret in (*SECRETS, str(image.provenance.series_uid)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["series", "torn.dcm"]


def test_a_picture_without_a_place_in_space(tmp_path: Path) -> None:
    geometry = Geometry.from_spacing((1, 6, 9))
    tags = dict.fromkeys(("ImagePositionPatient", "ImageOrientationPatient", "FrameOfReferenceUID"))
    image = write_phantom(tmp_path / "one", replace(geometry, frame_uid=generate_uid()), **tags)
    labels = phantom_labels((4, 6, 9))[:1]
    write(tmp_path / "a.dcm", labels, like=image)
    assert standard_errors(tmp_path / "a.dcm") == []
    assert np.array_equal(read_labels(tmp_path / "a.dcm", like=image).data, labels)
    with pytest.raises(UnsupportedImage, match="do not say where they lie"):
        write(tmp_path / "a.rtstruct.dcm", labels, like=image)
    film = write_phantom(tmp_path / "film", replace(phantom_geometry(AXIAL)), **tags)
    with pytest.raises(UnsupportedImage, match="where their 4 planes lie"):
        write(tmp_path / "b.dcm", phantom_labels(film.shape), like=film)


@pytest.mark.parametrize("name", ["a.seg.dcm", "a.labelmap.dcm"])
def test_three_hundred_objects(name: str, phantom: Volume, tmp_path: Path) -> None:
    labels = np.zeros(phantom.shape, np.uint16)
    labels.flat[: 4 * 54 : 1] = np.arange(216) * 3
    write(tmp_path / name, labels, like=phantom, segments=[Segment(3, "x" * 300), Segment(6, "a\\b\nc")])
    back = read_labels(tmp_path / name, like=phantom)
    assert np.array_equal(back.data, labels)
    assert [segment.name for segment in back.segments[:2]] == ["x" * 64, "a b c"]


@pytest.mark.parametrize(
    "source",
    [
        "eval/dicom_series/dcmqi_ct_3slice",
        "dicom_zoo/series/torchio_ct",
        "dicom_zoo/series/tcia_hcrop",
        "dicom_zoo/singles/pydicom-data/eCT_Supplemental.dcm",
        "dicom_zoo/singles/dcmqi/segmentations_24x38x3_multiframe_mf.dcm",
    ],
)
def test_real_images(source: str, shared_data: Path, tmp_path: Path) -> None:
    image = read(shared_data / source)
    labels = np.zeros(image.shape, np.uint8)
    labels[-1, 3:9, 4:8] = 2
    labels[0, 5:, :7] = 1
    write(tmp_path / "a.dcm", labels, like=image, segments=SEGMENTS)
    write(tmp_path / "a.rtstruct.dcm", labels, like=image, segments=SEGMENTS)
    for name in ("a.dcm", "a.rtstruct.dcm"):
        assert standard_errors(tmp_path / name) == []
        assert np.array_equal(read_labels(tmp_path / name, like=image).data, labels)
    inside = np.argwhere(labels)
    points_mm = image.geometry.index_to_mm(inside)
    assert np.array_equal(values_at(tmp_path / "a.dcm", points_mm), labels[labels > 0])
    groups = pydicom.dcmread(tmp_path / "a.dcm").PerFrameFunctionalGroupsSequence
    frames = {
        one.DerivationImageSequence[0].SourceImageSequence[0].get("ReferencedFrameNumber") for one in groups
    }
    assert frames == ({None} if (shared_data / source).is_dir() else {1, image.shape[0]})
