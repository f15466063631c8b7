"""Objects that are prompted in the same plane: asked together, and no pixel goes to two of them."""

from __future__ import annotations

from collections.abc import Sequence

from napari_sam.core.contest import part_claims
from napari_sam.core.planes import PlaneRef
from napari_sam.core.segmenter import MaskPrediction, Segmenter, SegmentRequest, segment_all
from napari_sam.core.session import Session
from napari_sam.nodes.object_prompts import ObjectPrompts

__all__ = ["answer_shared_planes"]


def answer_shared_planes(
    session: Session, segmenter: Segmenter, objects: Sequence[ObjectPrompts]
) -> dict[tuple[int, PlaneRef], MaskPrediction]:
    """Answer prompts in planes in which several objects are prompted.

    A pixel that several claim goes to the one that is surest of it; see `part_claims`. Objects that the
    session has already are left out: how they stand is part of what is asked of them.

    Parameters
    ----------
    session : Session
        Not changed.
    segmenter : Segmenter
        The model.
    objects : sequence of ObjectPrompts
        Checked; see `napari_sam.nodes.object_prompts.check_objects`.

    Returns
    -------
    dict of (int, PlaneRef) to MaskPrediction
        By object and plane; nothing for planes in which there is one object only.

    Raises
    ------
    UnsupportedPrompt
        A kind of prompt that the model does not take.
    """
    by_plane: dict[PlaneRef, list[tuple[ObjectPrompts, SegmentRequest]]] = {}
    for one in objects:
        for plane, prompts in () if one.id in session.objects else one.by_plane:
            request = SegmentRequest(session.volume, plane, session.window, prompts, one.id)
            by_plane.setdefault(plane, []).append((one, request))
    answers: dict[tuple[int, PlaneRef], MaskPrediction] = {}
    for plane, asked in by_plane.items():
        if len(asked) > 1:
            requests = [request for _, request in asked]
            found = segment_all(segmenter, requests)
            chosen = [
                answer.best if one.candidate is None else min(one.candidate, len(answer.masks) - 1)
                for (one, _), answer in zip(asked, found, strict=True)
            ]
            parted = part_claims(requests, found, chosen)
            answers |= {(one.id, plane): answer for (one, _), answer in zip(asked, parted, strict=True)}
    return answers
