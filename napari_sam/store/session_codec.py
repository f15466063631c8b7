"""Objects, prompts and edits as plain JSON values, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.edits import Edit
from napari_sam.core.masks import BoxedMask
from napari_sam.core.objects import Anchor, ObjectState
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt, Prompt
from napari_sam.errors import StoreError
from volumes import Box

__all__ = [
    "edit_from_json",
    "edit_to_json",
    "from_runs",
    "object_from_json",
    "object_to_json",
    "prompt_from_json",
    "prompt_to_json",
    "to_runs",
]

Json = dict[str, Any]


def to_runs(values: NDArray[Any]) -> list[int]:
    """Write whole numbers or booleans, in C order, as ``[value, count, value, count, …]``."""
    flat = np.ascontiguousarray(values).reshape(-1)
    if flat.size == 0:
        return []
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    counts = np.diff(np.append(starts, flat.size))
    runs: list[int] = np.stack([flat[starts].astype(np.int64), counts], axis=1).reshape(-1).tolist()
    return runs


def from_runs(runs: Sequence[int], shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Read what `to_runs` wrote.

    Raises
    ------
    StoreError
        The runs do not fill the shape.
    """
    pairs = np.asarray(runs, dtype=np.int64)
    if pairs.size % 2 or (pairs[1::2] < 0).any() or int(pairs[1::2].sum()) != int(np.prod(shape)):
        raise StoreError(
            f"run lengths do not fill an array of shape {shape}; the file is damaged, restore a copy"
        )
    return np.repeat(pairs[0::2], pairs[1::2]).astype(dtype).reshape(shape)


def prompt_to_json(prompt: Prompt, plane: PlaneRef) -> Json:
    """Write a prompt; on axis 0 its keys are those that ``napari-sam segment --prompts`` reads."""
    where = {"axis": plane.axis, "plane": plane.index}
    if isinstance(prompt, PointPrompt):
        return {"type": "point", **where, "at": list(prompt.at), "positive": prompt.positive}
    if isinstance(prompt, BoxPrompt):
        return {"type": "box", **where, "box": list(plane.box_hw(prompt.box))}
    box_hw = list(plane.box_hw(prompt.mask.box))
    return {"type": "mask", **where, "box": box_hw, "runs": to_runs(prompt.mask.bits)}


def prompt_from_json(value: Mapping[str, Any]) -> tuple[PlaneRef, Prompt]:
    """Read what `prompt_to_json` wrote.

    Raises
    ------
    StoreError
        An unknown type of prompt.
    """
    plane = PlaneRef(value["axis"], value["plane"])
    kind = value["type"]
    if kind == "point":
        at = value["at"]
        return plane, PointPrompt((at[0], at[1], at[2]), value["positive"])
    if kind not in ("box", "mask"):
        raise StoreError(f"a prompt of type {kind!r} is unknown; open it with a newer napari-sam")
    row0, col0, row1, col1 = value["box"]
    box = plane.box_of((row0, col0, row1, col1))
    if kind == "box":
        return plane, BoxPrompt(box)
    return plane, MaskPrompt(BoxedMask(box, from_runs(value["runs"], box.shape, np.dtype(np.bool_))))


def object_to_json(state: ObjectState) -> Json:
    """Write an object: name, lock, prompts by plane, and which planes are anchors or propagated."""
    return {
        "id": state.id,
        "name": state.name,
        "locked": state.locked,
        "prompts": [
            prompt_to_json(prompt, anchor.plane) for anchor in state.anchors for prompt in anchor.prompts
        ],
        "anchors": [_plane_to_json(anchor) for anchor in state.anchors],
        "propagated": [[plane.axis, plane.index] for plane in sorted(state.propagated)],
    }


def object_from_json(value: Mapping[str, Any]) -> ObjectState:
    """Read what `object_to_json` wrote; logits are not kept, and the extent follows from the labels."""
    prompts: dict[PlaneRef, list[Prompt]] = {}
    for item in value["prompts"]:
        plane, prompt = prompt_from_json(item)
        prompts.setdefault(plane, []).append(prompt)
    anchors = []
    for item in value["anchors"]:
        plane = PlaneRef(item["axis"], item["plane"])
        own, candidate = tuple(prompts.get(plane, ())), item.get("candidate")
        if not (candidate is None or isinstance(candidate, int)):
            raise StoreError(f"the candidate {candidate!r} is no number; the file is damaged, restore a copy")
        anchors.append(Anchor(plane, own, None, item["score"], item["is_settled"], candidate))
    propagated = frozenset(PlaneRef(axis, index) for axis, index in value["propagated"])
    return ObjectState(value["id"], value["name"], value["locked"], tuple(anchors), propagated)


def edit_to_json(edit: Edit) -> Json:
    """Write an edit with what was there before and after, so that it can be done and undone again."""
    return {
        "cause": edit.cause,
        "box": [list(edit.box.start), list(edit.box.stop)],
        "dtype": edit.after.dtype.name,
        "before": to_runs(edit.before),
        "after": to_runs(edit.after),
    }


def edit_from_json(value: Mapping[str, Any]) -> Edit:
    """Read what `edit_to_json` wrote."""
    (p0, r0, c0), (p1, r1, c1) = value["box"]
    box = Box((p0, r0, c0), (p1, r1, c1))
    dtype = np.dtype(value["dtype"])
    before, after = (from_runs(value[when], box.shape, dtype) for when in ("before", "after"))
    return Edit(box, before, after, value["cause"])


def _plane_to_json(anchor: Anchor) -> Json:
    return {
        "axis": anchor.plane.axis,
        "plane": anchor.plane.index,
        "score": anchor.score,
        "is_settled": anchor.is_settled,
        "candidate": anchor.candidate,
    }
