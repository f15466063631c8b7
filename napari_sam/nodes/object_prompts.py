"""The prompts of an object, sorted into the planes that they lie in, and checked before a model is loaded."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from napari_sam.core.objects import merge_prompts, says_where
from napari_sam.core.planes import PlaneRef, plane_range
from napari_sam.core.prompts import BoxPrompt, PointPrompt, Prompt, check_prompt
from napari_sam.errors import InvalidPrompt

__all__ = ["ObjectPrompts", "box_in_plane", "check_objects", "group_prompts"]


@dataclass(frozen=True)
class ObjectPrompts:
    """What a person said of one object.

    Parameters
    ----------
    id : int
        Its label value.
    name : str
        For people; may be empty.
    by_plane : tuple of (PlaneRef, tuple[Prompt, ...])
        Its prompts, plane by plane, all planes across one axis.
    candidate : int, optional
        Which of the model's masks to take in these planes, from 0; its own choice when None.
    """

    id: int
    name: str
    by_plane: tuple[tuple[PlaneRef, tuple[Prompt, ...]], ...]
    candidate: int | None = None


def box_in_plane(axis: int, plane: int, box_hw: Sequence[int]) -> BoxPrompt:
    """Make a box prompt from numbers in a plane.

    Parameters
    ----------
    axis : int
        The axis that the plane cuts across.
    plane : int
        The plane's index along that axis.
    box_hw : four int
        Half-open (row0, col0, row1, col1) in the plane's own rows and columns: (row, column) of the volume
        for axis 0, (plane, column) for axis 1, (plane, row) for axis 2.

    Raises
    ------
    InvalidPrompt
        A negative plane or a box whose stop is not above its start.
    """
    row0, col0, row1, col1 = box_hw
    described = f"the box {row0},{col0},{row1},{col1} in plane {plane}"
    if plane < 0:
        raise InvalidPrompt(f"{described} is outside the volume; planes count from 0")
    if row1 <= row0 or col1 <= col0:
        raise InvalidPrompt(
            f"{described} is inverted or empty; boxes are half-open, so give {_sorted_box(box_hw)}"
        )
    return BoxPrompt(PlaneRef(axis, plane).box_of((row0, col0, row1, col1)))


def group_prompts(
    object_id: int, name: str, prompts: Iterable[PointPrompt | BoxPrompt], axis: int = 0
) -> ObjectPrompts:
    """Sort an object's prompts into the planes across an axis.

    Parameters
    ----------
    object_id : int
        The object's label value, from 1.
    name : str
        For people; may be empty.
    prompts : iterable of PointPrompt or BoxPrompt
        In any order; a point belongs to the plane whose centre is nearest.
    axis : int
        The axis that the planes cut across.

    Raises
    ------
    InvalidPrompt
        An id below 1, no prompt, a point before the first plane, or a box that does not lie in one plane.
    """
    if object_id < 1:
        raise InvalidPrompt(f"the object id {object_id} cannot be a label; give 1 or more")
    by_plane: dict[PlaneRef, list[Prompt]] = {}
    for prompt in prompts:
        by_plane.setdefault(_plane_of(prompt, axis), []).append(prompt)
    if not by_plane:
        raise InvalidPrompt(f"object {object_id} has no prompt; give a point in it or a box around it")
    return ObjectPrompts(object_id, name, tuple((plane, tuple(some)) for plane, some in by_plane.items()))


def check_objects(
    objects: Sequence[ObjectPrompts], volume_shape: tuple[int, int, int], planes: tuple[int, int] | None
) -> None:
    """Check all prompts against a volume.

    Parameters
    ----------
    objects : sequence of ObjectPrompts
        At least one, each id once.
    volume_shape : tuple of int
        (P, R, C).
    planes : tuple[int, int] or None
        Half-open range of planes that propagation is to stay in.

    Raises
    ------
    InvalidPrompt
        What is wrong with the first prompt that cannot be used, the range included.
    """
    if not objects:
        raise InvalidPrompt("no prompt is given; give a point in the object or a box around it")
    ids = [one.id for one in objects]
    twice = next((object_id for object_id in ids if ids.count(object_id) > 1), None)
    if twice is not None:
        raise InvalidPrompt(f"object id {twice} is given twice; give each object an id of its own")
    for one in objects:
        for plane, prompts in one.by_plane:
            for prompt in prompts:
                check_prompt(prompt, plane, volume_shape)
            merge_prompts((), prompts)
            if not says_where(prompts):
                raise InvalidPrompt(
                    f"object {one.id} has only negative points in plane {plane.index} of axis {plane.axis}; "
                    "add a point in the object or a box there"
                )
            _check_range(plane, volume_shape, planes)


def _check_range(plane: PlaneRef, volume_shape: tuple[int, int, int], planes: tuple[int, int] | None) -> None:
    if planes is None:
        return
    first, last = plane_range(volume_shape, plane.axis, planes)
    if not first <= plane.index < last:
        raise InvalidPrompt(
            f"the prompt in plane {plane.index} is outside the range {first}:{last}; widen the range"
        )


def _plane_of(prompt: PointPrompt | BoxPrompt, axis: int) -> PlaneRef:
    if isinstance(prompt, BoxPrompt):
        return PlaneRef(axis, prompt.box.start[axis])
    position = prompt.at[axis]
    index = math.floor(position + 0.5) if math.isfinite(position) else -1
    if index < 0:
        shown = ",".join(f"{x:g}" for x in prompt.at)
        raise InvalidPrompt(
            f"the point {shown} is outside the volume; give (plane, row, column) in voxels, from 0"
        )
    return PlaneRef(axis, index)


def _sorted_box(box_hw: Sequence[int]) -> str:
    row0, col0, row1, col1 = box_hw
    low_row, low_col = min(row0, row1), min(col0, col1)
    return f"{low_row},{low_col},{max(row0, row1, low_row + 1)},{max(col0, col1, low_col + 1)}"
