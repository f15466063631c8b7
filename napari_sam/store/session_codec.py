"""Objects, prompts and edits as plain JSON values, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.classes import ObjectClass
from napari_sam.core.edits import Edit, PackedEdit, Runs
from napari_sam.core.kept_answers import KeptAnswer
from napari_sam.core.masks import BoxedMask
from napari_sam.core.objects import Anchor, ObjectState
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt, Prompt
from napari_sam.errors import StoreError
from volumes import Box, Code

__all__ = [
    "Json",
    "anchor_from_json",
    "anchor_to_json",
    "box_from_json",
    "box_to_json",
    "class_from_json",
    "class_to_json",
    "edit_from_json",
    "edit_to_json",
    "from_runs",
    "object_from_json",
    "object_to_json",
    "packed_from_json",
    "packed_to_json",
    "prompt_from_json",
    "prompt_to_json",
    "to_runs",
]

Json = dict[str, Any]
_MOST_CANDIDATES = 256


def to_runs(values: NDArray[Any]) -> list[int]:
    """Write whole numbers or booleans, in C order, as ``[value, count, value, count, …]``."""
    return _runs_to_json(Runs.of(values))


def from_runs(runs: Sequence[int], shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Read what `to_runs` wrote.

    Raises
    ------
    StoreError
        The runs do not fill the shape.
    """
    return _runs_from_json(runs, shape, dtype).to_array(shape)


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
    """Write an object: what describes it, prompts by plane, and which planes are anchors or propagated."""
    written = {
        "id": state.id,
        "name": state.name,
        "locked": state.locked,
        "prompts": [
            prompt_to_json(prompt, anchor.plane) for anchor in state.anchors for prompt in anchor.prompts
        ],
        "anchors": [anchor_to_json(anchor) for anchor in state.anchors],
        "propagated": [[plane.axis, plane.index] for plane in sorted(state.propagated)],
    }
    if state.object_class is not None:
        written["class"] = class_to_json(state.object_class)
    if state.colour is not None:
        written["colour"] = list(state.colour)
    if state.drawn_by:
        written["drawn_by"] = state.drawn_by
    return written


def object_from_json(value: Mapping[str, Any]) -> ObjectState:
    """Read what `object_to_json` wrote; logits are not kept, and the extent follows from the labels."""
    prompts: dict[PlaneRef, list[Prompt]] = {}
    for item in value["prompts"]:
        plane, prompt = prompt_from_json(item)
        prompts.setdefault(plane, []).append(prompt)
    anchors = (anchor_from_json(item) for item in value["anchors"])
    return ObjectState(
        value["id"],
        value["name"],
        value["locked"],
        tuple(replace(anchor, prompts=tuple(prompts.get(anchor.plane, ()))) for anchor in anchors),
        frozenset(PlaneRef(axis, index) for axis, index in value["propagated"]),
        object_class=class_from_json(value["class"]) if value.get("class") else None,
        colour=_colour(value.get("colour")),
        drawn_by=value.get("drawn_by", ""),
    )


def anchor_to_json(anchor: Anchor, with_prompts: bool = False, with_mask: bool = False) -> Json:
    """Write an anchor, with its prompts where they stand nowhere else, and its answer's mask if wanted."""
    written: Json = {
        "axis": anchor.plane.axis,
        "plane": anchor.plane.index,
        "score": anchor.score,
        "is_settled": anchor.is_settled,
        "candidate": anchor.candidate,
    }
    if anchor.is_accepted:
        written["is_accepted"] = True
    mask = anchor.mask if with_mask else None
    if mask is not None and not mask.is_empty:
        box_hw = list(anchor.plane.box_hw(mask.box))
        written["mask"] = {"candidate": anchor.taken, "box": box_hw, "runs": to_runs(mask.bits)}
    if anchor.mends:
        written["mends"] = True
    if with_prompts and anchor.prompts:
        written["prompts"] = [prompt_to_json(prompt, anchor.plane) for prompt in anchor.prompts]
    return written


