"""DICOM segmentations as others write them: every encoding, order of frames and kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from highdicom.seg import Segmentation, SegmentDescription
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from tests.dicom_phantoms import SECRETS, SEGMENTS, phantom_geometry, phantom_labels, write_phantom
from volumes import (
    BrokenFile,
    ForeignLabels,
    UnevenSpacing,
    UnsupportedImage,
    Volume,
    VolumeError,
    read,
    read_labels,
    write,
)

AXIAL = np.array([(0.0, 0, 1), (0, 1, 0), (1, 0, 0)])


@pytest.fixture
def phantom(tmp_path: Path) -> Volume:
    return write_phantom(tmp_path / "series", phantom_geometry(AXIAL))


@pytest.fixture
def changed(phantom: Volume, tmp_path: Path) -> Callable[..., Path]:
    """Write the phantom's labels, change the dataset, and give the path."""

    def make(change: Callable[[FileDataset], Any], name: str = "a.dcm") -> Path:
        write(tmp_path / name, phantom_labels(phantom.shape), like=phantom, segments=SEGMENTS)
        dataset = pydicom.dcmread(tmp_path / name)
        change(dataset)
        dataset.save_as(tmp_path / name)
        return tmp_path / name

    return make


def by_highdicom(image: Volume, stack: NDArray[Any], path: Path, kind: str, **options: Any) -> None:
    """Write segments (P, R, C, S) that may overlap, as highdicom does."""
    images = [pydicom.dcmread(one.path) for one in image.provenance.sources if one is not None]
    described = [
        SegmentDescription(number, f"s{number}", codes.SCT.Tissue, codes.SCT.Tissue, "MANUAL")
        for number in range(1, stack.shape[-1] + 1)
    ]
    made = Segmentation(
        images, stack, kind, described, generate_uid(), 1, generate_uid(), 1, "m", "m", "1", "0", **options
    )
    made.save_as(path)


@pytest.mark.parametrize("name", ["liver_deflate", "liver_j2k", "liver_rle"])
def test_every_encoding_holds_the_same_voxels(name: str, shared_data: Path) -> None:
    zoo = shared_data / "dicom_zoo/singles"
    image = read(shared_data / "eval/dicom_series/dcmqi_ct_3slice")
    plain = pydicom.dcmread(zoo / "dcmqi/segmentations_liver.dcm").pixel_array
    labels = read_labels(zoo / f"pydicom-data/{name}.dcm", like=image)
    assert np.array_equal(labels.data, plain)
    assert plain.sum() == 107_098
    assert (labels.segments[0].name, labels.segments[0].colour) == ("Liver", (221, 130, 101))


def test_frames_need_not_end_with_a_byte(shared_data: Path) -> None:
    path = shared_data / "dicom_zoo/singles/pydicom-data/liver_nonbyte_aligned.dcm"
    labels = read_labels(path)
    assert labels.data.shape == (3, 510, 510)
    assert np.array_equal(labels.data, pydicom.dcmread(path).pixel_array)


def test_a_label_map_of_another_program(shared_data: Path) -> None:
    path = shared_data / "dicom_zoo/singles/dcmqi/segmentations_sparse-labelmap-ppv5.dcm"
    labels = read_labels(path)
    stored = pydicom.dcmread(path).pixel_array
    assert labels.data.shape == (3, 38, 24)  # frames 5 mm apart, planes 2.5 mm
    assert np.array_equal(labels.data[[0, 2]], stored)
    assert labels.notes == ("1 planes between the frames are empty in the file",)
    assert [one.name for one in labels.segments] == ["Liver"]


