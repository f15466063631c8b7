"""Several planes at one position: split them by the tag that tells them apart.

The tags are tried in this order, and those after the first are tried inside each part again:

====  ===========================================  ==========================================
key   tag                                          counted
====  ===========================================  ==========================================
s     StackID                                      from 0, in order of its text
e     EchoNumbers                                  as the tag says
e     EchoTime, EffectiveEchoTime                  from 1, shortest first
b     DiffusionBValue                              in s/mm2, as the tag says
g     DiffusionGradientOrientation                 from 0, in order of numbers
t     TemporalPositionIdentifier, its index        from 0
a     AcquisitionNumber, FrameAcquisitionNumber    as the tag says
i     ImageType, FrameType                         from 0, in order of its text
d     DimensionIndexValues, one column             as the tag says
t     TriggerTime, NominalCardiacTriggerDelayTime  from 0, by rank at each position
t     AcquisitionTime                              from 0, by rank at each position
t     InstanceNumber and frame                     from 0, by rank at each position; with a note
====  ===========================================  ==========================================

A split counts where each part has one plane a position and is evenly spaced; if there is none, one plane a
position is enough, and reading then says what is wrong with the spacing. Planes that do not repeat but are
unevenly spaced are split too where one tag's two or three values give even stacks of three planes or more, as
two acquisitions with a gap between them do.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes._dicom.headers import PlaneHeader
from volumes._dicom.spacing import is_even, position_ids

__all__ = ["Part", "split_repeats"]

_MOST_STACKS = 3
_FEWEST_PLANES = 3
_BY_NUMBER = "no tag tells the repeats at one position apart; they were taken in the order of their numbers"


@dataclass(frozen=True)
class Part:
    """Some planes of a series, and what tells them from the others.

    Parameters
    ----------
    places : tuple of int
        Which of the planes.
    labels : tuple of str
        Short parts of a key, such as ``("e2", "t0")``.
    words : tuple of str
        The same for a reader.
    notes : tuple of str
        What was assumed.
    """

    places: tuple[int, ...]
    labels: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Tag:
    """One way to tell planes apart: a plane's `value`, its `label` from value and rank, `words` for it."""

    value: Callable[[PlaneHeader], Any]
    label: Callable[[Any, int], str]
    words: Callable[[Any, int], str]
    is_ranked: bool = False
    note: str = ""


def split_repeats(planes: Sequence[PlaneHeader], along_mm: NDArray[np.float64]) -> tuple[Part, ...]:
    """Split planes of one size and orientation so that each part has one plane a position.

    Parameters
    ----------
    planes : sequence of PlaneHeader
        N planes.
    along_mm : ndarray of shape (N,)
        Their positions along the normal.

    Returns
    -------
    tuple of Part
        One part with all planes where none repeats, or where nothing tells repeats apart.
    """
    everything = Part(tuple(range(len(planes))))
    ids = position_ids(along_mm)
    tags = (*_TAGS[:-3], *_dimension_tags(planes), *_TAGS[-3:])
    if ids.max(initial=0) + 1 == len(planes):
        is_whole = is_even(np.sort(along_mm))
        return (everything,) if is_whole else _even_stacks(planes, along_mm, ids, tags) or (everything,)
    for must_be_even in (True, False):
        found = _Splitter(planes, along_mm, ids, tags, must_be_even).split(everything, 0)
        if found is not None:
            return tuple(found)
    return (everything,)


def _even_stacks(
    planes: Sequence[PlaneHeader],
    along_mm: NDArray[np.float64],
    ids: NDArray[np.int64],
    tags: tuple[_Tag, ...],
) -> tuple[Part, ...]:
    """Split planes that do not repeat into a few evenly spaced stacks, by one tag; none where none does."""
    splitter = _Splitter(planes, along_mm, ids, tags, must_be_even=True)
    everything = Part(tuple(range(len(planes))))
    for at, tag in enumerate(tags):
        groups = [] if tag.is_ranked else splitter.group_by_value(everything.places, tag)
        is_few = 2 <= len(groups) <= _MOST_STACKS and min(len(group) for _, group in groups) >= _FEWEST_PLANES
        found = splitter.split_each(everything, groups, at) if is_few else None
        if found is not None:
            return tuple(found)
    return ()


