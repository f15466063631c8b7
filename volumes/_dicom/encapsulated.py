"""Compressed frames as they lie in a file: fragments, and which of them make a frame."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from volumes._dicom.codestreams import starts_a_stream

_ITEM = b"\xfe\xff\x00\xe0"
_HEAD_BYTES = 8


class DamagedFragments(ValueError):
    """Fragments that do not make up the frames of the header."""


@dataclass(frozen=True)
class Fragments:
    """Fragments of pixel data, and the table of the frames' offsets.

    ``spans`` are (start, stop) of the fragments' contents in the data; ``origin`` is where offsets count
    from; ``is_cut`` says that the last fragment is longer than the file.
    """

    spans: tuple[tuple[int, int], ...]
    offsets: tuple[int, ...]
    origin: int
    is_cut: bool


def find_fragments(data: bytes) -> Fragments:
    """Find the fragments in the value of an encapsulated PixelData element.

    Parameters
    ----------
    data : bytes
        From the offset table's item tag on; may run on behind the last fragment.

    Raises
    ------
    DamagedFragments
        If it does not begin with an offset table.
    """
    if data[:4] != _ITEM or len(data) < _HEAD_BYTES:
        raise DamagedFragments("does not begin with an offset table")
    (length,) = struct.unpack_from("<I", data, 4)
    if length % 4 or length > len(data) - _HEAD_BYTES:
        raise DamagedFragments("has a damaged offset table")
    offsets = struct.unpack_from(f"<{length // 4}I", data, _HEAD_BYTES)
    origin = at = _HEAD_BYTES + length
    spans = []
    is_cut = False
    while data[at : at + 4] == _ITEM and at + _HEAD_BYTES <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        start, stop = at + _HEAD_BYTES, at + _HEAD_BYTES + length
        is_cut = stop > len(data)
        spans.append((start, min(stop, len(data))))
        at = stop
    return Fragments(tuple(spans), offsets, origin, is_cut)


def split_frames(
    data: bytes, fragments: Fragments, n_frames: int, extended: Sequence[int] = ()
) -> tuple[tuple[int, int], ...]:
    """Say which fragments make which frame.

    Parameters
    ----------
    data : bytes
        What `find_fragments` was given.
    fragments : Fragments
        What it found.
    n_frames : int
        How many frames the header promises.
    extended : sequence of int
        Offsets of the Extended Offset Table; empty where there is none.

    Returns
    -------
    tuple of tuple of int
        First fragment of each frame, and the one behind its last.

    Raises
    ------
    DamagedFragments
        If there are too few fragments, or nothing tells which belong together.
    """
    n_fragments = len(fragments.spans)
    if n_fragments < n_frames:
        raise DamagedFragments(f"has {n_fragments} fragments for {n_frames} frames")
    starts: tuple[int, ...] | None
    for table in (extended, fragments.offsets):
        starts = _starts_by_table(fragments, table, n_frames)
        if starts is not None:
            return _ranges(starts, n_fragments)
    if n_frames == 1:
        return ((0, n_fragments),)
    if n_fragments == n_frames:
        return _ranges(tuple(range(n_frames)), n_fragments)
    begins = [
        index
        for index, (start, stop) in enumerate(fragments.spans)
        if starts_a_stream(data[start : min(stop, start + 8)])
    ]
    if len(begins) != n_frames or begins[0] != 0:
        raise DamagedFragments(f"has {n_fragments} fragments for {n_frames} frames and no table of them")
    return _ranges(tuple(begins), n_fragments)


def frame_stream(data: bytes, fragments: Fragments, span: tuple[int, int]) -> bytes:
    """Join the fragments of one frame.

    Raises
    ------
    DamagedFragments
        If the file ends within them.
    """
    first, behind = span
    if fragments.is_cut and behind == len(fragments.spans):
        raise DamagedFragments("is cut off")
    return b"".join(data[start:stop] for start, stop in fragments.spans[first:behind])


def _starts_by_table(fragments: Fragments, table: Sequence[int], n_frames: int) -> tuple[int, ...] | None:
    """Return the fragment that begins each frame; None where the table is none, or is wrong."""
    if len(table) != n_frames or table[0] != 0:
        return None
    places = {start - _HEAD_BYTES - fragments.origin: at for at, (start, _) in enumerate(fragments.spans)}
    starts = [places.get(int(offset)) for offset in table]
    found = [start for start in starts if start is not None]
    if len(found) != n_frames or any(after <= before for before, after in pairwise(found)):
        return None
    return tuple(found)


def _ranges(starts: tuple[int, ...], n_fragments: int) -> tuple[tuple[int, int], ...]:
    """Return half-open ranges that begin at each start and end at the next."""
    return tuple(zip(starts, (*starts[1:], n_fragments), strict=True))
