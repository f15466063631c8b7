"""What was odd in a header and what was assumed instead, to be told to the user."""

from __future__ import annotations

from dataclasses import dataclass, field

_LONGEST = 12


@dataclass
class HeaderNotes:
    """Notes gathered while one header is read, each once, in order; never what a tag says of a patient."""

    _found: dict[str, None] = field(default_factory=dict)

    def add(self, note: str) -> None:
        """Keep a note; the same one twice is one."""
        self._found.setdefault(note)

    def as_tuple(self) -> tuple[str, ...]:
        """Return the notes in the order in which they came up."""
        return tuple(self._found)


class SenselessElement(ValueError):
    """An element that is needed holds something that cannot be understood; its text names the tag only."""


def tag_name(keyword: str) -> str:
    """Return a keyword with its tag, such as ``"PixelSpacing (0028,0030)"``."""
    from pydicom.datadict import tag_for_keyword

    tag = tag_for_keyword(keyword)
    return keyword if tag is None else f"{keyword} ({tag >> 16:04X},{tag & 0xFFFF:04X})"


def merged_notes(notes_of_planes: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the notes of many planes, each once, with how many planes it concerns where not all.

    Parameters
    ----------
    notes_of_planes : list of tuple of str
        One tuple a plane.
    """
    counts: dict[str, int] = {}
    for notes in notes_of_planes:
        for note in notes:
            counts[note] = counts.get(note, 0) + 1
    total = len(notes_of_planes)
    merged = [note if n == total else f"{note} ({n} of {total} planes)" for note, n in counts.items()]
    if len(merged) > _LONGEST:
        merged = [*merged[:_LONGEST], f"and {len(merged) - _LONGEST} more notes on the headers"]
    return tuple(merged)
