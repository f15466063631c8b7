"""A simulated person in a session: draws one box, or clicks where the mask is most wrong.

Everything goes through `napari_sam.core.session.Session`, as it does in the window: a click after the first
reaches the model together with the earlier ones and the logits of its last answer.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.masks import innermost_point
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt, Prompt
from napari_sam.core.scores import boundary_f, mask_iou
from napari_sam.core.segmenter import Segmenter, SegmentRequest
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.nodes.tasks import Task
from volumes import Geometry, Provenance, Volume

__all__ = ["Answer", "Click", "answer_box", "answer_clicks", "next_click", "usable_part"]

ENOUGH_IOU = 0.9
"""Beyond the clicks that count for everybody, a person goes on only until the mask is this good."""

_PLANE, _OBJECT = PlaneRef(0, 0), 1
_SEEN = Window(0, 255)
_EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=np.bool_)


@dataclass(frozen=True)
class Answer:
    """One answer of a method.

    Attributes
    ----------
    iou : float
        With the truth.
    score : float
        What the method said its IoU was.
    boundary_f : float
        Agreement of the outlines; see `napari_sam.core.scores.boundary_f`. 0 where it was not asked for.
    """

    iou: float
    score: float
    boundary_f: float = 0.0


@dataclass(frozen=True)
class Click:
    """A pixel, and whether it is said to be in the object."""

    row: int
    col: int
    positive: bool


def answer_box(segmenter: Segmenter, task: Task) -> Answer:
    """Draw the task's box, and judge the answer."""
    session = _session(task)
    found, score = _ask(session, segmenter, BoxPrompt(_PLANE.box_of(task.box)))
    return Answer(mask_iou(found, task.mask), score, boundary_f(found, task.mask))


def answer_clicks(segmenter: Segmenter, task: Task, most: int, counted: int) -> tuple[Answer, ...]:
    """Click at the task's point, then where the mask is most wrong, and judge each answer.

    Parameters
    ----------
    segmenter : Segmenter
        The method.
    task : Task
        What is wanted.
    most : int
        Most clicks.
    counted : int
        So many clicks are made in any case, unless nothing is wrong; after them the mask may be good enough.

    Returns
    -------
    tuple of Answer
        One a click. Shorter than `most` where no click was needed any more.
    """
    session = _session(task)
    answers: list[Answer] = []
    click: Click | None = Click(*task.point, True)
    clicked: set[tuple[int, int]] = set()
    while click is not None and len(answers) < most:
        clicked.add((click.row, click.col))
        point = PointPrompt(_PLANE.at(float(click.row), float(click.col)), click.positive)
        found, score = _ask(session, segmenter, point)
        answers.append(Answer(mask_iou(found, task.mask), score))
        if len(answers) >= counted and max(answer.iou for answer in answers) >= ENOUGH_IOU:
            break
        click = next_click(found, task.mask, clicked)
    return tuple(answers)


def next_click(
    found: NDArray[np.bool_], truth: NDArray[np.bool_], clicked: Collection[tuple[int, int]] = ()
) -> Click | None:
    """Return the point deepest inside the largest region that is wrong.

    Parameters
    ----------
    found, truth : NDArray[bool], shape (H, W)
        The mask as it is, and as it should be.
    clicked : collection of (int, int)
        Pixels (row, col) that were clicked before; they count as right, so that no click is made twice.

    Returns
    -------
    Click or None
        Positive where something is missing, negative where something is too much. None where nothing is
        wrong. Of regions of one size the missing one comes first, then the upper one.
    """
    regions = []
    for wrong, positive in ((truth & ~found, True), (found & ~truth, False)):
        for row, col in clicked:
            wrong[row, col] = False
        numbered, count = ndimage.label(wrong, structure=_EIGHT_NEIGHBOURS)
        if count:
            areas = np.bincount(numbered.ravel())[1:]
            largest = int(np.argmax(areas))
            regions.append((int(areas[largest]), positive, numbered == largest + 1))
    if not regions:
        return None
    _, positive, region = max(regions, key=lambda one: one[:2])
    return Click(*innermost_point(region), positive)


def usable_part(request: SegmentRequest, segmenter: Segmenter) -> SegmentRequest:
    """Leave out the hint and the mask where a method takes none: it answers from points and boxes alone."""
    if "mask" in segmenter.prompts:
        return request
    prompts = tuple(prompt for prompt in request.prompts if not isinstance(prompt, MaskPrompt))
    return replace(request, prompts=prompts, hint=None)


def _session(task: Task) -> Session:
    volume = Volume(task.image[None], Geometry.from_spacing((1, *task.mask.shape)), Provenance("task"))
    return Session(volume, window=_SEEN)


def _ask(session: Session, segmenter: Segmenter, prompt: Prompt) -> tuple[NDArray[np.bool_], float]:
    """Give one prompt; returns the session's mask afterwards, ``(H, W)``, and the score of the answer."""
    request = session.prompt(_PLANE, prompt, object_id=_OBJECT)
    prediction = segmenter.segment(usable_part(request, segmenter))
    session.apply(prediction, request)
    found: NDArray[np.bool_] = session.labels[0] == _OBJECT
    return found, float(prediction.scores[prediction.best])
