"""Which axes of a microscope's array are planes, rows and columns, and which ones keys choose from."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from volumes.errors import BrokenFile, UnsupportedImage

__all__ = ["TIMES_AS_PLANES", "AxisPlan", "Choice", "plan_axes"]

TIMES_AS_PLANES = "the planes are times; they were taken as far apart as pixels are"

_MOST_CHOICES = 1 << 16
_STACKED = "ZTQI"
"""Axes that can be planes, the first of those longer than one: depth, time, or pages of no stated kind."""


@dataclass(frozen=True)
class Choice:
    """One of several volumes in an array.

    Parameters
    ----------
    key : str
        ``"c1"``, ``"t3"``, ``"c1/t3"``; empty where there is no choice.
    channel, time : int
        Which channel and time, from 0.
    fixed : tuple of (int, int)
        (axis of the array, index on it) for each axis that is no axis of the volume.
    """

    key: str
    channel: int
    time: int
    fixed: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class AxisPlan:
    """Where the axes of a volume are among those of an array.

    Parameters
    ----------
    letters : str
        One upper-case letter an axis of the array.
    lengths : tuple of int
        Their lengths.
    planes : int or None
        The axis that planes lie along; None where there is one plane.
    rows, columns : int
        The axes of a plane.
    colour : int or None
        The axis of red, green and blue, and perhaps alpha, which is left out.
    """

    letters: str
    lengths: tuple[int, ...]
    planes: int | None
    rows: int
    columns: int
    colour: int | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of (planes, rows, columns)."""
        n_planes = 1 if self.planes is None else self.lengths[self.planes]
        return n_planes, self.lengths[self.rows], self.lengths[self.columns]

    @property
    def volume_axes(self) -> tuple[int, ...]:
        """The array's axes that are the volume's, in the volume's order."""
        axes = (self.planes, self.rows, self.columns, self.colour)
        return tuple(axis for axis in axes if axis is not None)

    @property
    def planes_are_times(self) -> bool:
        """Whether the planes lie along time."""
        return self.planes is not None and self.letters[self.planes] == "T"

    def choices(self, where: str) -> tuple[Choice, ...]:
        """List the volumes, channels before times.

        Raises
        ------
        UnsupportedImage
            If there are more than anyone can choose from.
        """
        others = [axis for axis in range(len(self.lengths)) if axis not in self.volume_axes]
        others.sort(key=lambda axis: "CT".find(self.letters[axis]))
        counts = [1 if self.letters[axis] == "S" else self.lengths[axis] for axis in others]
        n_choices = math.prod(counts)
        if n_choices > _MOST_CHOICES:
            raise UnsupportedImage(f"{where} says it holds {n_choices} channels and times; save a part of it")
        return tuple(self._choice(others, indices) for indices in itertools.product(*map(range, counts)))

    def _choice(self, axes: Sequence[int], indices: Sequence[int]) -> Choice:
        at = {self.letters[axis]: index for axis, index in zip(axes, indices, strict=True)}
        parts = [
            f"{self.letters[axis].lower()}{index}"
            for axis, index in zip(axes, indices, strict=True)
            if self.lengths[axis] > 1 and self.letters[axis] != "S"
        ]
        return Choice("/".join(parts), at.get("C", 0), at.get("T", 0), tuple(zip(axes, indices, strict=True)))


def plan_axes(letters: str, lengths: Sequence[int], where: str, *, colour: str = "S") -> AxisPlan:
    """Find the volume's axes in an array's.

    Planes lie along depth where there is depth, else along time. Channels, and times of a stack, are chosen
    by keys.

    Parameters
    ----------
    letters : str
        One upper-case letter an axis: T, C, Z, Y, X, S for colour, Q or I for pages of no stated kind.
    lengths : sequence of int
        Their lengths.
    where : str
        What was read, for the message.
    colour : str
        Letter of the axis that holds red, green and blue.

    Raises
    ------
    BrokenFile
        If an axis is empty, or letters and lengths do not fit each other.
    UnsupportedImage
        If there are no rows or columns, or axes of other kinds.
    """
    if len(letters) != len(lengths) or not letters:
        raise BrokenFile(
            f"{where} names axes {letters or 'none'} for an array of shape {tuple(lengths)}; get a sound copy"
        )
    if min(lengths) < 1:
        raise BrokenFile(f"{where} is empty: its shape is {tuple(lengths)}; get a complete copy")
    long = [letter for letter, length in zip(letters, lengths, strict=True) if length > 1]
    planes = next((letter for letter in _STACKED if letter in long), None)
    known = {"Y", "X", "C", "T", colour, planes}
    if any(letters.count(letter) != 1 for letter in "YX") or not set(long) <= known:
        raise UnsupportedImage(
            f"{where} has axes {letters} of lengths {tuple(lengths)}; stacks of planes with channels and "
            "times are read, so save one such stack"
        )
    if len(set(long)) != len(long):
        raise UnsupportedImage(f"{where} has axes {letters}, one of them twice; save one stack of planes")
    return AxisPlan(
        letters,
        tuple(lengths),
        None if planes is None else letters.index(planes),
        letters.index("Y"),
        letters.index("X"),
        letters.index(colour) if colour in long and lengths[letters.index(colour)] > 2 else None,
    )
