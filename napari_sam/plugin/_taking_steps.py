"""What was found without prompts becomes objects of the table: all of it, or one label."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.history import Step
from napari_sam.core.labels import label_values
from napari_sam.core.naming import algorithm_name
from napari_sam.core.objects import SessionState
from napari_sam.plugin._adopting import adopt
from napari_sam.plugin._cases import Case
from napari_sam.plugin._stage import Stage
from volumes import Segment

__all__ = ["Found", "FoundBy", "FoundLayer", "LeftLayers", "TakeState", "TakingSteps"]


@dataclass(frozen=True)
class FoundBy:
    """How something was found.

    Parameters
    ----------
    axis : int
        Across which planes.
    model : str
        By which model.
    """

    axis: int
    model: str


class FoundLayer(Protocol):
    """A layer of labels that were found."""

    on_change: Callable[[], None]
    """Called when it is shown, hidden, removed or made active, and when another label of it is chosen."""

    @property
    def name(self) -> str:
        """As the person knows it."""
        ...

    @property
    def labels(self) -> NDArray[Any]:
        """Of shape (P, R, C), as they are now."""
        ...

    @property
    def chosen(self) -> int:
        """The chosen label; 0 for none."""
        ...

    @property
    def is_there(self) -> bool:
        """Whether it is in the viewer."""
        ...

    @property
    def is_shown(self) -> bool:
        """Whether it is in the viewer, and visible."""
        ...

    @property
    def is_active(self) -> bool:
        """Whether it is the layer that the person works on."""
        ...

    def grow(self, labels: NDArray[Any]) -> None:
        """Show these labels (P, R, C), the same array as before or another."""
        ...

    def show(self, visible: bool) -> None:
        """Show or hide it."""
        ...

    def let_go(self) -> None:
        """Listen to nothing any more."""
        ...


@dataclass(eq=False)
class Found:
    """What one search found.

    Parameters
    ----------
    case : Case
        On which image.
    layer : FoundLayer
        Where it is shown.
    by : FoundBy
        How it was found.
    is_whole : bool
        Whether the search is over, and found something.
    step : Step or None
        The step of the history that took all of it.
    is_away : bool
        Whether it was hidden because all of it was taken.
    """

    case: Case
    layer: FoundLayer
    by: FoundBy
    is_whole: bool = False
    step: Step[SessionState] | None = None
    is_away: bool = False


LeftLayers = Callable[[Hashable], Iterable[tuple[FoundLayer, FoundBy]]]
"""Gives the layers that earlier searches left on the image of a key, and how each was found."""


def _none_left(_: Hashable) -> Iterable[tuple[FoundLayer, FoundBy]]:
    return ()


@dataclass(frozen=True)
class TakeState:
    """What may be taken now.

    Parameters
    ----------
    name : str
        The layer that objects would be taken from; "" for none.
    chosen : int
        The label of it that is chosen; 0 for none.
    """

    name: str = ""
    chosen: int = 0


class TakingSteps:
    """Takes what was found into the session as objects that can be named, corrected and followed.

    One step of the history for all of it. They are numbered without gaps after the last object that is
    there, and objects that are there already keep every voxel. What is shown can be taken; the layer is
    hidden once all of it was: removed it would be gone after an undo, which shows it again.

    Parameters
    ----------
    stage : Stage
        What all steps share.
    left : LeftLayers, optional
        What was found before the dock was closed and opened again; looked for once an image.

    Attributes
    ----------
    on_change : callable
        Called when something else may be taken than before.
    """

    def __init__(self, stage: Stage, left: LeftLayers = _none_left) -> None:
        self._stage, self._left = stage, left
        self._all: list[Found] = []
        self._looked: list[Case] = []
        self.on_change: Callable[[], None] = lambda: None
        stage.on_view.append(self._follow_history)
        stage.on_open.append(self._take_up)

    @property
    def state(self) -> TakeState:
        """What may be taken now."""
        found = self._found
        return TakeState() if found is None else TakeState(found.layer.name, found.layer.chosen)

    def add(self, found: Found) -> None:
        """Note a search that began."""
        self._all.append(found)
        found.layer.on_change = self._changed

    def take(self) -> None:
        """Take all that was found."""
        found = self._found
        if found is None:
            self._stage.say("Find everything first; what was found can be taken while it is shown.")
            return
        ids = self._take(found, found.layer.labels)
        if ids:
            found.step, found.is_away = found.case.session.history.done[-1], True
            found.layer.show(False)

    def take_one(self) -> None:
        """Take the chosen label alone, and turn to it."""
        found = self._found
        chosen = 0 if found is None else found.layer.chosen
        if found is None or not chosen:
            self._stage.say("Choose the layer with what was found, and click one of its labels first.")
            return
        labels = found.layer.labels
        alone = np.where(labels == chosen, labels, labels.dtype.type(0))
        ids = self._take(found, alone)
        if ids:
            self._stage.turn_to(next(iter(ids)))

    def close(self) -> None:
        """Let go of all layers."""
        for found in self._all:
            found.layer.let_go()
        self._all.clear()

    def _take_up(self) -> None:
        """Take up what was found on the chosen image before, where that was not done yet."""
        case = self._stage.case
        if case is None or any(one is case for one in self._looked):
            return
        self._looked.append(case)
        for layer, by in self._left(case.source.key):
            self.add(Found(case, layer, by, is_whole=bool(layer.labels.any())))
        self.on_change()

    @property
    def _found(self) -> Found | None:
        """What would be taken: of the layers that are shown the active one, else the newest."""
        case = self._stage.free_case
        here = [one for one in self._all if one.case is case and one.is_whole and one.layer.is_shown]
        return next((one for one in here if one.layer.is_active), here[-1] if here else None)

    def _take(self, found: Found, labels: NDArray[Any]) -> list[int]:
        """Take labels (P, R, C), and say what came of it; returns the ids of the objects."""
        n_all = len(label_values(labels))
        if not n_all:
            self._stage.say(f"There is nothing of that label in {found.layer.name}; choose another.")
            return []
        session = found.case.session
        numbered, n_free = _numbered(labels, session.labels == 0, session.state.free_id)
        by = algorithm_name(found.by.model)
        known = {value: Segment(value, algorithm=by) for value in label_values(numbered).tolist()}
        done = adopt(self._stage, found.case, numbered, known, found.by.axis)
        if done is None:
            return []
        ids, edits = done
        self._stage.view.show_object(found.case.current_id)
        self._stage.changed(edits, _told(n_free, n_all - n_free, found.layer.name))
        return list(ids.values())

    def _changed(self) -> None:
        self._all = [one for one in self._all if one.layer.is_there]
        self.on_change()

    def _follow_history(self) -> None:
        """Show what was taken again once that is undone, and hide it once it is redone."""
        for found in self._all:
            if found.step is None:
                continue
            history = found.case.session.history
            if any(step is found.step for step in (history.undone if found.is_away else history.done)):
                found.is_away = not found.is_away
                found.layer.show(not found.is_away)


def _numbered(labels: NDArray[Any], is_free: NDArray[np.bool_], first: int) -> tuple[NDArray[np.uint32], int]:
    """Return labels (P, R, C) numbered from `first` on without gaps, in their order, and how many there are.

    Only those that have a free voxel count; what is not free becomes 0.
    """
    taken = np.where(is_free, labels, labels.dtype.type(0))
    values = label_values(taken)
    numbered = np.zeros(labels.shape, np.uint32)
    there = taken != 0
    numbered[there] = np.searchsorted(values, taken[there]) + first
    return numbered, len(values)


def _told(n_taken: int, n_left: int, name: str) -> str:
    """Say in one sentence what came of taking."""
    if not n_taken:
        return f"Nothing was taken from {name}: all of it lies in objects that are there already."
    taken = f"{_objects(n_taken)} taken from {name}"
    left = f"; {n_left} left out, as nothing of {'it' if n_left == 1 else 'them'} was free" if n_left else ""
    return f"{taken}{left}. Undo takes {'it' if n_taken == 1 else 'them'} back."


def _objects(count: int) -> str:
    return "1 object" if count == 1 else f"{count} objects"
