"""What a person does in one plane of an object, decided from its state alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from napari_sam.core.masks import BoxedMask
from napari_sam.core.objects import Anchor, ObjectState, merge_prompts, says_where
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt, Prompt
from napari_sam.core.propagation_rules import PropagationLimits
from napari_sam.errors import InvalidPrompt
from volumes import Box

__all__ = ["exchanged", "mending", "nothing_on"]


def exchanged(state: ObjectState, plane: PlaneRef, prompt: Prompt, by: Prompt | None) -> Anchor:
    """Return an object's anchor in a plane with one prompt exchanged for another, or taken away.

    What a model answered to the old prompts no longer counts; a mask that was painted does.

    Raises
    ------
    InvalidPrompt
        The object has no such prompt there.
    """
    anchor = state.anchor_on(plane)
    if anchor is None or prompt not in anchor.prompts:
        n_prompts = 0 if anchor is None else len(anchor.prompts)
        raise InvalidPrompt(
            f"object {state.id} has no such prompt among its {n_prompts} in plane {plane.index} of axis "
            f"{plane.axis}: {prompt}; take one of its anchor's prompts"
        )
    place = anchor.prompts.index(prompt)
    kept = (*anchor.prompts[:place], *anchor.prompts[place + 1 :])
    prompts = kept if by is None else merge_prompts(kept, (by,))
    is_drawn = anchor.is_settled and (anchor.score is None or anchor.mends)
    stands = anchor.is_settled and (is_drawn or says_where(prompts))
    score = anchor.score if stands else None
    return replace(anchor.prompted(prompts), logits=None, score=score, is_settled=stands)


def nothing_on(plane: PlaneRef) -> BoxedMask:
    """Return the empty mask of a plane."""
    box = plane.box_of((0, 0, 0, 0))
    return BoxedMask(box, np.zeros(box.shape, dtype=np.bool_))


def mending(
    prompts: tuple[Prompt, ...], mask: BoxedMask, plane: PlaneRef, volume_shape: tuple[int, int, int]
) -> tuple[Prompt, ...]:
    """Return what to ask where prompts are to mend a mask that is there: the mask too, and a box.

    With points and the mask alone a model often gives something else altogether. Where no box was drawn, the
    one around the mask and the positive points says that it is this object still, with propagation's margin.
    """
    if any(isinstance(prompt, BoxPrompt) for prompt in prompts):
        return merge_prompts(prompts, (MaskPrompt(mask),))
    box = mask.box
    for prompt in prompts:
        if isinstance(prompt, PointPrompt) and prompt.positive:
            box = box.union(_voxel(prompt.at, plane))
    around = PropagationLimits().grown_box(box, plane, volume_shape)
    return merge_prompts(prompts, (BoxPrompt(around), MaskPrompt(mask)))


def _voxel(at: Sequence[float], plane: PlaneRef) -> Box:
    row, col = (int(np.floor(x + 0.5)) for x in plane.rc((at[0], at[1], at[2])))
    return plane.box_of((row, col, row + 1, col + 1))
