"""The log of a session: one line for everything done, undone or redone, and the history made from it again.

The first line says how the session began. Each later one can be applied without a model: it has what was
done, the voxels before and after in run lengths, and what changed in the objects.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.again import Deed
from napari_sam.core.edits import Action, Edit, PackedEdit
from napari_sam.core.history import Entry, History
from napari_sam.core.holders import holders_of
from napari_sam.core.objects import Anchor, ObjectState, SessionState
from napari_sam.errors import InvalidClass, InvalidPrompt, StoreError
from napari_sam.store.action_codec import (
    state_change_from_json,
    state_change_to_json,
    values_from_json,
    values_to_json,
)
from napari_sam.store.session_codec import Json, packed_from_json, packed_to_json
from volumes import Box

__all__ = [
    "LoggedSession",
    "begin_line",
    "deeds_of",
    "entry_line",
    "first_entry_is_known",
    "first_line",
    "read_lines",
]

_BEGIN = "begin session"
_EMPTY = SessionState({})


def begin_line(log_id: str, state: SessionState, labels: NDArray[Any]) -> str:
    """Write the first line: the objects and their voxels as they are when the log begins."""

    def lacks(one: ObjectState, anchor: Anchor) -> bool:
        held = holders_of(labels, state, one.id, anchor.plane)
        return held is not None and held.n_own < held.n_voxels

    edits = []
    for one in state.objects.values():
        if one.extent is None:
            continue
        inside = labels[one.extent.slices()]
        own = np.where(inside == one.id, inside, inside.dtype.type(0))
        edits.append(packed_to_json(PackedEdit.of(Edit(one.extent, np.zeros_like(own), own, "begin"))))
    line = {
        "action": _BEGIN,
        "id": log_id,
        "dtype": labels.dtype.name,
        "state": state_change_to_json(_EMPTY, state, lacks),
    }
    return _line({**line, "voxels": edits})


def entry_line(entry: Entry[SessionState]) -> str:
    """Write what was done, undone or redone as one line."""
    if entry.action is None:
        return _line({"action": entry.kind})
    line: Json = {"action": entry.action.name}
    if entry.action.cause != entry.action.name:
        line["cause"] = entry.action.cause
    if entry.joins:
        line["joins"] = True
    if entry.action.values:
        line["values"] = values_to_json(entry.action.values)
    if entry.edits:
        line["edits"] = [packed_to_json(edit) for edit in entry.edits]

    def lacks(one: ObjectState, anchor: Anchor) -> bool:
        n_own = sum(int(edit.after.counts[edit.after.values == one.id].sum()) for edit in entry.edits)
        return anchor.mask is not None and n_own < anchor.mask.area

    line["state"] = state_change_to_json(entry.before, entry.after, lacks)
    return _line(line)


def _line(content: Json) -> str:
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"action": content.pop("action"), "at": now, **content}, separators=(",", ":")) + "\n"


def read_lines(content: bytes) -> tuple[list[Json], int]:
    """Read the whole lines of a log, up to the first that is damaged.

    A crash may cut the last line short, a power failure leave rubbish: what comes before still counts.

    Returns
    -------
    list of dict, int
        The lines, and how many bytes they take.
    """
    lines: list[Json] = []
    n_bytes = 0
    for raw in content.split(b"\n")[:-1]:
        try:
            line = json.loads(raw)
        except ValueError:
            break
        if not isinstance(line, dict) or "action" not in line:
            break
        lines.append(line)
        n_bytes += len(raw) + 1
    return lines, n_bytes


def first_entry_is_known(lines: Sequence[Mapping[str, Any]], log_id: str | None = None) -> bool:
    """Return whether a log tells everything from the beginning on (and has that id, where one is given)."""
    begins = bool(lines) and lines[0]["action"] == _BEGIN
    return begins and (log_id is None or lines[0].get("id") == log_id)


def first_line(folder: Path) -> Json | None:
    """Return how a session began, as the log in its folder says; None where it does not."""
    try:
        with (folder / "log.jsonl").open("rb") as file:
            lines, _ = read_lines(file.readline())
    except FileNotFoundError:
        return None
    return lines[0] if first_entry_is_known(lines) else None


def deeds_of(lines: Iterable[Mapping[str, Any]]) -> Iterator[Deed]:
    """Read lines as what is to be done again; raises StoreError for one that cannot be used."""
    for number, line in enumerate(lines, start=2):
        try:
            cause = line.get("cause", line["action"])
            edits = tuple(packed_from_json(item).forward(cause) for item in line.get("edits", ()))
            is_adopted = line["action"] == "adopt"
            yield Deed(
                line["action"],
                values_from_json(line.get("values", {})),
                line.get("joins", False),
                edits,
                cause,
                state_change_from_json(_EMPTY, line["state"]).objects if is_adopted else {},
            )
        except _DAMAGE as error:
            raise _damaged(number, error) from error


@dataclass(eq=False)
class LoggedSession:
    """A session made again from the lines of its log.

    Attributes
    ----------
    labels : NDArray, shape (P, R, C)
        The labels; edited in place by `go_on`.
    state : SessionState
        The objects.
    history : History
        What can be undone and redone.
    """

    labels: NDArray[Any]
    state: SessionState
    history: History[SessionState]

    @classmethod
    def begun(
        cls, first: Mapping[str, Any], shape: tuple[int, int, int], draws: bool = True
    ) -> LoggedSession:
        """Begin as the first line says; without its voxels where they are known from elsewhere."""
        try:
            labels = np.zeros(shape, np.dtype(first["dtype"]))
            for item in first["voxels"] if draws else ():
                edit = packed_from_json(item).forward()
                _check_inside(edit.box, shape)
                inside = labels[edit.box.slices()]
                inside[edit.after != 0] = edit.after[edit.after != 0]
            return cls(labels, state_change_from_json(_EMPTY, first["state"]), History())
        except _DAMAGE as error:
            raise _damaged(1, error) from error

    def go_on(self, lines: Iterable[Mapping[str, Any]], n_drawn: int = 0, checks: bool = False) -> None:
        """Do what later lines say, in order.

        Parameters
        ----------
        lines : iterable of dict
            All lines but the first.
        n_drawn : int
            So many of them are in the labels already; of these, only the history is made.
        checks : bool
            Whether the labels must be what each line says that they were before it.

        Raises
        ------
        StoreError
            A line that cannot be used, or, with `checks`, does not fit the labels.
        """
        for number, line in enumerate(lines, start=1):
            try:
                for edit in self._edits_of(line):
                    _check_inside(edit.box, self.labels.shape)
                    if number > n_drawn:
                        inside = self.labels[edit.box.slices()]
                        if checks and not np.array_equal(inside, edit.before):
                            raise ValueError("the labels before it are others")
                        inside[...] = edit.after
            except _DAMAGE as error:
                raise _damaged(number + 1, error) from error

    def _edits_of(self, line: Mapping[str, Any]) -> Iterator[Edit]:
        """Take a line into the history; yield what it changes in the labels."""
        kind = line["action"]
        if kind in ("undo", "redo"):
            step = self.history.undo() if kind == "undo" else self.history.redo()
            if step is None:
                raise ValueError(f"there is nothing to {kind}")
            edits, self.state = step
            yield from edits
            return
        if kind == "edit":  # from before there were actions
            raise ValueError("it is of an older form")
        after = state_change_from_json(self.state, line["state"])
        packed = tuple(packed_from_json(item) for item in line.get("edits", ()))
        newest = self.history.newest_key if line.get("joins") else None
        action = Action(kind, values_from_json(line.get("values", {})), newest, line.get("cause", ""))
        entry = self.history.push(packed, self.state, after, action)
        self.state = after
        yield from (edit.forward() for edit in entry.edits)


_DAMAGE = (KeyError, TypeError, IndexError, ValueError, InvalidPrompt, InvalidClass, StoreError)


def _check_inside(box: Box, shape: tuple[int, ...]) -> None:
    if box.clip((shape[0], shape[1], shape[2])) != box:
        raise ValueError(f"a box from {box.start} to {box.stop} is not inside {shape}")


def _damaged(number: int, error: Exception) -> StoreError:
    return StoreError(f"line {number} of log.jsonl cannot be used ({error}); restore a copy")
