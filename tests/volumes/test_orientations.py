"""A label drawn at a known point of the patient lies there for SimpleITK and nibabel in every orientation.

Phantoms in all 48 axis orientations, oblique and sheared ones are made by nibabel, SimpleITK and pydicom with
one bright voxel at a known LPS point. The image is read, the voxel at that point is labelled, the labels are
written, and the other programs are asked where they find it.

DICOM's planes are sorted along row direction × column direction, so what was read is right-handed: the
24 left-handed orientations are given to it as the opposite order of the planes in the files.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid

from tests.volumes.judges import (
    RAS_TO_LPS,
    geometry_of,
    labelled_mm_by_nibabel,
    labelled_mm_by_simpleitk,
    nibabel_geometry,
)
from volumes import Geometry, Provenance, Volume, list_series, read, write

SHAPE = (3, 4, 5)
MARKED = (2, 1, 3)
SPACING_MM = np.array([2.25, 1.5, 0.75])
ORIGIN_MM = np.array([-101.25, 12.5, 1000.125])
TOLERANCE_MM = 1e-3
TURN = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
OUTPUTS = ("labels.nii.gz", "labels.nrrd", "labels.mha")


def affine_of(directions: np.ndarray) -> np.ndarray:
    """From (plane, row, column) to LPS mm, for unit vectors as columns in that order."""
    affine = np.eye(4)
    affine[:3, :3] = directions * SPACING_MM
    affine[:3, 3] = ORIGIN_MM
    return affine


def phantom() -> np.ndarray:
    data = np.zeros(SHAPE, np.int16)
    data[MARKED] = 700
    return data


def write_nifti(folder: Path, affine: np.ndarray) -> Path:
    ras = RAS_TO_LPS @ affine[:, [2, 1, 0, 3]]
    nibabel.save(nibabel.Nifti1Image(phantom().T, ras), folder / "image.nii")
    return folder / "image.nii"


def write_nrrd(folder: Path, affine: np.ndarray) -> Path:
    image = sitk.GetImageFromArray(phantom())
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(lengths[::-1].tolist())
    image.SetDirection((affine[:3, :3] / lengths)[:, ::-1].ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    sitk.WriteImage(image, str(folder / "image.nrrd"))
    return folder / "image.nrrd"


def dicom(sop_class: str, pixels: np.ndarray) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset = FileDataset("", Dataset(), file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    dataset.Modality = "CT"
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    dataset.PixelData = pixels.tobytes()
    return dataset


def numbers(values: np.ndarray) -> list[str]:
    return [f"{value:.12g}"[:16] for value in values]


def write_classic(folder: Path, affine: np.ndarray) -> Path:
    folder = folder / "series"
    folder.mkdir()
    uid = generate_uid()
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    for index, plane in enumerate(phantom()):
        dataset = dicom(CTImageStorage, plane)
        dataset.SeriesInstanceUID, dataset.InstanceNumber = uid, index + 1
        dataset.PixelSpacing = numbers(SPACING_MM[1:])
        dataset.ImageOrientationPatient = numbers(np.concatenate([directions[:, 2], directions[:, 1]]))
        dataset.ImagePositionPatient = numbers((affine @ (index, 0, 0, 1))[:3])
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
        dataset.save_as(folder / f"{index}.dcm")
    return folder


def write_enhanced(folder: Path, affine: np.ndarray) -> Path:
    dataset = dicom(EnhancedCTImageStorage, phantom())
    dataset.SeriesInstanceUID, dataset.InstanceNumber, dataset.NumberOfFrames = generate_uid(), 1, SHAPE[0]
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    shared, measures, orientation, transform = Dataset(), Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = numbers(SPACING_MM[1:])
    measures.SliceThickness = numbers(SPACING_MM[:1])[0]
    orientation.ImageOrientationPatient = numbers(np.concatenate([directions[:, 2], directions[:, 1]]))
    transform.RescaleSlope, transform.RescaleIntercept, transform.RescaleType = 1, 0, "HU"
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    shared.PixelValueTransformationSequence = [transform]
    frames = []
    for index in range(SHAPE[0]):
        frame, position = Dataset(), Dataset()
        position.ImagePositionPatient = numbers((affine @ (index, 0, 0, 1))[:3])
        frame.PlanePositionSequence = [position]
        frames.append(frame)
    dataset.SharedFunctionalGroupsSequence, dataset.PerFrameFunctionalGroupsSequence = [shared], frames
    dataset.save_as(folder / "image.dcm")
    return folder / "image.dcm"


MAKERS = {"NIfTI": write_nifti, "NRRD": write_nrrd, "DICOM": write_classic, "enhanced DICOM": write_enhanced}
Maker = Callable[[Path, np.ndarray], Path]


def label_at(volume: Volume, point_mm: np.ndarray) -> np.ndarray:
    """Labels with the one voxel at the point, which is the bright one."""
    at_idx = volume.geometry.mm_to_index(point_mm)
    nearest = tuple(np.rint(at_idx).astype(int))
    assert np.abs(volume.geometry.index_to_mm(nearest) - point_mm).max() <= TOLERANCE_MM
    assert np.argwhere(np.asarray(volume.data)).tolist() == [list(nearest)]
    labels = np.zeros(volume.shape, np.uint8)
    labels[nearest] = 1
    return labels


def assert_lands_on(point_mm: np.ndarray, source: Path, folder: Path, *, sheared: bool = False) -> None:
    """Read, label the voxel at the point, write, and ask the others."""
    volume = read(source)
    labels = label_at(volume, point_mm)
    for name in OUTPUTS:
        write(folder / name, labels, like=volume)
        assert read(folder / name).geometry.is_close(volume.geometry)
        if not (sheared and ".nii" in name):  # SimpleITK refuses those; see volumes.caveats
            assert np.linalg.norm(labelled_mm_by_simpleitk(folder / name) - point_mm) <= TOLERANCE_MM
    assert np.linalg.norm(labelled_mm_by_nibabel(folder / OUTPUTS[0]) - point_mm) <= TOLERANCE_MM


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
def test_all_48_orientations(make: Maker, axes: tuple, tmp_path: Path) -> None:
    for number, signs in enumerate(itertools.product((1, -1), repeat=3)):
        folder = tmp_path / str(number)
        folder.mkdir()
        affine = affine_of(np.eye(3)[:, axes] * signs)
        assert_lands_on((affine @ (*MARKED, 1))[:3], make(folder, affine), folder)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1), (-1, -1, -1)])
def test_oblique_and_flipped(make: Maker, signs: tuple, tmp_path: Path) -> None:
    affine = affine_of(TURN * signs)
    assert_lands_on((affine @ (*MARKED, 1))[:3], make(tmp_path, affine), tmp_path)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
@pytest.mark.parametrize("tilt", [0.1, -0.4])
def test_sheared_as_by_a_tilted_gantry(make: Maker, axes: tuple, tilt: float, tmp_path: Path) -> None:
    directions = TURN[:, axes].copy()
    directions[:, 0] += tilt * directions[:, 1]
    directions[:, 0] /= np.linalg.norm(directions[:, 0])
    affine = affine_of(directions)
    assert_lands_on((affine @ (*MARKED, 1))[:3], make(tmp_path, affine), tmp_path, sheared=True)


def turned(quaternion: tuple[float, float, float, float]) -> np.ndarray:
    return nibabel.quaternions.quat2mat(quaternion)


@st.composite
def affines(draw: st.DrawFn) -> np.ndarray:
    """Any turn, any of both hands, 0.01 to 20 mm, up to 10 m away."""
    quaternion = draw(st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda four: np.linalg.norm(four) > 0.1))
    signs = draw(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3))
    spacing = draw(st.tuples(*[st.floats(0.01, 20)] * 3))
    affine = np.eye(4)
    affine[:3, :3] = turned(quaternion) * signs * spacing
    affine[:3, 3] = draw(st.tuples(*[st.floats(-1e4, 1e4)] * 3))
    return affine


@settings(max_examples=40)
@given(affines(), st.sampled_from([(0, 0, 0), (2, 1, 3), (2, 3, 4)]))
def test_any_geometry(tmp_path_factory: pytest.TempPathFactory, affine: np.ndarray, at_idx: tuple) -> None:
    folder = tmp_path_factory.mktemp("any")
    volume = Volume(phantom(), Geometry(SHAPE, affine), Provenance("made"))
    labels = np.zeros(SHAPE, np.uint8)
    labels[at_idx] = 1
    point_mm = volume.geometry.index_to_mm(at_idx)
    for name in OUTPUTS:
        write(folder / name, labels, like=volume)
        assert np.linalg.norm(labelled_mm_by_simpleitk(folder / name) - point_mm) <= TOLERANCE_MM
    assert np.linalg.norm(labelled_mm_by_nibabel(folder / OUTPUTS[0]) - point_mm) <= TOLERANCE_MM


@settings(max_examples=40)
@given(affines(), st.sampled_from([(1, 1), (2, 0), (0, 1)]), st.sampled_from(["a.nii", "a.nii.gz"]))
def test_any_place_is_read_as_the_others_read_it(
    tmp_path_factory: pytest.TempPathFactory, affine: np.ndarray, codes: tuple[int, int], name: str
) -> None:
    path = tmp_path_factory.mktemp("any") / name
    ras = RAS_TO_LPS @ affine[:, [2, 1, 0, 3]]
    image = nibabel.Nifti1Image(phantom().T, None)
    image.header.set_qform(ras, codes[1])
    image.header.set_sform(ras, codes[0])
    nibabel.save(image, path)
    geometry = read(path).geometry
    assert geometry.is_close(geometry_of(sitk.ReadImage(str(path))), TOLERANCE_MM)
    if codes[0]:  # nibabel rounds qforms near a half turn more coarsely than NIfTI's own library
        assert geometry.is_close(nibabel_geometry(path), TOLERANCE_MM)


ZOO = {
    "example4d.nii.gz": "t1", "anatomical.nii": None, "reoriented_anat_moved.nii": None,
    "ts_spine_report_rgb.nii.gz": None, "CT_AVM.nii.gz": None, "ts_ct_sm.mha": None, "test.mgz": "t1",
}  # fmt: skip


@pytest.mark.parametrize("name", ZOO)
def test_real_files_and_labels_on_them(name: str, shared_data: Path, tmp_path: Path) -> None:
    """Voxels and places are those that the other programs see, in the image and in its labels alike."""
    path, key = shared_data / "format_zoo" / "volumes" / name, ZOO[name]
    assert [info.key for info in list_series(path)] == (["t0", "t1"] if key else ["0"])
    volume = read(path, series=key)
    at_idx = tuple(length // 3 for length in volume.shape)
    labels = np.zeros(volume.shape, np.uint8)
    labels[at_idx] = 1
    write(tmp_path / "labels.nii.gz", labels, like=volume)
    column_row_plane = [int(index) for index in at_idx[::-1]]
    if not name.endswith(".mha"):
        image = nibabel.load(path)
        expected_mm = (RAS_TO_LPS @ image.affine @ [*column_row_plane, 1])[:3]
        assert (
            np.linalg.norm(labelled_mm_by_nibabel(tmp_path / "labels.nii.gz") - expected_mm) <= TOLERANCE_MM
        )
        if not volume.is_rgb:
            values = np.asanyarray(image.dataobj)
            expected = (values[..., 1] if key else values).T
            np.testing.assert_allclose(volume.data[::9], expected[::9], rtol=1e-6)
    if name.endswith(".mgz"):
        return  # sheared: SimpleITK reads neither it nor its labels
    other = sitk.ReadImage(str(path))
    other = other[:, :, :, 1] if other.GetDimension() == 4 else other
    np.testing.assert_allclose(volume.data[::9], sitk.GetArrayFromImage(other)[::9], rtol=1e-6)
    expected_mm = np.array(other.TransformIndexToPhysicalPoint(column_row_plane))
    assert np.linalg.norm(labelled_mm_by_simpleitk(tmp_path / "labels.nii.gz") - expected_mm) <= TOLERANCE_MM
