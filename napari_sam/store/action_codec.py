"""What was done, as plain JSON values, and back: parameters, and what changed in the objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from napari_sam.core.classes import ObjectClass
from napari_sam.core.objects import Anchor, ObjectState, SessionState
from napari_sam.core.planes import PlaneRef
from napari_sam.store.session_codec import (
    Json,
    anchor_from_json,
    anchor_to_json,
    box_from_json,
    box_to_json,
    class_from_json,
    class_to_json,
    prompt_from_json,
    prompt_to_json,
)

__all__ = ["Lacks", "state_change_from_json", "state_change_to_json", "values_from_json", "values_to_json"]


def values_to_json(values: Mapping[str, Any]) -> Json:
    """Write an action's parameters; planes, prompts and classes are known by their names."""
    plane: Any = values.get("plane")
    written: Json = {}
    for name, value in values.items():
        if name == "plane":
            written[name] = [value.axis, value.index]
        elif name == "prompts":
            written[name] = [prompt_to_json(prompt, plane) for prompt in value]
        elif name in ("prompt", "by"):
            written[name] = prompt_to_json(value, plane)
        elif isinstance(value, ObjectClass):
            written[name] = class_to_json(value)
        else:
            written[name] = list(value) if isinstance(value, tuple) else value
    return written


def values_from_json(written: Mapping[str, Any]) -> dict[str, Any]:
    """Read what `values_to_json` wrote."""
    values: dict[str, Any] = {}
    for name, value in written.items():
        if name == "plane":
            values[name] = PlaneRef(*value)
        elif name == "prompts":
            values[name] = [prompt_from_json(prompt)[1] for prompt in value]
        elif name in ("prompt", "by"):
            values[name] = prompt_from_json(value)[1]
        elif name == "object_class" and value is not None:
            values[name] = class_from_json(value)
        elif name == "colour" and value is not None:
            values[name] = tuple(value)
        else:
            values[name] = value
    return values


Lacks = Callable[[ObjectState, Anchor], bool]
"""Says whether an object did not get all of the mask that the answer in a plane gave it."""


def state_change_to_json(before: SessionState, after: SessionState, lacks: Lacks) -> Json:
    """Write how a state differs from the one before it: objects that changed, ids that are gone.

    Masks of answers are written where `lacks` says so: elsewhere the labels have them.
    """
    changed = [
        _object_change(before.objects.get(number), one, lacks)
        for number, one in after.objects.items()
        if before.objects.get(number) is not one
    ]
    written: Json = {"current_id": after.current_id}
    if changed:
        written["objects"] = changed
    gone = [number for number in before.objects if number not in after.objects]
    return {**written, "gone": gone} if gone else written


def state_change_from_json(before: SessionState, written: Mapping[str, Any]) -> SessionState:
    """Return the state after a change that `state_change_to_json` wrote."""
    objects = {number: one for number, one in before.objects.items() if number not in written.get("gone", ())}
    for change in written.get("objects", ()):
        one = objects.get(change["id"]) or ObjectState(change["id"], f"object {change['id']}")
        objects[one.id] = _changed(one, change)
    return SessionState(objects, written["current_id"])


def _object_change(before: ObjectState | None, after: ObjectState, lacks: Lacks) -> Json:
    """Write the fields in which an object differs from what it was, or from a new one."""
    old = before or ObjectState(after.id, f"object {after.id}")
    change: Json = {"id": after.id}
    for name in ("name", "locked", "drawn_by"):
        if getattr(after, name) != getattr(old, name):
            change[name] = getattr(after, name)
    if after.anchors != old.anchors:
        known = {id(anchor) for anchor in old.anchors}
        change["anchors"] = [
            [one.plane.axis, one.plane.index]
            if id(one) in known
            else anchor_to_json(one, with_prompts=True, with_mask=lacks(after, one))
            for one in after.anchors
        ]
    if after.propagated != old.propagated:
        change["propagated"] = _plane_runs(after.propagated)
    if after.extent != old.extent:
        change["extent"] = None if after.extent is None else box_to_json(after.extent)
    if after.object_class != old.object_class:
        change["class"] = None if after.object_class is None else class_to_json(after.object_class)
    if after.colour != old.colour:
        change["colour"] = None if after.colour is None else list(after.colour)
    return change


def _changed(one: ObjectState, change: Mapping[str, Any]) -> ObjectState:
    fields: dict[str, Any] = {name: change[name] for name in ("name", "locked", "drawn_by") if name in change}
    if "anchors" in change:
        known = {anchor.plane: anchor for anchor in one.anchors}
        fields["anchors"] = tuple(_anchor(item, known) for item in change["anchors"])
    if "propagated" in change:
        fields["propagated"] = frozenset(
            PlaneRef(axis, index)
            for axis, first, last in change["propagated"]
            for index in range(first, last)
        )
    if "extent" in change:
        fields["extent"] = None if change["extent"] is None else box_from_json(change["extent"])
    if "class" in change:
        fields["object_class"] = None if change["class"] is None else class_from_json(change["class"])
    if "colour" in change:
        fields["colour"] = None if change["colour"] is None else tuple(change["colour"])
    return replace(one, **fields)


def _anchor(item: Any, known: Mapping[PlaneRef, Anchor]) -> Anchor:
    return known[PlaneRef(*item)] if isinstance(item, list) else anchor_from_json(item)


def _plane_runs(planes: frozenset[PlaneRef]) -> list[list[int]]:
    """Write planes as [axis, first, one after the last]."""
    runs: list[list[int]] = []
    for plane in sorted(planes):
        if runs and runs[-1][0] == plane.axis and runs[-1][2] == plane.index:
            runs[-1][2] += 1
        else:
            runs.append([plane.axis, plane.index, plane.index + 1])
    return runs
