"""Changes of a label volume: what was where before, so that it can be put back, and what did it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes import Box

__all__ = ["Action", "Edit", "EditGroup", "PackedEdit", "Runs"]


@dataclass(frozen=True, eq=False)
class Edit:
    """One change of a label volume; the only thing sent from logic to screen.

    Parameters
    ----------
    box : Box
        The voxels that may have changed; empty where nothing did.
    before, after : NDArray, shape `box.shape`, the labels' dtype
        What the box held and what it holds now.
    cause : str
        What was done, for people: ``"prompt"``, ``"paint"``, ``"propagate"``, ``"undo prompt"``.
    """

    box: Box
    before: NDArray[Any]
    after: NDArray[Any]
    cause: str

    @property
    def changes(self) -> bool:
        """Whether any voxel differs."""
        return not np.array_equal(self.before, self.after)


@dataclass(frozen=True, eq=False)
class EditGroup:
    """Edits written with the same group, one after the other, are undone as one step.

    Parameters
    ----------
    cause : str
        What they belong to, for people.
    values : mapping of str to JSON values
        How it was done, as far as doing it again needs to know: see `propagation_group`.
    """

    cause: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Action:
    """What somebody did, with as much as is needed to do it again.

    Parameters
    ----------
    name : str
        ``"prompt"``, ``"answer"``, ``"merge"`` …; docs/session-format.md has all of them.
    values : mapping of str to object
        Its parameters: numbers, texts, planes, prompts, classes, or lists of them. What it made of the voxels
        is in the edit.
    key : hashable, optional
        Actions with equal keys, one after the other, are one step to undo; None is a step of its own.
    cause : str
        What was done, for people; the name where it is empty.
    """

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    key: Hashable = None
    cause: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", self if self.key is None else self.key)
        object.__setattr__(self, "cause", self.cause or self.name)


@dataclass(frozen=True, eq=False)
class Runs:
    """Whole numbers in C order as values, each with how often it comes in a row.

    Parameters
    ----------
    values : NDArray of integers or booleans, shape (n,)
        The values.
    counts : NDArray of integers, shape (n,)
        How often each comes.
    """

    values: NDArray[Any]
    counts: NDArray[np.integer]

    @classmethod
    def of(cls, array: NDArray[Any]) -> Runs:
        """Pack an array of any shape; nothing is copied of it."""
        flat = np.ascontiguousarray(array).reshape(-1)
        if flat.size == 0:
            return cls(flat[:0].copy(), np.zeros(0, np.int32))
        starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
        counts = np.diff(np.append(starts, flat.size))
        return cls(flat[starts], counts.astype(np.int32) if flat.size < 2**31 else counts)

    def to_array(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """Unpack; the counts must fill the shape."""
        return np.repeat(self.values, self.counts).reshape(shape)


@dataclass(frozen=True, eq=False)
class PackedEdit:
    """An `Edit` as history keeps it; an organ's box in one plane takes about a kilobyte."""

    box: Box
    before: Runs
    after: Runs
    cause: str

    @classmethod
    def of(cls, edit: Edit) -> PackedEdit:
        """Pack an edit."""
        return cls(edit.box, Runs.of(edit.before), Runs.of(edit.after), edit.cause)

    def forward(self, cause: str | None = None) -> Edit:
        """Return the edit again; named ``"redo …"`` unless another cause is given."""
        before, after = (runs.to_array(self.box.shape) for runs in (self.before, self.after))
        return Edit(self.box, before, after, f"redo {self.cause}" if cause is None else cause)

    def backward(self) -> Edit:
        """Return the edit that takes it back."""
        before, after = (runs.to_array(self.box.shape) for runs in (self.before, self.after))
        return Edit(self.box, after, before, f"undo {self.cause}")
