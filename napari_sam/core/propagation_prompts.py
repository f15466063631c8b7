"""What a plane gives the next one: named derivations of one kind of prompt each, to be combined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.masks import innermost_point
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt, Prompt
from napari_sam.core.propagation_front import Front
from napari_sam.core.propagation_plan import PropagationPlan
from napari_sam.core.segmenter import SegmentRequest

__all__ = [
    "DERIVATIONS",
    "Derivation",
    "Derive",
    "Derived",
    "derive_binary_mask",
    "derive_box",
    "derive_component_points",
    "derive_logits",
    "derive_logits_of_two",
    "derive_neighbour_points",
    "derive_point",
    "deriving",
]  # fmt: skip

MOST_POINTS = 4
"""Points on components, and points on neighbours, at most."""

LEAST_COMPONENT = 0.05
"""Part of the mask's area that a component needs to get a point of its own."""


@dataclass(frozen=True, eq=False)
class Derived:
    """Prompts for the next plane, and logits ``(h, w)`` for it."""

    prompts: tuple[Prompt, ...] = ()
    hint: NDArray[np.floating] | None = None


Derivation: TypeAlias = Callable[[PropagationPlan, Front], Derived]
Derive: TypeAlias = Callable[[PropagationPlan, Front, frozenset[str]], SegmentRequest]


def derive_logits(_: PropagationPlan, front: Front) -> Derived:
    """Hand on the low-resolution logits; the binary mask where no model gave any."""
    return Derived(hint=front.hint) if front.hint is not None else derive_binary_mask(_, front)


def derive_logits_of_two(plan: PropagationPlan, front: Front) -> Derived:
    """Hand on the mean of the logits of the last two planes, where both are there in one size."""
    earlier = None if front.before is None else front.before[1]
    if front.hint is None or earlier is None or earlier.shape != front.hint.shape:
        return derive_logits(plan, front)
    return Derived(hint=(front.hint.astype(np.float32) + earlier.astype(np.float32)) / 2)


def derive_binary_mask(_: PropagationPlan, front: Front) -> Derived:
    """Hand on the mask as it stands: what was cut off is not in it, and its edge is sharp."""
    return Derived((MaskPrompt(front.mask.moved_to(front.next_plane)),))


def derive_box(plan: PropagationPlan, front: Front) -> Derived:
    """Hand on the mask's box with the margin of the limits."""
    plane = front.next_plane
    return Derived(
        (BoxPrompt(plan.limits.grown_box(front.mask.moved_to(plane).box, plane, plan.volume.shape)),)
    )


def derive_point(_: PropagationPlan, front: Front) -> Derived:
    """Hand on the innermost point."""
    plane = front.next_plane
    return Derived((PointPrompt(plane.at(*front.mask.innermost_point(plane))),))


def derive_component_points(plan: PropagationPlan, front: Front) -> Derived:
    """Hand on the innermost point of each component, the largest first: a split is followed."""
    plane = front.next_plane
    whole = front.mask.to_plane(plane, plan.volume.shape)
    return Derived(tuple(PointPrompt(plane.at(*point)) for point in _component_points(whole)))


def derive_neighbour_points(plan: PropagationPlan, front: Front) -> Derived:
    """Say of the objects around the mask that they are not meant: a negative point inside each.

    They are the plan's `neighbours`: voxels of other objects in the next plane.
    """
    plane = front.next_plane
    if plan.neighbours is None:
        return Derived()
    box = plan.limits.grown_box(front.mask.moved_to(plane).box, plane, plan.volume.shape)
    row0, col0, row1, col1 = plane.box_hw(box)
    labels = np.asarray(plane.take(plan.neighbours)[row0:row1, col0:col1])
    others = np.where(labels == plan.object_id, 0, labels)
    values, areas = np.unique(others[others > 0], return_counts=True)
    nearest = values[np.argsort(-areas, kind="stable")][:MOST_POINTS]
    points = (innermost_point(others == value) for value in nearest)
    return Derived(tuple(PointPrompt(plane.at(row + row0, col + col0), False) for row, col in points))


DERIVATIONS: dict[str, Derivation] = {
    "logits": derive_logits,
    "logits of two": derive_logits_of_two,
    "mask": derive_binary_mask,
    "box": derive_box,
    "point": derive_point,
    "component points": derive_component_points,
    "neighbour points": derive_neighbour_points,
}
"""Every derivation by its name."""


def deriving(*names: str, without_mask: Sequence[str] = ()) -> Derive:
    """Put derivations together.

    What a model cannot use is left out; where nothing is left that says where the object is, it gets a
    mask, a box or a point, whichever it can use. A binary mask goes before logits.

    Parameters
    ----------
    *names : str
        Of `DERIVATIONS`.
    without_mask : sequence of str
        Taken instead with models that use no mask; the same when empty.

    Returns
    -------
    callable
        (plan, front, usable kinds of prompt) to the `SegmentRequest` for the front's next plane.

    Raises
    ------
    KeyError
        An unknown name.
    """
    with_mask = [DERIVATIONS[name] for name in names]
    otherwise = [DERIVATIONS[name] for name in without_mask or names]

    def derive(plan: PropagationPlan, front: Front, usable: frozenset[str]) -> SegmentRequest:
        parts = with_mask if "mask" in usable else otherwise
        found = _usable([part(plan, front) for part in parts], usable)
        if found.hint is None and not any(_is_positive(prompt) for prompt in found.prompts):
            standing_in = (derive_binary_mask, derive_box, derive_point)
            more = (_usable([part(plan, front)], usable) for part in standing_in)
            found = Derived(found.prompts + next((one.prompts for one in more if one.prompts), ()))
        return SegmentRequest(
            plan.volume,
            front.next_plane,
            plan.window,
            found.prompts,
            plan.object_id,
            found.hint,
            is_followed=True,
        )

    return derive


def _usable(found: Sequence[Derived], usable: frozenset[str]) -> Derived:
    prompts = tuple(prompt for one in found for prompt in one.prompts if _KINDS[type(prompt)] in usable)
    has_mask = any(isinstance(prompt, MaskPrompt) for prompt in prompts)
    hints = [one.hint for one in found if one.hint is not None and "mask" in usable and not has_mask]
    return Derived(prompts, hints[0] if hints else None)


_KINDS: dict[type, str] = {BoxPrompt: "box", MaskPrompt: "mask", PointPrompt: "point"}


def _is_positive(prompt: Prompt) -> bool:
    return not isinstance(prompt, PointPrompt) or prompt.positive


def _component_points(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    pieces, n_pieces = ndimage.label(mask, structure=np.ones((3, 3)))
    areas = np.bincount(pieces.ravel(), minlength=n_pieces + 1)[1:]
    order = np.argsort(-areas, kind="stable")[:MOST_POINTS]
    large = [int(k) for k in order if areas[k] >= LEAST_COMPONENT * mask.sum()]
    return [innermost_point(pieces == k + 1) for k in large]
