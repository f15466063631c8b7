"""The pixels of DICOM planes, in the units they mean (HU for CT)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes._dicom.colour import through_palette, to_rgb
from volumes._dicom.compression import MissingDecoder, Undecodable, decode_frame
from volumes._dicom.dataset import quiet_pydicom, read_dataset, read_tables
from volumes._dicom.encapsulated import DamagedFragments, find_fragments, frame_stream, split_frames
from volumes._dicom.film import film_frames
from volumes._dicom.header_warnings import SenselessElement, merged_notes
from volumes._dicom.headers import PlaneHeader, note_distances
from volumes._dicom.native import native_frames, swapped
from volumes._dicom.raw_planes import read_raw_planes
from volumes._dicom.value_transforms import rescaled, through_table
from volumes._dtypes import compact
from volumes._limits import check_memory
from volumes.errors import BrokenFile, UnsupportedImage, VolumeError

# Values with a meaning of their own; turning them round to mend the display would make them wrong.
_MEASURED = ("CT", "PT", "RTDOSE")


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
    UnsupportedImage
        If they take more memory than there is, or a decoder that is not installed.
    """
    planes = in_one_unit(planes)
    raw = None if any(is_turned(plane) for plane in planes) else read_raw_planes(planes)
    if raw is not None:
        return raw
    first = planes[0]
    n_bytes = len(planes) * first.layout.rows * first.layout.columns * (3 if first.is_colour else 1)
    check_memory(first.path, n_bytes * max(first.layout.bits_allocated // 8, 1))
    places: dict[Path, list[int]] = {}
    for place, plane in enumerate(planes):
        places.setdefault(plane.path, []).append(place)
    stack: NDArray[Any] | None = None
    with np.errstate(over="ignore", invalid="ignore"):  # what a float32 cannot hold becomes infinite
        for of_file in places.values():
            for place, values in zip(of_file, _values([planes[place] for place in of_file]), strict=True):
                stack = _put(stack, place, values, len(planes))
        return compact(np.empty(0) if stack is None else stack, str(first.path))


def in_one_unit(planes: Sequence[PlaneHeader]) -> Sequence[PlaneHeader]:
    """Return planes whose rescaling gives SUV, where that can be told of all of them and is the same."""
    factors = {plane.suv_factor for plane in planes}
    factor = factors.pop()
    if factors or factor is None:
        return planes
    return [_times(plane, factor) for plane in planes]


def header_notes(planes: Sequence[PlaneHeader], distance_mm: float) -> tuple[str, ...]:
    """Return what was odd in the headers of a volume's planes, and what was assumed.

    Parameters
    ----------
    planes : sequence of PlaneHeader
        Planes of one volume.
    distance_mm : float
        Distance of neighbouring planes by their positions.
    """
    notes = merged_notes([plane.notes for plane in planes])
    if len({plane.suv_factor for plane in planes}) > 1:
        notes = (*notes, "the planes would have different SUV factors, so none was applied")
    return (*notes, *note_distances(planes, distance_mm))


def _times(plane: PlaneHeader, factor: float) -> PlaneHeader:
    """Return a plane whose values, and window, are so many times as large."""
    window = None if plane.window is None else (plane.window[0] * factor, plane.window[1] * factor)
    slope, intercept = plane.slope * factor, plane.intercept * factor
    return replace(plane, slope=slope, intercept=intercept, window=window, suv_factor=None)


def mirrored_window(plane: PlaneHeader) -> tuple[float, float] | None:
    """Return the plane's window in the values that `read_planes` gives."""
    if plane.window is None or plane.is_colour or not is_turned(plane):
        return plane.window
    low, high = plane.window
    return _mirror_sum(plane) - high, _mirror_sum(plane) - low


def is_turned(plane: PlaneHeader) -> bool:
    """Whether the plane stores high for dark, and its values are only a picture."""
    return plane.photometric == "MONOCHROME1" and plane.modality not in _MEASURED


def _put(stack: NDArray[Any] | None, place: int, values: NDArray[Any], n_planes: int) -> NDArray[Any]:
    """Put a plane in its place; the stack gets a wider type where a plane has one."""
    if stack is None:
        stack = np.empty((n_planes, *values.shape), values.dtype)
    common = np.result_type(stack, values)
    if common != stack.dtype:
        stack = stack.astype(common)
    stack[place] = values
    return stack


def _values(planes: Sequence[PlaneHeader]) -> Iterator[NDArray[Any]]:
    """Pixels of planes of one file in their units, turned round where the file stores high for dark."""
    first = planes[0]
    needs_tables = first.table_range is not None or first.photometric == "PALETTE COLOR"
    tables = read_tables(first.path) if needs_tables else None
    try:
        with quiet_pydicom():
            for plane, stored in zip(planes, _stored(planes), strict=True):
                if plane.photometric == "PALETTE COLOR" and tables is not None:
                    yield through_palette(stored, plane.layout, tables)
                elif plane.is_colour:
                    yield stored
                elif tables is not None:
                    yield _turned(through_table(stored, tables), plane)
                else:
                    yield _turned(rescaled(stored, plane.slope, plane.intercept), plane)
    except VolumeError:
        raise
    except MissingDecoder as reason:
        raise UnsupportedImage(f"the pixels of {first.path} cannot be decoded: {reason}") from None
    except DamagedFragments as reason:
        raise _undecodable(first.path, f"PixelData (7FE0,0010) {reason}") from None
    except (Undecodable, SenselessElement) as reason:
        raise _undecodable(first.path, str(reason)) from None
    except (ValueError, TypeError, IndexError, OverflowError, MemoryError):  # damage that nothing foresaw
        raise _undecodable(first.path, "they do not fit its header") from None


def _undecodable(path: Path, reason: str) -> BrokenFile:
    """Return the error for pixels that are damaged."""
    return BrokenFile(f"the pixels of {path} cannot be decoded: {reason}; get an undamaged copy")


def _stored(planes: Sequence[PlaneHeader]) -> Iterator[NDArray[Any]]:
    """Yield stored values of planes of one file, colours as RGB."""
    first = planes[0]
    data = _bytes_of(first)
    is_ybr = first.photometric in ("YBR_FULL", "YBR_FULL_422")
    if not first.pixels.is_compressed:
        for frame in _native(data, planes):
            yield to_rgb(frame) if is_ybr else frame
        return
    fragments = find_fragments(data)
    if first.pixels.is_film:
        joined = frame_stream(data, fragments, (0, len(fragments.spans)))
        yield from film_frames(joined, first.layout, [plane.frame for plane in planes])
        return
    spans = split_frames(data, fragments, first.layout.n_frames, _extended_offsets(first))
    for plane in planes:
        stream = frame_stream(data, fragments, spans[plane.frame])
        yield decode_frame(stream, first.pixels, first.layout)


def _native(data: bytes, planes: Sequence[PlaneHeader]) -> NDArray[Any]:
    """Return stored values of planes of a file that is not compressed."""
    pixels, layout = planes[0].pixels, planes[0].layout
    if len(data) < layout.n_bytes:
        raise DamagedFragments(f"is {len(data)} bytes long in place of {layout.n_bytes}")
    if pixels.is_swapped and layout.bits_allocated <= 8:
        data = swapped(data)
    return native_frames(
        data,
        layout,
        [plane.frame for plane in planes],
        is_little=pixels.is_little,
        is_real=pixels.keyword != "PixelData",
    )


def _bytes_of(plane: PlaneHeader) -> bytes:
    """Return the value of the element with the pixels."""
    pixels = plane.pixels
    if pixels.offset_bytes is None:
        return bytes(read_dataset(plane.path, with_pixels=True).PixelData)
    try:
        with plane.path.open("rb") as stream:
            stream.seek(pixels.offset_bytes)
            needed = -1 if pixels.is_compressed else plane.layout.n_bytes + plane.layout.n_bytes % 2
            return stream.read(needed)
    except OSError as error:
        raise BrokenFile(f"{plane.path} cannot be read: {error.strerror}; get an undamaged copy") from None


def _extended_offsets(plane: PlaneHeader) -> tuple[int, ...]:
    """Offsets of the frames in the Extended Offset Table; empty where the file has none."""
    if plane.layout.n_frames == 1:
        return ()
    table = read_tables(plane.path).get("ExtendedOffsetTable")
    if not isinstance(table, bytes):
        return ()
    return tuple(np.frombuffer(table[: len(table) // 8 * 8], "<u8").tolist())


def _turned(values: NDArray[Any], plane: PlaneHeader) -> NDArray[Any]:
    """Values turned round, where high is stored for dark."""
    return _mirrored(values, plane) if is_turned(plane) else values


def _mirror_sum(plane: PlaneHeader) -> float:
    """Sum of the darkest and the brightest possible value: value -> sum - value turns it round."""
    if plane.table_range is not None:
        return sum(plane.table_range)
    return plane.slope * sum(plane.stored_range) + 2 * plane.intercept


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
