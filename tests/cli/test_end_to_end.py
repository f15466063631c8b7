"""From files of each kind through `napari-sam segment` to labels that other software finds in place."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK
import tifffile
from numpy.typing import NDArray
from skimage.draw import polygon2mask

from benchmarks._fuzz_dicom_planes import plane, saved
from benchmarks._outside import Seen, compare, mask_on_grid
from benchmarks._outside_dicom import has_dcm2niix, run_dcm2niix, seen_by_simpleitk
from napari_sam.cli.main import main
from tests.fakes import FakeSegmenter, ellipsoid_labels, labelled_volume
from volumes import Geometry, Provenance, Volume

TRUTH = ellipsoid_labels((15, 48, 64)) > 0
GREY = labelled_volume(TRUTH.astype(np.uint16)).data
BOX = "7,6,8,42,56"
FLIP_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
TURNED = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
TURNED = TURNED * np.sign(np.linalg.det(TURNED))
OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = TURNED[:, [2, 1, 0]] * [
    2.5,
    0.7,
    0.8,
]  # plane, row, column: normal, column direction, row direction
OBLIQUE[:3, 3] = (12.5, -33.25, 101.0)


@dataclass(frozen=True)
class Source:
    """An image file, and where its voxels truly lie."""

    path: Path
    geometry: Geometry


def write_dicom(folder: Path) -> Source:
    """A CT series whose planes are oblique, in an order of names that is not theirs."""
    (folder / "ct").mkdir()
    row, column, normal = OBLIQUE[:3, 2] / 0.8, OBLIQUE[:3, 1] / 0.7, OBLIQUE[:3, 0] / 2.5
    for index, pixels in enumerate(GREY):
        position = OBLIQUE[:3, 3] + 2.5 * index * normal
        tags = {
            "ImagePositionPatient": [float(f"{value:.9g}") for value in position],
            "ImageOrientationPatient": [float(f"{value:.9g}") for value in (*row, *column)],
        }
        content = saved(plane(index + 1, (pixels.astype(np.int32) + 1024).astype(np.uint16), **tags))
        (folder / "ct" / f"{(7 * index) % 15}.dcm").write_bytes(content)
    return Source(folder / "ct", Geometry(TRUTH.shape, OBLIQUE))


def write_nifti(folder: Path) -> Source:
    affine = FLIP_RAS @ OBLIQUE[:, [2, 1, 0, 3]]
    nibabel.Nifti1Image(GREY.T, affine).to_filename(folder / "mr.nii.gz")
    return Source(folder / "mr.nii.gz", Geometry(TRUTH.shape, OBLIQUE))


def write_ome_tiff(folder: Path) -> Source:
    sizes = {"PhysicalSizeX": 0.8, "PhysicalSizeY": 0.7, "PhysicalSizeZ": 2.5}
    units = {name + "Unit": "µm" for name in sizes}
    tifffile.imwrite(folder / "cells.ome.tif", GREY, ome=True, metadata={"axes": "ZYX", **sizes, **units})
    return Source(folder / "cells.ome.tif", Geometry.from_spacing(TRUTH.shape, (2.5e-3, 0.7e-3, 0.8e-3)))


def write_ome_zarr(folder: Path) -> Source:
    import zarr

    group = zarr.open_group(folder / "cells.ome.zarr", mode="w", zarr_format=2)
    group.create_array("0", data=GREY, chunks=(4, 16, 16))
    scale = [
        {"type": "scale", "scale": [2.5, 0.7, 0.8]},
        {"type": "translation", "translation": [10.0, 20.0, 30.0]},
    ]
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    geometry = Geometry.from_spacing(TRUTH.shape, (2.5e-3, 0.7e-3, 0.8e-3), (0.03, 0.02, 0.01))
    return Source(folder / "cells.ome.zarr", geometry)


def write_film(folder: Path) -> Source:
    av = pytest.importorskip("av")
    with av.open(str(folder / "film.avi"), "w") as film:
        stream = film.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = TRUTH.shape[2], TRUTH.shape[1], "bgr0"
        for grey in np.clip(GREY // 4, 0, 255).astype(np.uint8):
            colour = np.repeat(grey[..., None], 3, axis=2)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(colour, format="rgb24")))
        film.mux(stream.encode())
    return Source(folder / "film.avi", Geometry.from_spacing(TRUTH.shape, (1.0, 1.0, 1.0)))


def by_nibabel(path: Path, source: Source) -> Seen:
    image: Any = nibabel.load(path)
    return Seen(np.asarray(image.dataobj), FLIP_RAS @ image.affine)


def by_simpleitk(path: Path, source: Source) -> Seen:
    return seen_by_simpleitk(SimpleITK.ReadImage(str(path)))


def by_tifffile(path: Path, source: Source) -> Seen:
    with tifffile.TiffFile(path) as tiff:
        data, pixels = tiff.series[0].asarray(), ET.fromstring(tiff.ome_metadata).find(".//{*}Pixels")
    to_mm = {"mm": 1.0, "µm": 1e-3, "nm": 1e-6}
    scale = [
        float(pixels.get(f"PhysicalSize{axis}")) * to_mm[pixels.get(f"PhysicalSize{axis}Unit", "µm")]
        for axis in "ZYX"
    ]
    return Seen(data, Geometry.from_spacing(TRUTH.shape, scale).affine)


def by_zarr(path: Path, source: Source) -> Seen:
    import zarr

    group: Any = zarr.open_group(path, mode="r")
    held = group.attrs.asdict()
    (image,) = held.get("ome", held)["multiscales"]
    finest = image["datasets"][0]
    moves = {one["type"]: one[one["type"]] for one in finest["coordinateTransformations"]}
    to_mm = [{"micrometer": 1e-3, "millimeter": 1.0}[axis["unit"]] for axis in image["axes"]]
    scale = np.multiply(moves["scale"], to_mm)
    start = np.multiply(moves.get("translation", [0.0, 0.0, 0.0]), to_mm)
    return Seen(
        np.asarray(group[finest["path"]]), Geometry.from_spacing(TRUTH.shape, scale, start[::-1]).affine
    )


def by_highdicom(path: Path, source: Source) -> Seen:
    import highdicom

    volume = highdicom.seg.segread(path).get_volume(combine_segments=True)
    return Seen(volume.array, volume.get_affine("LPS"))


def by_contours(path: Path, source: Source) -> Seen:
    """Fill the contours of an RTSTRUCT, which lie in the planes of the image, with scikit-image."""
    inverse, mask = np.linalg.inv(source.geometry.affine), np.zeros(TRUTH.shape, np.uint8)
    (roi,) = pydicom.dcmread(path).ROIContourSequence
    for contour in roi.ContourSequence:
        points_mm = np.reshape(np.array(contour.ContourData, dtype=float), (-1, 3))
        points = points_mm @ inverse[:3, :3].T + inverse[:3, 3]
        assert np.ptp(points[:, 0]) < 1e-3
        mask[round(points[0, 0])] ^= polygon2mask(TRUTH.shape[1:], points[:, 1:]).astype(np.uint8)
    return Seen(mask, source.geometry.affine)


Write, Judge = Callable[[Path], Source], Callable[[Path, Source], Seen]
WAYS: dict[str, tuple[Write, str, Judge]] = {
    "DICOM to NIfTI": (write_dicom, "o.nii.gz", by_nibabel),
    "DICOM to NRRD": (write_dicom, "o.nrrd", by_simpleitk),
    "DICOM to SEG": (write_dicom, "o.seg.dcm", by_highdicom),
    "DICOM to label map": (write_dicom, "o.labelmap.dcm", by_highdicom),
    "DICOM to RTSTRUCT": (write_dicom, "o.rtstruct.dcm", by_contours),
    "NIfTI to NIfTI": (write_nifti, "o.nii", by_nibabel),
    "NIfTI to MetaImage": (write_nifti, "o.mha", by_simpleitk),
    "NIfTI to NRRD": (write_nifti, "o.nrrd", by_simpleitk),
    "OME-Zarr to OME-Zarr": (write_ome_zarr, "o.ome.zarr", by_zarr),
    "OME-Zarr into itself": (write_ome_zarr, "cells.ome.zarr/labels/found", by_zarr),
    "OME-Zarr to NIfTI": (write_ome_zarr, "o.nii.gz", by_nibabel),
    "OME-TIFF to OME-TIFF": (write_ome_tiff, "o.ome.tif", by_tifffile),
    "OME-TIFF to NRRD": (write_ome_tiff, "o.nrrd", by_simpleitk),
    "film to NIfTI": (write_film, "o.nii.gz", by_nibabel),
}


def dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return 2 * float((found & truth).sum()) / float(found.sum() + truth.sum())


@pytest.mark.parametrize(("write", "name", "judge"), WAYS.values(), ids=WAYS)
def test_labels_lie_where_the_object_is(
    write: Write,
    name: str,
    judge: Judge,
    segmenter: FakeSegmenter,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source, out = write(tmp_path), tmp_path / name
    code = main(["segment", str(source.path), "-o", str(out), "--box", BOX])
    assert capsys.readouterr().err == ""
    assert code == 0
    seen = judge(out, source)
    found, apart_mm = mask_on_grid(seen, source.geometry)
    assert apart_mm <= 1e-3
    assert dice(found, TRUTH) > 0.95


@pytest.mark.parametrize("write", [write_dicom, write_nifti])
def test_the_model_that_ships_finds_it_there_too(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = write(tmp_path), tmp_path / "o.nii.gz"
    code = main(
        ["segment", str(source.path), "-o", str(out), "--box", BOX, "--plane-only", "--device", "cpu"]
    )
    assert capsys.readouterr().err == ""
    assert code == 0
    found, apart_mm = mask_on_grid(by_nibabel(out, source), source.geometry)
    assert apart_mm <= 1e-3
    assert dice(found[7], TRUTH[7]) > 0.85
    assert not found[:7].any()
    assert not found[8:].any()


@pytest.mark.skipif(not has_dcm2niix(), reason="dcm2niix is not installed (a Debian package)")
def test_a_converted_series_is_what_dcm2niix_makes_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = write_dicom(tmp_path), tmp_path / "o.nii.gz"
    assert main(["convert", str(source.path), str(out)]) == 0
    assert capsys.readouterr().err == ""
    image = Volume(GREY, source.geometry, Provenance("made"))
    (theirs,) = run_dcm2niix(sorted(source.path.iterdir()))
    assert str(compare(image, by_nibabel(out, source))) == "="
    assert str(compare(image, theirs)) == "="


@pytest.mark.parametrize("name", ["o.seg.dcm", "o.labelmap.dcm", "o.nrrd"])
def test_labels_go_there_and_back(
    name: str, segmenter: FakeSegmenter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_dicom(tmp_path)
    for out in (name, "straight.nii.gz"):
        assert main(["segment", str(source.path), "-o", str(tmp_path / out), "--box", BOX]) == 0
    back = tmp_path / "back.nii.gz"
    assert main(["convert", str(tmp_path / name), str(back), "--like", str(source.path)]) == 0
    assert capsys.readouterr().err == ""
    straight = by_nibabel(tmp_path / "straight.nii.gz", source)
    assert np.array_equal(by_nibabel(back, source).data, straight.data)
    assert np.allclose(by_nibabel(back, source).affine_lps, straight.affine_lps, atol=1e-4)
