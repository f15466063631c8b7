"""The pixels of DICOM planes, in the units they mean (HU for CT)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volumes._dicom.headers import PlaneHeader, quiet_pydicom, read_dataset
from volumes._dicom.raw_planes import read_raw_planes
from volumes._dtypes import compact
from volumes._itk import quiet_sitk
from volumes._quiet import quiet_stderr
from volumes.errors import BrokenFile

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

# Values with a meaning of their own; turning them round to mend the display would make them wrong.
_MEASURED = ("CT", "PT")


def read_planes(planes: Sequence[PlaneHeader]) -> NDArray[Any]:
    """Pixels of planes in the order given, rescaled to their meaning, dark for low.

    Parameters
    ----------
    planes : sequence of PlaneHeader
        Planes of one size and colour.

    Returns
    -------
    ndarray of shape (P, R, C) or (P, R, C, 3)
        Integers where the rescaling keeps them whole, else float32.

    Raises
    ------
    BrokenFile
        If pixels are missing, cut off, or in a compression that cannot be decoded.
    """
    raw = None if any(is_turned(plane) for plane in planes) else read_raw_planes(planes)
    if raw is not None:
        return raw
    places: dict[Path, list[int]] = {}
    for place, plane in enumerate(planes):
        places.setdefault(plane.path, []).append(place)
    meanings: list[NDArray[Any]] = [np.empty(0)] * len(planes)
    for of_file in places.values():
        scales = {(planes[place].slope, planes[place].intercept) for place in of_file}
        frames, is_rescaled = _decode(planes[of_file[0]], one_scale=len(scales) == 1)
        for place in of_file:
            plane = planes[place]
            if plane.frame >= len(frames):
                raise BrokenFile(
                    f"{plane.path} has {len(frames)} frames, its header says more; get a complete copy"
                )
            meanings[place] = _meaning(frames[plane.frame], plane, is_rescaled=is_rescaled or plane.is_colour)
    return compact(_stacked(meanings), str(planes[0].path))


def _stacked(planes: list[NDArray[Any]]) -> NDArray[Any]:
    """Stack planes and let each go as it is copied, so that they are not held twice."""
    stack = np.empty((len(planes), *planes[0].shape), np.result_type(*{plane.dtype for plane in planes}))
    for place in range(len(planes)):
        stack[place] = planes[place]
        planes[place] = np.empty(0)
    return stack


def rescaled(stored: NDArray[Any], slope: float, intercept: float) -> NDArray[Any]:
    """Return ``stored * slope + intercept``, whole where slope and intercept are, else float32."""
    if (slope, intercept) == (1.0, 0.0):
        return stored
    if stored.dtype.kind in "iu" and slope.is_integer() and intercept.is_integer():
        return compact(stored.astype(np.int64) * int(slope) + int(intercept), "the DICOM plane")
    return (stored * np.float64(slope) + intercept).astype(np.float32)


def mirrored_window(plane: PlaneHeader) -> tuple[float, float] | None:
    """Return the plane's window in the values that `read_planes` gives."""
    if plane.window is None or plane.is_colour or not is_turned(plane):
        return plane.window
    low, high = plane.window
    return _mirror_sum(plane) - high, _mirror_sum(plane) - low


def is_turned(plane: PlaneHeader) -> bool:
    """Whether the plane stores high for dark, and its values are only a picture."""
    return plane.photometric == "MONOCHROME1" and plane.modality not in _MEASURED


def _mirror_sum(plane: PlaneHeader) -> float:
    """Sum of the darkest and the brightest storable value, rescaled: value -> sum - value turns it round."""
    return plane.slope * sum(plane.stored_range) + 2 * plane.intercept


def _meaning(pixels: NDArray[Any], plane: PlaneHeader, *, is_rescaled: bool) -> NDArray[Any]:
    """Pixels of one plane in their units, turned round where the file stores high for dark."""
    values = pixels if is_rescaled else rescaled(pixels, plane.slope, plane.intercept)
    return _mirrored(values, plane) if is_turned(plane) and not plane.is_colour else values


