"""A clean-up as a value: what is done and by how much; done to a mask, or as one step of a session."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.cleaning import (
    close_gaps,
    drop_islands,
    fill_holes,
    keep_largest,
    keep_range,
    laid_into,
)
from napari_sam.core.edits import Edit
from napari_sam.core.growing import grow, shrink, smooth
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.session import Session
from napari_sam.errors import InvalidEdit, InvalidPrompt
from volumes import Box, Geometry, Volume

__all__ = [
    "CLEAN_KINDS",
    "CleanStep",
    "clean_mask",
    "clean_object",
    "cleaned_object",
    "only_free",
    "own_bits",
]

CLEAN_KINDS = ("fill holes", "islands", "largest", "smooth", "grow", "shrink", "range", "close gaps")
"""What a clean-up can do."""

_NEED_SIZE = ("islands", "smooth", "grow", "shrink")
_Operation = Callable[..., BoxedMask]


@dataclass(frozen=True)
class CleanStep:
    """One thing that is done to an object.

    Parameters
    ----------
    kind : str
        One of `CLEAN_KINDS`.
    size : float, optional
        Of "fill holes" the largest hole in mm³ (in mm² with an axis), of "islands" what is too small in mm³,
        of "smooth", "grow" and "shrink" the millimetres, of "close gaps" the widest gap in mm. None means all
        for holes and gaps; the others need it.
    axis : int, optional
        Of "fill holes": in the planes across this axis. Of "close gaps": these planes; 0 where None.
    low, high : float
        Of "range": the grey values that stay.

    Raises
    ------
    InvalidEdit
        An unknown kind, a missing size, or an axis that is none.
    """

    kind: str
    size: float | None = None
    axis: int | None = None
    low: float = -np.inf
    high: float = np.inf

    def __post_init__(self) -> None:
        if self.kind not in CLEAN_KINDS:
            raise InvalidEdit(f"{self.kind!r} is no clean-up; choose from {', '.join(CLEAN_KINDS)}")
        if self.size is None and self.kind in _NEED_SIZE:
            raise InvalidEdit(f"{self.kind!r} has no size; give millimetres (mm³ for islands)")
        if self.axis not in (None, 0, 1, 2):
            raise InvalidEdit(f"the axis is {self.axis}; give 0, 1 or 2")


def clean_mask(
    mask: BoxedMask, step: CleanStep, image: Volume | Geometry, frozen: Collection[PlaneRef] = ()
) -> BoxedMask:
    """Do one step to an object.

    Parameters
    ----------
    mask : BoxedMask
        The object, in three dimensions.
    step : CleanStep
        What is done.
    image : Volume or Geometry
        Where it lies; "range" needs the volume, of which only the mask's box is read.
    frozen : collection of PlaneRef
        Planes that keep what they hold.

    Returns
    -------
    BoxedMask
        In a box that holds the old mask and the new one.

    Raises
    ------
    InvalidEdit
        A size that is not above 0, a range without values, or one without an image of grey values.
    """
    if mask.is_empty:
        return mask
    if step.kind == "range":
        return keep_range(mask, _values(image, mask.box), step.low, step.high, frozen=frozen)
    geometry = image.geometry if isinstance(image, Volume) else image
    if step.kind == "largest":
        return keep_largest(mask, frozen=frozen)
    if step.kind == "fill holes":
        return fill_holes(mask, geometry, step.size, axis=step.axis, frozen=frozen)
    if step.kind == "close gaps":
        return close_gaps(mask, geometry, step.size, axis=step.axis or 0, frozen=frozen)
    sized: dict[str, _Operation] = {"islands": drop_islands, "smooth": smooth, "grow": grow, "shrink": shrink}
    return sized[step.kind](mask, geometry, step.size, frozen=frozen)


def clean_object(
    session: Session, object_id: int, steps: Sequence[CleanStep], *, keeps_anchors: bool = True
) -> Edit | None:
    """Clean an object of a session up: one step to undo, whatever the number of steps.

    Neighbours keep their voxels: growth takes free ones only.

    Parameters
    ----------
    session : Session
        Changes.
    object_id : int
        The object.
    steps : sequence of CleanStep
        What is done, in this order.
    keeps_anchors : bool
        Leave the planes alone in which a person said what the object is.

    Returns
    -------
    Edit or None
        None where the object has no voxel.

    Raises
    ------
    InvalidPrompt
        No such object, or a locked one.
    InvalidEdit
        As `clean_mask`.
    """
    mask = cleaned_object(session, object_id, steps, keeps_anchors=keeps_anchors)
    if mask is None:
        return None
    return session.reshape(object_id, mask, " + ".join(step.kind for step in steps))


def cleaned_object(
    session: Session, object_id: int, steps: Sequence[CleanStep], *, keeps_anchors: bool = True
) -> BoxedMask | None:
    """Return what `clean_object` would make of an object, in a box that holds the old and the new voxels.

    Only reads the session, so that it can be worked out on another thread while nothing else changes it.
    Parameters and errors as there; None where the object has no voxel.
    """
    one = session.objects.get(object_id)
    if one is None:
        known = ", ".join(map(str, session.objects)) or "none yet"
        raise InvalidPrompt(f"there is no object {object_id} to clean; there is {known}")
    mask = None if one.extent is None else own_bits(session.labels, object_id, one.extent)
    if mask is None:
        return None
    frozen = tuple(anchor.plane for anchor in one.anchors) if keeps_anchors else ()
    old = mask.box
    for step in steps:
        mask = only_free(clean_mask(mask, step, session.volume, frozen), session.labels, object_id)
    box = mask.box.union(old)
    return BoxedMask(box, laid_into(mask, box))


def own_bits(labels: NDArray[Any], object_id: int, within: Box) -> BoxedMask | None:
    """Return an object's voxels, looked for in a box, in their tight box; None where there are none."""
    box = Box.of_mask(labels[within.slices()] == object_id, offset=within.start)
    return None if box is None else BoxedMask(box, np.asarray(labels[box.slices()] == object_id))


def only_free(mask: BoxedMask, labels: NDArray[Any], object_id: int) -> BoxedMask:
    """Return the part of a mask where no other object is."""
    there = labels[mask.box.slices()]
    return BoxedMask(mask.box, mask.bits & ((there == 0) | (there == object_id)))


def _values(image: Volume | Geometry, box: Box) -> NDArray[Any]:
    if isinstance(image, Geometry):
        raise InvalidEdit("a range of grey values is asked for without an image; give the image")
    return np.asarray(image.data[box.slices()])
