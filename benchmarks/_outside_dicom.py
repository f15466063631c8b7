"""What pydicom, SimpleITK and dcm2niix make of the files of a DICOM volume."""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._outside import Seen, Verdict, compare, compare_values, placed
from volumes import PlaneSource, Volume
from volumes._quiet import quiet_stderr

DCM2NIIX = "dcm2niix"
_FLIP_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def by_pydicom(volume: Volume) -> Verdict:
    """Compare each plane with its frame as pydicom decodes it, and its place with the header's."""
    sources = [one for one in volume.provenance.sources if one is not None]
    planes = [index for index, one in enumerate(volume.provenance.sources) if one is not None]
    theirs = np.stack([_frame_values(one) for one in sources])
    ours = np.stack([np.asarray(volume.data[index]) for index in planes])
    if theirs.dtype == np.uint16 and ours.dtype == np.uint8 and theirs.ndim == 4:
        theirs = theirs >> 8
    values = compare_values(ours, theirs)
    apart_mm = max(
        (_apart_mm(volume, index, one) for index, one in zip(planes, sources, strict=True)), default=0.0
    )
    return placed(values, apart_mm)


def by_simpleitk(volume: Volume) -> Verdict:
    """Compare with what SimpleITK reads from the same files in our order."""
    import SimpleITK

    files = _files(volume)
    with quiet_stderr():
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
        image = SimpleITK.ReadImage([str(path) for path in files] if len(files) > 1 else str(files[0]))
    seen = seen_by_simpleitk(image)
    return compare(volume, seen if has_place(volume) else Seen(seen.data, None))


def seen_by_simpleitk(image: Any) -> Seen:
    """Bring an image of SimpleITK to our order of axes."""
    import SimpleITK

    data, n_axes = SimpleITK.GetArrayFromImage(image), image.GetDimension()
    matrix, affine = np.eye(3), np.eye(4)
    matrix[:n_axes, :n_axes] = np.reshape(image.GetDirection(), (n_axes, n_axes)) * image.GetSpacing()
    affine[:3, :3], affine[:n_axes, 3] = matrix[:, ::-1], image.GetOrigin()
    return Seen(data if n_axes == 3 else data[None], affine)


def by_dcm2niix(volume: Volume) -> Verdict:
    """Compare with the NIfTI file of the same shape that dcm2niix writes from the same files."""
    found = run_dcm2niix(_files(volume))
    if not found:
        return Verdict(None, "writes nothing")
    place = has_place(volume)
    verdicts = [
        compare(volume, one if place else Seen(np.moveaxis(one.data, (0, 1, 2), (2, 1, 0)), None))
        for one in found
    ]
    return next((one for one in verdicts if one.agrees), verdicts[0])


def run_dcm2niix(files: list[Path]) -> list[Seen]:
    """Run dcm2niix on copies of some files, and return what it writes."""
    import nibabel

    with tempfile.TemporaryDirectory(prefix="dcm2niix-") as scratch:
        source, target = Path(scratch, "in"), Path(scratch, "out")
        source.mkdir()
        target.mkdir()
        for number, path in enumerate(files):
            shutil.copyfile(path, source / f"{number:05}.dcm")
        command = [DCM2NIIX, "-z", "n", "-b", "n", "-f", "s%s_e%e", "-o", str(target), str(source)]
        subprocess.run(command, capture_output=True, timeout=120, check=False)
        found = []
        for path in sorted(target.glob("*.nii")):
            image = nibabel.load(path)
            data = np.asarray(image.dataobj)
            if data.dtype.fields:
                data = np.stack([data[name] for name in ("R", "G", "B")], axis=-1)
                data = data.reshape(*data.shape[:2], -1, 3)
            elif data.ndim == 2:
                data = data[..., None]
            found.append(Seen(data, _FLIP_RAS @ image.affine))
    return found


