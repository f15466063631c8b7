"""Simulated people who mend what was propagated, and what the engine's refiner sees of it.

Clicks on a propagated mask are answered with that mask in hand (`Anchor.mends`). What such masks look like,
and what the model makes of them, no session of a single plane shows: so an object is shown in the first plane
of a pair, carried to the second by the engine itself, and clicked on there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation import propagate
from napari_sam.core.scores import dice
from napari_sam.training.refiner_samples import RefinerSamples
from napari_sam.training.refiner_sessions import (
    OBJECT,
    Played,
    WatchedSegmenter,
    begin,
    draw_box,
    play_rounds,
)

__all__ = ["play_mending"]

WORTH_MENDING = 0.4, 0.97
"""Dice of propagated masks that are clicked on: below, one begins anew, above, all is well."""

TRUE_SHARE = 0.5
"""How often the first plane has the true mask, in place of what a box is answered."""


def play_mending(
    segmenter: WatchedSegmenter,
    pictures: NDArray[np.uint8],
    truths: Sequence[NDArray[np.bool_]],
    rng: np.random.Generator,
) -> list[RefinerSamples]:
    """Carry objects from one plane to the next, each in a session of its own, and correct them there.

    Parameters
    ----------
    segmenter : WatchedSegmenter
        Who answers.
    pictures : NDArray[uint8], shape (2, H, W) or (2, H, W, 3)
        Neighbouring planes.
    truths : sequence of NDArray[bool], shape (2, H, W)
        The objects; those that one of the planes does not have are left out.
    rng : numpy.random.Generator
        Where chance comes from.

    Returns
    -------
    list of RefinerSamples
        Of the clicks; what the boxes before them were answered is not among them.
    """
    carried = [_carried(segmenter, pictures, truth, rng) for truth in truths if truth.any(axis=(1, 2)).all()]
    playing = [one for one in carried if one is not None]
    segmenter.take()
    for one in playing:
        segmenter.watch(one.session.volume, one.truth)
    play_rounds(segmenter, playing, rng)
    return segmenter.take()


def _carried(
    segmenter: WatchedSegmenter,
    pictures: NDArray[np.uint8],
    truth: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Played | None:
    """Show an object in the first plane, propagate it to the second; None where that is not worth a click."""
    shown = begin(segmenter, pictures, truth[0])
    box = draw_box(shown, rng)
    if box is None:
        return None
    session, plane = shown.session, shown.plane
    request = session.prompt(plane, box, object_id=OBJECT)
    session.apply(segmenter.segment(request), request)
    if rng.random() < TRUE_SHARE:
        session.write(plane, BoxedMask.of_plane(truth[0], plane, truth.shape), OBJECT)
    if session.mask_on(plane, OBJECT) is None:
        return None
    for _ in propagate(session, segmenter, OBJECT, axis=0, film=False):
        pass
    carried = replace(shown, truth=truth[1], plane=PlaneRef(0, 1))
    least, most = WORTH_MENDING
    return carried if least < dice(carried.found, truth[1]) < most else None
