"""What was done, step by step, so that it can be taken back, done again, and written down."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from napari_sam.core.edits import Action, Edit, PackedEdit

__all__ = ["Entry", "History", "Step"]

StateT = TypeVar("StateT")


@dataclass(frozen=True, eq=False)
class Entry(Generic[StateT]):
    """One line of the history, as it is sent to disk.

    Parameters
    ----------
    kind : ``"do"``, ``"undo"`` or ``"redo"``
        Something new, or a step taken back or done again.
    action : Action or None
        What was done; None for the other two kinds.
    joins : bool
        Whether it belongs to the step before.
    edits : tuple of PackedEdit
        What it changed in the labels, one after the other.
    before, after : StateT
        The state around it; frozen.
    """

    kind: Literal["do", "undo", "redo"]
    action: Action | None
    joins: bool
    edits: tuple[PackedEdit, ...]
    before: StateT
    after: StateT


@dataclass
class Step(Generic[StateT]):
    """What is undone at once: actions with the edits that they made, and the state before and after."""

    before: StateT
    after: StateT
    parts: list[tuple[Action, tuple[PackedEdit, ...]]] = field(default_factory=list)

    @property
    def cause(self) -> str:
        """What was done, for people."""
        return self.parts[0][0].cause

    @property
    def key(self) -> object:
        """What an action's key must equal to join this step."""
        return self.parts[0][0].key


class History(Generic[StateT]):
    """Steps that can be undone and redone.

    A step is what one action did: any number of edits, and the state (prompts, locks) before and after it.

    Parameters
    ----------
    limit : int
        How many steps are kept; the oldest is dropped.
    """

    def __init__(self, limit: int = 1000) -> None:
        self._done: deque[Step[StateT]] = deque(maxlen=limit)
        self._undone: list[Step[StateT]] = []

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to redo."""
        return bool(self._undone)

    @property
    def done(self) -> tuple[Step[StateT], ...]:
        """The steps that can be undone, the oldest first."""
        return tuple(self._done)

    @property
    def undone(self) -> tuple[Step[StateT], ...]:
        """The steps that can be redone, the one to redo first at the end."""
        return tuple(self._undone)

    def joins(self, action: Action) -> bool:
        """Return whether an action would be part of the newest step."""
        return bool(self._done) and self._done[-1].key == action.key

    def push(
        self, edits: Iterable[Edit | PackedEdit], before: StateT, after: StateT, action: Action
    ) -> Entry[StateT]:
        """Note what was done, as a step of its own or as part of the newest step.

        Parameters
        ----------
        edits : iterable of Edit or PackedEdit
            The changes of labels, one after the other; those that change nothing are left out.
        before, after : StateT
            The state around it; frozen.
        action : Action
            What was done; its key says whether it joins the newest step.
        """
        self._undone.clear()
        joins = self.joins(action)
        if not joins:
            self._done.append(Step(before, after))
        packed = tuple(
            one if isinstance(one, PackedEdit) else PackedEdit.of(one)
            for one in edits
            if isinstance(one, PackedEdit) or one.changes
        )
        step = self._done[-1]
        step.after = after
        step.parts.append((action, packed))
        return Entry("do", action, joins, packed, before, after)

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
        edits = (edit for _, edits in reversed(step.parts) for edit in reversed(edits))
        return tuple(edit.backward() for edit in edits), step.before

    def redo(self) -> tuple[tuple[Edit, ...], StateT] | None:
        """Do the step undone last again; returns as `undo` does."""
        if not self._undone:
            return None
        step = self._undone.pop()
        self._done.append(step)
        return tuple(edit.forward() for _, edits in step.parts for edit in edits), step.after

    def entries(self) -> Iterator[Entry[StateT]]:
        """Yield what makes this history from nothing: every step, then the taking back of those undone.

        The state changes with the last entry of a step.
        """
        for step in (*self._done, *reversed(self._undone)):
            for number, (action, edits) in enumerate(step.parts, start=1):
                after = step.after if number == len(step.parts) else step.before
                yield Entry("do", action, number > 1, edits, step.before, after)
        for step in self._undone:
            yield Entry("undo", None, False, (), step.after, step.before)