def anchor_from_json(item: Mapping[str, Any]) -> Anchor:
    """Read what `anchor_to_json` wrote; raises StoreError for a candidate that is no number."""
    candidate = item.get("candidate")
    if not (candidate is None or isinstance(candidate, int)):
        raise StoreError(f"the candidate {candidate!r} is no number; the file is damaged, restore a copy")
    return Anchor(
        PlaneRef(item["axis"], item["plane"]),
        tuple(prompt_from_json(prompt)[1] for prompt in item.get("prompts", ())),
        None,
        item["score"],
        item["is_settled"],
        candidate,
        _kept_from_json(item),
        item.get("is_accepted", False),
        mends=item.get("mends", False),
    )


def _kept_from_json(item: Mapping[str, Any]) -> KeptAnswer | None:
    """Read the mask of an answer that an object did not get whole."""
    written = item.get("mask")
    if written is None:
        return None
    plane = PlaneRef(item["axis"], item["plane"])
    row0, col0, row1, col1 = written["box"]
    box = plane.box_of((row0, col0, row1, col1))
    mask = BoxedMask(box, from_runs(written["runs"], box.shape, np.dtype(np.bool_)))
    taken = written["candidate"]
    if not 0 <= taken < _MOST_CANDIDATES:
        raise StoreError(f"the mask is of candidate {taken!r}; the file is damaged, restore a copy")
    return KeptAnswer.of_mask(plane, mask, int(taken), float(item["score"]))


def class_to_json(one: ObjectClass) -> Json:
    """Write a class of objects."""
    category, kind = ([code.value, code.scheme, code.meaning] for code in (one.category, one.kind))
    colour = None if one.colour is None else list(one.colour)
    return {"name": one.name, "colour": colour, "category": category, "type": kind}


def class_from_json(value: Mapping[str, Any]) -> ObjectClass:
    """Read what `class_to_json` wrote."""
    return ObjectClass(
        value["name"], _colour(value["colour"]), Code(*value["category"]), Code(*value["type"])
    )


def box_to_json(box: Box) -> list[list[int]]:
    """Write a box as its start and its stop."""
    return [list(box.start), list(box.stop)]


def box_from_json(value: Sequence[Sequence[int]]) -> Box:
    """Read what `box_to_json` wrote."""
    (p0, r0, c0), (p1, r1, c1) = value
    return Box((p0, r0, c0), (p1, r1, c1))


def packed_to_json(edit: PackedEdit) -> Json:
    """Write an edit of the history with what was there before and after."""
    before, after = (_runs_to_json(runs) for runs in (edit.before, edit.after))
    return {
        "cause": edit.cause,
        "box": box_to_json(edit.box),
        "dtype": edit.after.values.dtype.name,
        "before": before,
        "after": after,
    }


def packed_from_json(value: Mapping[str, Any]) -> PackedEdit:
    """Read what `packed_to_json` wrote."""
    box, dtype = box_from_json(value["box"]), np.dtype(value["dtype"])
    before, after = (_runs_from_json(value[when], box.shape, dtype) for when in ("before", "after"))
    return PackedEdit(box, before, after, value["cause"])


def edit_to_json(edit: Edit) -> Json:
    """Write an edit with what was there before and after, so that it can be done and undone again."""
    return packed_to_json(PackedEdit.of(edit))


def edit_from_json(value: Mapping[str, Any]) -> Edit:
    """Read what `edit_to_json` wrote."""
    return packed_from_json(value).forward(value["cause"])


def _runs_to_json(runs: Runs) -> list[int]:
    pairs: list[int] = np.stack([runs.values.astype(np.int64), runs.counts], axis=1).reshape(-1).tolist()
    return pairs


def _runs_from_json(written: Sequence[int], shape: tuple[int, ...], dtype: np.dtype[Any]) -> Runs:
    pairs = np.asarray(written, dtype=np.int64)
    if pairs.size % 2 or (pairs[1::2] < 0).any() or int(pairs[1::2].sum()) != int(np.prod(shape)):
        raise StoreError(
            f"run lengths do not fill an array of shape {shape}; the file is damaged, restore a copy"
        )
    return Runs(pairs[0::2].astype(dtype), pairs[1::2].astype(np.int32 if pairs.size < 2**30 else np.int64))


def _colour(value: Any) -> tuple[int, int, int] | None:
    return None if value is None else (int(value[0]), int(value[1]), int(value[2]))
