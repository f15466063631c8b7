"""Objects followed past their ends, whatever is found there: what propagation's numbers are fitted on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.masks import tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt
from napari_sam.core.propagation import plan_propagation
from napari_sam.core.propagation_plan import PropagationPlan
from napari_sam.core.segmenter import Segmenter
from napari_sam.core.session import Session
from napari_sam.nodes.volume_scores import choose_anchor
from volumes import Volume

__all__ = ["plan_past_ends"]


def plan_past_ends(
    segmenter: Segmenter, volume: Volume, truth: NDArray[np.bool_], n_beyond: int
) -> PropagationPlan | None:
    """Ask with a tight box on an object's middle plane, and plan to follow what is found.

    Parameters
    ----------
    segmenter : Segmenter
        Who answers the box.
    volume : Volume
        The image.
    truth : NDArray[bool], shape (P, R, C)
        The object, followed along axis 0.
    n_beyond : int
        How many planes past either of its ends.

    Returns
    -------
    PropagationPlan or None
        None where the box finds nothing.
    """
    index = choose_anchor(truth, "middle")
    plane, planes = PlaneRef(0, index), np.flatnonzero(truth.any(axis=(1, 2)))
    session = Session(volume)
    box = BoxPrompt(plane.box_of(tight_box(truth[index]) or (0, 0, 1, 1)))
    request = session.prompt(plane, box, object_id=1)
    session.apply(segmenter.segment(request), request)
    if session.mask_on(plane, 1) is None:
        return None
    reach = max(0, int(planes[0]) - n_beyond), min(len(truth), int(planes[-1]) + 1 + n_beyond)
    return plan_propagation(session, 1, axis=0, planes=reach)