def _mirrored(values: NDArray[Any], plane: PlaneHeader) -> NDArray[Any]:
    """Rescaled values with dark and bright exchanged."""
    total = _mirror_sum(plane)
    if values.dtype.kind in "iu" and total.is_integer():
        mirrored = int(total) - values.astype(np.int64)
        limits = np.iinfo(values.dtype)
        if limits.min <= mirrored.min() and mirrored.max() <= limits.max:
            return mirrored.astype(values.dtype)
        return compact(mirrored, str(plane.path))
    return (total - values.astype(np.float64)).astype(np.float32)


def _decode(plane: PlaneHeader, *, one_scale: bool) -> tuple[NDArray[Any], bool]:
    """Pixels (F, R, C) or (F, R, C, 3) of all the file's frames, and whether they are rescaled already."""
    dataset = read_dataset(plane.path, with_pixels=True)
    if not any(keyword in dataset for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise BrokenFile(f"{plane.path} ends before its pixels; get a complete copy")
    syntax = dataset.file_meta.TransferSyntaxUID
    # SimpleITK brings a decoder for each compression; pydicom would need further packages.
    is_compressed = syntax.is_transfer_syntax and syntax.is_encapsulated and not syntax.name.startswith("RLE")
    is_plain = one_scale and "PALETTE" not in plane.photometric and _modality_table(dataset) is None
    frames = _by_sitk(plane) if is_compressed and is_plain and plane.photometric != "MONOCHROME1" else None
    is_rescaled = frames is not None
    if frames is None:
        try:
            frames, is_rescaled = _by_pydicom(dataset, plane)
        except BrokenFile:
            frames, is_rescaled = _by_sitk(plane) if is_compressed and is_plain else None, True
            if frames is None:
                raise
    shape = (*plane.shape_hw, 3) if plane.is_colour else plane.shape_hw
    if frames.shape[-len(shape) :] != shape:
        raise BrokenFile(
            f"{plane.path} holds pixels of shape {frames.shape}, its header says {shape}; "
            "get an undamaged copy"
        )
    return frames.reshape(-1, *shape), is_rescaled


def _by_sitk(plane: PlaneHeader) -> NDArray[Any] | None:
    """Frames of the plane's file, rescaled by GDCM; None where it cannot decode them."""
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(plane.path))
    try:
        with quiet_sitk(), quiet_stderr():
            frames: NDArray[Any] = SimpleITK.GetArrayFromImage(reader.Execute())
    except RuntimeError:
        return None
    # GDCM turns MONOCHROME1 round of itself; back, so that one place decides about it.
    return _mirrored(frames, plane) if plane.photometric == "MONOCHROME1" else frames


def _modality_table(dataset: FileDataset) -> object:
    """Return the table that gives stored values their meaning; None where there is none."""
    sequence = dataset.get("ModalityLUTSequence")
    return sequence[0].get("LUTData") if sequence else None


def _by_pydicom(dataset: FileDataset, plane: PlaneHeader) -> tuple[NDArray[Any], bool]:
    """Frames decoded by pydicom, and whether a table has given them their meaning already.

    Raises
    ------
    BrokenFile
        If they are cut off or in a compression without a decoder.
    """
    from pydicom.pixels.processing import apply_color_lut, apply_modality_lut

    try:
        with quiet_pydicom():
            stored: NDArray[Any] = dataset.pixel_array
            if "PALETTE" in plane.photometric:
                coloured = apply_color_lut(stored, dataset)
                return coloured if coloured.dtype.itemsize == 1 else (coloured >> 8).astype(np.uint8), True
            if _modality_table(dataset) is not None:
                return np.asarray(apply_modality_lut(stored, dataset)), True
            return stored, False
    except Exception as error:  # decoders raise whatever they met
        reason = " ".join(str(error).split())[:200]
        raise BrokenFile(
            f"the pixels of {plane.path} cannot be decoded: {reason}; get an undamaged copy"
        ) from error