def test_overlapping_segments_of_another_program(shared_data: Path) -> None:
    zoo = shared_data / "dicom_zoo/singles/dcmqi"
    image = read(shared_data / "eval/dicom_series/dcmqi_ct_3slice")
    path = zoo / "segmentations_partial_overlaps.dcm"
    dataset, expected = pydicom.dcmread(path), np.zeros(image.shape, np.uint8)
    for frame, group in zip(dataset.pixel_array, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        plane = image.geometry.mm_to_index(group.PlanePositionSequence[0].ImagePositionPatient)[0]
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        view = expected[round(float(plane))]
        view[(frame > 0) & (view < number)] = number
    labels = read_labels(path, like=image)
    assert np.array_equal(labels.data, expected)
    assert labels.notes[0] == "segments 1 and 2 overlap in 3017 voxels, which were given to the later one"


def test_fractions_are_cut_at_one_half(phantom: Volume, tmp_path: Path) -> None:
    parts = np.zeros((*phantom.shape, 2))
    parts[1, :, :, 0] = np.linspace(0, 1, 54).reshape(6, 9)
    parts[2, 2:4, 3:5, 1] = 1.0
    by_highdicom(phantom, parts, tmp_path / "f.dcm", "FRACTIONAL", max_fractional_value=200)
    labels = read_labels(tmp_path / "f.dcm", like=phantom)
    expected = np.where(parts[..., 0] >= 0.5, 1, np.where(parts[..., 1] > 0, 2, 0))
    assert np.array_equal(labels.data, expected)
    assert labels.notes == ("fractions were cut at one half; 52 voxels lay between 0 and 1",)


def test_the_higher_segment_stays_whatever_the_order_of_the_frames(phantom: Volume, tmp_path: Path) -> None:
    stack = np.zeros((*phantom.shape, 3), np.uint8)
    stack[1, 1:4, 1:4, 0] = stack[1, 2:5, 2:5, 1] = stack[:, 3, 3, 2] = 1
    by_highdicom(phantom, stack, tmp_path / "o.dcm", "BINARY")
    dataset = pydicom.dcmread(tmp_path / "o.dcm")
    order = np.random.default_rng(2).permutation(dataset.NumberOfFrames)
    frames = dataset.pixel_array[order]
    groups = dataset.PerFrameFunctionalGroupsSequence
    dataset.PerFrameFunctionalGroupsSequence = [groups[at] for at in order]
    packed = np.packbits(frames.ravel(), bitorder="little").tobytes()
    dataset.PixelData = packed + b"\0" * (len(packed) % 2)
    dataset.save_as(tmp_path / "shuffled.dcm")
    expected = np.where(stack[..., 2], 3, np.where(stack[..., 1], 2, stack[..., 0]))
    for name in ("o.dcm", "shuffled.dcm"):
        assert np.array_equal(read_labels(tmp_path / name, like=phantom).data, expected)


def test_without_an_image_it_has_the_smallest_grid_with_all_frames(
    changed: Callable[..., Path], phantom: Volume
) -> None:
    path = changed(lambda dataset: None)
    alone = read_labels(path)
    assert alone.geometry.is_close(phantom.geometry, 1e-6)
    assert np.array_equal(alone.data, phantom_labels(phantom.shape))
    assert alone.geometry.frame_uid == phantom.geometry.frame_uid


def test_frames_at_uneven_distances_need_their_image(changed: Callable[..., Path], phantom: Volume) -> None:
    def change(dataset: FileDataset) -> None:
        for group in dataset.PerFrameFunctionalGroupsSequence:
            position = group.PlanePositionSequence[0].ImagePositionPatient
            if float(position[2]) > 1004:  # planes 2 and 3
                group.PlanePositionSequence[0].ImagePositionPatient = [
                    *position[:2],
                    float(position[2]) + 0.9,
                ]

    with pytest.raises(UnevenSpacing, match="give the image"):
        read_labels(changed(change))
    affine = phantom.geometry.affine.copy()
    affine[2, 0] = 0.1
    fine = replace(phantom.geometry, shape=(90, 6, 9), affine=affine)
    labels = read_labels(changed(change), like=Volume(np.zeros(fine.shape), fine, phantom.provenance))
    assert np.array_equal(labels.data[[0, 25, 59, 84]], phantom_labels(phantom.shape))


def test_frames_just_beside_their_planes_are_noted(changed: Callable[..., Path], phantom: Volume) -> None:
    def change(dataset: FileDataset) -> None:
        for group in dataset.PerFrameFunctionalGroupsSequence:
            position = group.PlanePositionSequence[0].ImagePositionPatient
            group.PlanePositionSequence[0].ImagePositionPatient = [*position[:2], float(position[2]) + 0.2]

    labels = read_labels(changed(change), like=phantom)
    assert np.array_equal(labels.data, phantom_labels(phantom.shape))
    assert labels.notes == ("frames lie up to 0.2 mm off the image's planes; they were taken as on them",)


def test_it_belongs_to_a_frame_of_reference(
    changed: Callable[..., Path], phantom: Volume, tmp_path: Path
) -> None:
    path = changed(lambda dataset: None)
    stranger = write_phantom(tmp_path / "other", replace(phantom.geometry, frame_uid=generate_uid()))
    with pytest.raises(ForeignLabels, match="another frame of reference"):
        read_labels(path, like=stranger)
    sibling = write_phantom(tmp_path / "sibling", phantom.geometry)
    assert np.array_equal(read_labels(path, like=sibling).data, phantom_labels(phantom.shape))


def tiled(dataset: FileDataset) -> None:
    dataset.TotalPixelMatrixRows = dataset.TotalPixelMatrixColumns = 4096


def turned(dataset: FileDataset) -> None:
    one = dataset.PerFrameFunctionalGroupsSequence[1]
    one.PlaneOrientationSequence = [pydicom.Dataset()]
    one.PlaneOrientationSequence[0].ImageOrientationPatient = [0, 1, 0, 1, 0, 0]
    for other in dataset.PerFrameFunctionalGroupsSequence:
        if other is not one:
            other.PlaneOrientationSequence = dataset.SharedFunctionalGroupsSequence[
                0
            ].PlaneOrientationSequence


def repeated(dataset: FileDataset) -> None:
    first, second = dataset.PerFrameFunctionalGroupsSequence[:2]
    second.PlanePositionSequence = first.PlanePositionSequence
    second.SegmentIdentificationSequence = first.SegmentIdentificationSequence


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (tiled, UnsupportedImage, "tiled slide"),
        (turned, UnsupportedImage, "different directions"),
        (repeated, UnsupportedImage, "at one place"),
        (lambda one: setattr(one, "NumberOfFrames", 9), BrokenFile, "describes 4 of them"),
        (lambda one: setattr(one, "Rows", 60000), BrokenFile, "bytes for them"),
        (lambda one: setattr(one, "PixelData", one.PixelData[:20]), BrokenFile, "bytes for them"),
        (lambda one: delattr(one, "PixelData"), BrokenFile, "no pixels"),
        (lambda one: setattr(one, "BitsAllocated", 32), UnsupportedImage, "32 bits"),
        (lambda one: delattr(one, "SegmentSequence"), None, ""),
    ],
)
def test_what_is_wrong_is_one_line(
    change: Any, error: type[VolumeError] | None, words: str, changed: Callable[..., Path], phantom: Volume
) -> None:
    path = changed(change)
    if error is None:
        assert read_labels(path, like=phantom).data.max() == 2
        return
    for like in (phantom, None):
        with pytest.raises(error, match=words) as caught:
            read_labels(path, like=like)
        assert "\n" not in str(caught.value)
        assert not any(secret in str(caught.value) for secret in SECRETS)


def test_an_unknown_encoding_is_named_as_such(changed: Callable[..., Path], phantom: Volume) -> None:
    path = changed(lambda dataset: None)
    stored = path.read_bytes()
    path.write_bytes(stored.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0", 1))
    with pytest.raises(UnsupportedImage, match="encoding that is not known"):
        read_labels(path, like=phantom)


def test_a_file_cut_off_anywhere_is_refused(changed: Callable[..., Path], phantom: Volume) -> None:
    path = changed(lambda dataset: None)
    stored = path.read_bytes()
    for length in range(130, len(stored) - 60, 97):
        path.write_bytes(stored[:length])
        with pytest.raises(VolumeError):
            read_labels(path, like=phantom)
