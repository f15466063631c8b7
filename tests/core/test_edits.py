from __future__ import annotations

import numpy as np

from napari_sam.core.edits import Action, Edit, EditGroup
from napari_sam.core.history import History
from volumes import Box

BOX = Box((0, 0, 0), (1, 2, 2))


def edit(before: int, after: int, cause: str = "paint") -> Edit:
    return Edit(BOX, np.full(BOX.shape, before, np.uint16), np.full(BOX.shape, after, np.uint16), cause)


def test_undo_and_redo_give_the_labels_and_the_state() -> None:
    history: History[str] = History()
    assert history.undo() is None
    assert history.redo() is None
    history.push([edit(0, 1)], "a", "b", Action("paint", key=1))
    history.push([edit(1, 2)], "b", "c", Action("paint", key=2))
    (back,), state = history.undo() or ((), "")
    assert (back.before == 2).all()
    assert (back.after == 1).all()
    assert (back.cause, state) == ("undo paint", "b")
    (again,), state = history.redo() or ((), "")
    assert (again.after == 2).all()
    assert (again.cause, state) == ("redo paint", "c")


def test_edits_of_one_key_are_one_step_undone_last_first() -> None:
    history: History[int] = History()
    group = EditGroup("propagate")
    for k in range(3):
        history.push([edit(k, k + 1)], k, k + 1, Action("propagate", key=group))
    edits, state = history.undo() or ((), -1)
    assert [int(e.after[0, 0, 0]) for e in edits] == [2, 1, 0]
    assert state == 0
    assert not history.can_undo
    edits, state = history.redo() or ((), -1)
    assert [int(e.after[0, 0, 0]) for e in edits] == [1, 2, 3]
    assert state == 3


def test_something_new_ends_redo() -> None:
    history: History[int] = History()
    history.push([edit(0, 1)], 0, 1, Action("paint", key=1))
    history.undo()
    history.push([edit(0, 2)], 0, 1, Action("paint", key=2))
    assert not history.can_redo


def test_the_oldest_steps_are_dropped() -> None:
    history: History[int] = History(limit=5)
    for k in range(9):
        history.push([edit(k, k + 1)], k, k + 1, Action("paint", key=k))
    n_undone = 0
    while history.undo() is not None:
        n_undone += 1
    assert n_undone == 5


def test_by_default_many_steps_are_kept() -> None:
    history: History[int] = History()
    for k in range(300):
        history.push([edit(k, k + 1)], k, k + 1, Action("paint", key=k))
    assert sum(history.undo() is not None for _ in range(300)) == 300


def test_an_edit_without_change_is_no_edit_of_the_step() -> None:
    history: History[int] = History()
    history.push([edit(3, 3)], 0, 1, Action("prompt", key=1))
    edits, _ = history.undo() or ((None,), 0)
    assert edits == ()
