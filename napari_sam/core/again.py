"""Doing a session's actions again with a model: what it would have become with this one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from napari_sam.core.edits import Edit
from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask
from napari_sam.core.objects import ObjectState
from napari_sam.core.propagation import PropagationLimits, propagate
from napari_sam.core.segmenter import Segmenter, SegmentRequest, glance_of
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.errors import SamError
from volumes import Box, Segment

__all__ = ["Deed", "do_again"]


@dataclass(frozen=True, eq=False)
class Deed:
    """One line of a log: what was done, its parameters, whether it joined the step before, and its edits.

    `added` are the objects that came in with labels of another origin, as they were then.
    """

    name: str
    values: Mapping[str, Any]
    joins: bool
    edits: tuple[Edit, ...]
    cause: str
    added: Mapping[int, ObjectState] = field(default_factory=dict)


def do_again(
    session: Session, deeds: Iterable[Deed], segmenter: Segmenter, cancel: Cancel | None = None
) -> tuple[str, ...]:
    """Do what a log says in a session of the same image, asking a model where one was asked.

    Prompts are answered anew and propagations run anew, with their axis, range and limits; a propagation that
    was cancelled runs to its end. Brush strokes and clean-ups change the voxels that they changed then.

    Returns
    -------
    tuple of str
        What could not be done again, one sentence each.
    """
    again = _Again(session, segmenter, cancel or Cancel())
    for deed in deeds:
        again.cancel.check()
        again.do(deed)
    return tuple(again.left_out)


class _Again:
    """A session being done again."""

    def __init__(self, session: Session, segmenter: Segmenter, cancel: Cancel) -> None:
        self.session, self.segmenter, self.cancel = session, segmenter, cancel
        self.request: SegmentRequest | None = None
        self.left_out: list[str] = []
        self.propagated = False

    def do(self, deed: Deed) -> None:
        """Do one thing; what the session refuses is left out, and said."""
        is_propagation = deed.name == "write" and bool(deed.values.get("propagated"))
        if is_propagation and self.propagated and deed.joins:
            return
        self.propagated = is_propagation
        try:
            if deed.name in _DOERS:
                _DOERS[deed.name](self, deed.values)
            else:
                self._redraw(deed)
        except SamError as error:
            self.left_out.append(f"{deed.name}: {error}")

    def ask(self, values: Mapping[str, Any]) -> None:
        """Give a prompt, or move or remove one."""
        self.session.window = Window(*values["window"]) if "window" in values else self.session.window
        plane, object_id = values["plane"], values["object_id"]
        if "prompts" in values:
            self.request = self.session.prompt(plane, *values["prompts"], object_id=object_id)
        elif "by" in values:
            self.request = self.session.replace_prompt(plane, values["prompt"], values["by"], object_id)
        else:
            self.request = self.session.remove_prompt(plane, values["prompt"], object_id)

    def answer(self, values: Mapping[str, Any]) -> None:
        """Put the model's answer into the labels."""
        if self.request is None:
            return
        if values.get("is_glance"):
            prediction = glance_of(self.segmenter, self.request)
        else:
            prediction = self.segmenter.segment(self.request)
        chosen = values.get("candidate")
        candidate = None if chosen is None else min(chosen, len(prediction.masks) - 1)
        self.session.apply(
            prediction, self.request, candidate=candidate, overwrites=values.get("overwrites", False)
        )

    def _redraw(self, deed: Deed) -> None:
        if deed.name == "write" and deed.values.get("propagated"):
            self._propagate(deed)
            return
        if deed.name == "adopt":
            self._adopt(deed)
            return
        for edit in deed.edits:
            before = self.session.labels[edit.box.slices()].copy()
            after = np.where(edit.before != edit.after, edit.after, before)
            if deed.name == "paint":
                self.session.paint(edit.box, before, after)
            elif deed.name == "write":
                self._write(deed, edit)
            elif deed.name == "reshape":
                object_id = deed.values["object_id"]
                mask = BoxedMask(edit.box, np.asarray(after == object_id))
                self.session.reshape(object_id, mask, deed.cause, overwrites=deed.values["overwrites"])

    def _write(self, deed: Deed, edit: Edit) -> None:
        bits = edit.after == deed.values["object_id"]
        tight = Box.of_mask(bits, offset=edit.box.start)
        mask = BoxedMask(edit.box, bits).within(tight or edit.box)
        overwrites = deed.values.get("overwrites", False)
        self.session.write(deed.values["plane"], mask, deed.values["object_id"], overwrites=overwrites)

    def _adopt(self, deed: Deed) -> None:
        """Take all objects of other labels in again, by their names: one step, as it was."""
        labels = np.zeros_like(self.session.labels)
        for edit in deed.edits:
            is_new = edit.before != edit.after
            labels[edit.box.slices()][is_new] = edit.after[is_new]
        known = {number: _described(one) for number, one in deed.added.items()}
        self.session.adopt(labels, known, found_across=deed.values.get("found_across"))

    def _propagate(self, deed: Deed) -> None:
        how = deed.values.get("group", {})
        planes = how.get("planes")
        limits = how.get("limits")
        for _ in propagate(
            self.session,
            self.segmenter,
            deed.values["object_id"],
            axis=how.get("axis", deed.values["plane"].axis),
            planes=None if planes is None else (planes[0], planes[1]),
            limits=None if limits is None else PropagationLimits(**limits),
            cancel=self.cancel,
        ):
            pass


def _described(one: ObjectState) -> Segment:
    """Say of an object what its file said of it."""
    said = Segment(one.id, one.name, one.colour, algorithm=one.drawn_by)
    if one.object_class is None:
        return said
    return replace(said, category=one.object_class.category, kind=one.object_class.kind)


_Doer = Callable[[_Again, Mapping[str, Any]], object]
_DOERS: dict[str, _Doer] = {
    "prompt": _Again.ask,
    "move prompt": _Again.ask,
    "remove prompt": _Again.ask,
    "answer": _Again.answer,
    "candidate": lambda a, v: a.session.choose(
        v["plane"], v["candidate"], v["object_id"], overwrites=v.get("overwrites", False)
    ),
    "undo": lambda a, v: a.session.undo(),
    "redo": lambda a, v: a.session.redo(),
    "accept": lambda a, v: a.session.accept(v["object_id"]),
    "lock": lambda a, v: a.session.lock(v["object_id"]),
    "unlock": lambda a, v: a.session.lock(v["object_id"], False),
    "rename": lambda a, v: a.session.rename(v["object_id"], v["name"]),
    "set class": lambda a, v: a.session.set_class(v["object_id"], v["object_class"]),
    "set colour": lambda a, v: a.session.set_colour(v["object_id"], v["colour"]),
    "delete": lambda a, v: a.session.delete(*v["object_ids"]),
    "merge": lambda a, v: a.session.merge(v["object_ids"], v["into"]),
    "split": lambda a, v: a.session.split(v["object_id"]),
    "renumber": lambda a, v: a.session.renumber(dict(v["mapping"])),
    "clear plane": lambda a, v: a.session.clear_plane(v["plane"], v["object_id"]),
    "accept plane": lambda a, v: a.session.accept_plane(v["plane"], v["object_id"]),
}