@dataclass(frozen=True)
class _Splitter:
    """The search for a split."""

    planes: Sequence[PlaneHeader]
    along_mm: NDArray[np.float64]
    ids: NDArray[np.int64]
    tags: tuple[_Tag, ...]
    must_be_even: bool

    def split(self, part: Part, first_tag: int) -> list[Part] | None:
        """Split by the tags from `first_tag` on; None where none of them does."""
        places = list(part.places)
        positions = np.unique(self.ids[places])
        if len(positions) == len(places):
            is_fit = not self.must_be_even or is_even(np.sort(self.along_mm[places]))
            return [part] if is_fit else None
        for at in range(first_tag, len(self.tags)):
            tag = self.tags[at]
            groups = self.group_by_rank(places, tag) if tag.is_ranked else self.group_by_value(places, tag)
            n_needed = min(2, len(positions))
            if len(groups) < 2 or any(len(set(self.ids[list(group)])) < n_needed for _, group in groups):
                continue
            found = self.split_each(part, groups, at)
            if found is not None:
                return found
        return None

    def split_each(self, part: Part, groups: list[tuple[Any, list[int]]], at: int) -> list[Part] | None:
        """Split each group by the later tags; None where one cannot be split."""
        tag, found = self.tags[at], []
        for rank, (value, group) in enumerate(groups):
            own = replace(
                part,
                places=tuple(group),
                labels=(*part.labels, tag.label(value, rank)),
                words=(*part.words, tag.words(value, rank)),
                notes=(*part.notes, *((tag.note,) if tag.note else ())),
            )
            parts = self.split(own, at + 1)
            if parts is None:
                return None
            found += parts
        return found

    def group_by_value(self, places: Sequence[int], tag: _Tag) -> list[tuple[Any, list[int]]]:
        """Group planes by a tag's value, smallest first, those without one at the end."""
        groups: dict[Any, list[int]] = defaultdict(list)
        for place in places:
            groups[tag.value(self.planes[place])].append(place)
        return sorted(groups.items(), key=lambda item: (item[0] is None, () if item[0] is None else item[0]))

    def group_by_rank(self, places: Sequence[int], tag: _Tag) -> list[tuple[Any, list[int]]]:
        """Group planes by the rank of a value at their position, where each has as many, all different."""
        at_position: dict[int, list[tuple[Any, int]]] = defaultdict(list)
        for place in places:
            value = tag.value(self.planes[place])
            if value is None:
                return []
            at_position[int(self.ids[place])].append((value, place))
        counts = {len(found) for found in at_position.values()}
        if len(counts) != 1 or any(
            len({value for value, _ in found}) < len(found) for found in at_position.values()
        ):
            return []
        ordered = [sorted(found) for found in at_position.values()]
        return [
            (min(found[rank][0] for found in ordered), [found[rank][1] for found in ordered])
            for rank in range(counts.pop())
        ]


def _numbered(letter: str, word: str) -> tuple[Callable[[Any, int], str], Callable[[Any, int], str]]:
    """Return the label and the words of a tag that is itself a number; ``x`` where it is absent."""

    def label(value: Any, _: int) -> str:
        return f"{letter}x" if value is None else f"{letter}{_short(value)}"

    def words(value: Any, _: int) -> str:
        return f"no {word}" if value is None else f"{word} {_short(value)}"

    return label, words


def _short(value: float) -> str:
    """Write a number, whole ones without a point."""
    return str(int(value)) if float(value).is_integer() else f"{value:g}"


def _counted(
    letter: str, word: str, start: int = 0
) -> tuple[Callable[[Any, int], str], Callable[[Any, int], str]]:
    """Return the label and the words of a tag that is counted; ``x`` where it is absent."""

    def label(value: Any, rank: int) -> str:
        return f"{letter}x" if value is None else f"{letter}{rank + start}"

    def words(value: Any, rank: int) -> str:
        return f"no {word}" if value is None else f"{word} {rank + start}"

    return label, words


def _measured(word: str, unit: str) -> Callable[[Any, int], str]:
    """Return the words for a value with a unit."""
    return lambda value, _: f"no {word}" if value is None else f"{word} {value:g} {unit}"


def _image_type_words(value: Any, rank: int) -> str:
    """Say the third word of an image's type and those after it, which tell magnitude from phase and so on."""
    return f"type {'/'.join(value[2:5])}" if value and len(value) > 2 else f"type {rank}"


def _dimension_tags(planes: Sequence[PlaneHeader]) -> list[_Tag]:
    """Return a way for each dimension that multi-frame files count, where all count as many."""
    lengths = {len(plane.tags.dimensions) for plane in planes}
    n_dimensions = min(lengths.pop(), 8) if len(lengths) == 1 else 0
    label, words = _numbered("d", "dimension index")

    def value_at(dimension: int) -> Callable[[PlaneHeader], Any]:
        return lambda plane: plane.tags.dimensions[dimension]

    return [_Tag(value_at(dimension), label, words) for dimension in range(n_dimensions)]


def _rounded(value: float | None) -> float | None:
    """Round a time to three decimals, since headers do."""
    return None if value is None or not math.isfinite(value) else round(value, 3)


_TAGS = (
    _Tag(lambda plane: plane.tags.stack, *_counted("s", "stack")),
    _Tag(lambda plane: plane.tags.echo, *_numbered("e", "echo")),
    _Tag(lambda plane: _rounded(plane.tags.echo_ms), _counted("e", "", 1)[0], _measured("echo time", "ms")),
    _Tag(lambda plane: plane.tags.b_value, _numbered("b", "")[0], _measured("b", "s/mm2")),
    _Tag(lambda plane: plane.tags.gradient, *_counted("g", "gradient")),
    _Tag(lambda plane: plane.tags.temporal, *_counted("t", "time")),
    _Tag(lambda plane: plane.tags.acquisition, *_numbered("a", "acquisition")),
    _Tag(lambda plane: plane.tags.image_type or None, _counted("i", "")[0], _image_type_words),
    _Tag(
        lambda plane: plane.tags.trigger_ms, _counted("t", "")[0], _measured("trigger", "ms"), is_ranked=True
    ),
    _Tag(lambda plane: plane.tags.acquired_s, *_counted("t", "time"), is_ranked=True),
    _Tag(
        lambda plane: None if plane.number is None else (plane.number, plane.frame),
        *_counted("t", "repeat"),
        is_ranked=True,
        note=_BY_NUMBER,
    ),
)
