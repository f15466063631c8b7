"""Changes of a label volume, and their history: what was where before, so that it can be put back."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from volumes import Box

__all__ = ["Edit", "EditGroup", "History"]

StateT = TypeVar("StateT")


@dataclass(frozen=True, eq=False)
class Edit:
    """One change of a label volume; the only thing sent from logic to screen and to disk.

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
    """Edits written with the same group, one after the other, are undone as one step."""

    cause: str


class History(Generic[StateT]):
    """Steps that can be undone and redone.

    A step is what one action did: any number of edits, and the state (prompts, locks) before and after it.
    Edits are kept compressed; the label box of an organ in one plane takes about a kilobyte.

    Parameters
    ----------
    limit : int
        How many steps are kept; the oldest is dropped.
    """

    def __init__(self, limit: int = 1000) -> None:
        self._done: deque[_Step[StateT]] = deque(maxlen=limit)
        self._undone: list[_Step[StateT]] = []

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to redo."""
        return bool(self._undone)

    def push(self, edit: Edit | None, before: StateT, after: StateT, *, cause: str, key: Hashable) -> None:
        """Note what was done, as a step of its own or as part of the newest step.

        Parameters
        ----------
        edit : Edit or None
            The change of labels, where there was one.
        before, after : StateT
            The state around it; frozen.
        cause : str
            What was done.
        key : hashable
            Joins the newest step where that one has an equal key.
        """
        self._undone.clear()
        if not self._done or self._done[-1].key != key:
            self._done.append(_Step(cause, key, before, after))
        step = self._done[-1]
        step.after = after
        if edit is not None and edit.changes:
            step.edits.append(_PackedEdit.of(edit))

    def undo(self) -> tuple[tuple[Edit, ...], StateT] | None:
        """Take the newest step back.

        Returns
        -------
        tuple or None
            The edits to write, in order, and the state to restore; None where nothing is left.
        """
        if not self._done:
            return None
        step = self._done.pop()
        self._undone.append(step)
        return tuple(edit.backward() for edit in reversed(step.edits)), step.before

    def redo(self) -> tuple[tuple[Edit, ...], StateT] | None:
        """Do the step undone last again; returns as `undo` does."""
        if not self._undone:
            return None
        step = self._undone.pop()
        self._done.append(step)
        return tuple(edit.forward() for edit in step.edits), step.after


@dataclass
class _Step(Generic[StateT]):
    cause: str
    key: Hashable
    before: StateT
    after: StateT
    edits: list[_PackedEdit] = field(default_factory=list)


@dataclass(frozen=True)
class _PackedEdit:
    box: Box
    dtype: np.dtype[Any]
    before: bytes
    after: bytes
    cause: str

    @classmethod
    def of(cls, edit: Edit) -> _PackedEdit:
        before, after = (zlib.compress(labels.tobytes(), 1) for labels in (edit.before, edit.after))
        return cls(edit.box, edit.after.dtype, before, after, edit.cause)

    def forward(self) -> Edit:
        return Edit(self.box, self._labels(self.before), self._labels(self.after), f"redo {self.cause}")

    def backward(self) -> Edit:
        return Edit(self.box, self._labels(self.after), self._labels(self.before), f"undo {self.cause}")

    def _labels(self, packed: bytes) -> NDArray[Any]:
        return np.frombuffer(zlib.decompress(packed), dtype=self.dtype).reshape(self.box.shape)