def has_dcm2niix() -> bool:
    """Whether the program is installed."""
    return shutil.which(DCM2NIIX) is not None


def has_place(volume: Volume) -> bool:
    """Whether the headers say where the planes lie."""
    return any(one is not None and _place(one)[0] is not None for one in volume.provenance.sources)


def _files(volume: Volume) -> list[Path]:
    return list(dict.fromkeys(one.path for one in volume.provenance.sources if one is not None))


@functools.lru_cache(maxsize=256)
def _dataset(path: Path) -> Any:
    import pydicom

    dataset = pydicom.dcmread(path, force=True)
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        explicit = pydicom.uid.ExplicitVRLittleEndian if little else pydicom.uid.ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian if implicit else explicit
    return dataset


@functools.lru_cache(maxsize=8)
def _pixels(path: Path) -> NDArray[Any]:
    """Return all frames of a file as pydicom decodes them."""
    dataset = _dataset(path)
    pixels = dataset.pixel_array
    shape = (int(dataset.Rows), int(dataset.Columns), *([3] if dataset.SamplesPerPixel == 3 else []))
    return np.reshape(pixels, (-1, *shape))


def _frame_values(source: PlaneSource) -> NDArray[Any]:
    """Return the values of one frame: palette, table or slope applied as pydicom does."""
    from pydicom.pixels.processing import apply_color_lut, apply_modality_lut

    dataset, frame = _dataset(source.path), _pixels(source.path)[source.frame]
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        return np.asarray(apply_color_lut(frame, dataset))
    if frame.ndim == 3:
        return frame
    slope = _functional(dataset, source.frame, "PixelValueTransformationSequence", "RescaleSlope")
    if slope is not None:
        level = _functional(dataset, source.frame, "PixelValueTransformationSequence", "RescaleIntercept")
        return np.asarray(frame * float(slope) + float(level))
    return np.asarray(apply_modality_lut(frame, dataset))


def _functional(dataset: Any, frame: int, sequence: str, keyword: str) -> Any:
    """Return a value from the frame's own or the shared functional groups; None where there is none."""
    own = dataset.get("PerFrameFunctionalGroupsSequence")
    shared = dataset.get("SharedFunctionalGroupsSequence")
    for group in ([own[frame]] if own else []) + ([shared[0]] if shared else []):
        if group.get(sequence) and group[sequence][0].get(keyword) is not None:
            return group[sequence][0].get(keyword)
    return None


def _place(source: PlaneSource) -> tuple[Any, Any, Any]:
    """Return position, orientation and pixel spacing of a frame as its header has them."""
    dataset = _dataset(source.path)
    names = (
        ("PlanePositionSequence", "ImagePositionPatient"),
        ("PlaneOrientationSequence", "ImageOrientationPatient"),
        ("PixelMeasuresSequence", "PixelSpacing"),
    )  # fmt: skip
    found = [_functional(dataset, source.frame, *name) or dataset.get(name[1]) for name in names]
    if int(dataset.get("NumberOfFrames") or 1) > 1 and not dataset.get("PerFrameFunctionalGroupsSequence"):
        found[0] = None  # one position for all frames is none
    return found[0] or None, found[1] or None, found[2] or None


def _apart_mm(volume: Volume, plane: int, source: PlaneSource) -> float:
    """Largest distance of a plane's corners from where its header puts them."""
    position, orientation, spacing = _place(source)
    if position is None or orientation is None or spacing is None:
        return 0.0
    row_mm, column_mm = (float(one) for one in spacing)
    along_row, along_column = np.reshape(np.array(orientation, dtype=float), (2, 3))
    apart = []
    for row, column in ((0, 0), (volume.shape[1] - 1, 0), (0, volume.shape[2] - 1)):
        there = np.array(position, dtype=float) + along_row * column * column_mm + along_column * row * row_mm
        apart.append(np.linalg.norm(there - volume.geometry.index_to_mm((plane, row, column))))
    return float(max(apart))
