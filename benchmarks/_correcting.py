"""A simulated person who works on one object until it is right, counting what is done by hand.

In a plane the person draws a box, then clicks where the mask is most wrong, up to three times, while the
plane's Dice is below 0.95; then paints it. A plane where nothing should be is emptied. Each box, each
click, each painted and each emptied plane counts as one thing done. The object is done when its Dice in the
volume is 0.95.

With propagation: one box on the middle plane, propagate; then correct the plane with the most wrong pixels
and propagate again from all anchors, and so on. A propagated mask that is half right (Dice 0.5) is clicked on
as it is, as in the window; only where less of it is right a box is drawn first. Plane by plane: a box on each
of the object's planes, then correct the plane with the most wrong pixels, and so on; nothing is propagated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks._shown import BoolVolume
from napari_sam.core.masks import BoxedMask, tight_box
from napari_sam.core.plane_prediction import no_mask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt, Prompt
from napari_sam.core.propagation import propagate
from napari_sam.core.scores import dice
from napari_sam.core.segmenter import Segmenter
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.nodes.simulated_user import next_click, usable_part
from volumes import Volume

WANTED_DICE = 0.95
HALF_RIGHT_DICE = 0.5
"""A propagated mask that agrees less is not worth a click: a box is drawn."""

MOST_CLICKS = 3
MOST_ROUNDS = 20
"""So often is propagated; a person who is not done by then goes on plane by plane."""

_OBJECT = 1


@dataclass(frozen=True)
class Work:
    """What a person did by hand for one object.

    Attributes
    ----------
    n_boxes, n_clicks, n_painted : int
        Boxes, points, and planes painted or emptied.
    n_rounds : int
        How often was propagated.
    dice : float
        At the end.
    """

    n_boxes: int
    n_clicks: int
    n_painted: int
    n_rounds: int
    dice: float

    @property
    def n_actions(self) -> int:
        """All that was done by hand."""
        return self.n_boxes + self.n_clicks + self.n_painted


def with_propagation(
    segmenter: Segmenter, volume: Volume, window: Window, truth: BoolVolume, *, is_film: bool = False
) -> Work:
    """Work on an object (P, R, C) with propagation after each plane, until its Dice is `WANTED_DICE`."""
    person = _Person(segmenter, volume, window, truth, is_film)
    planes = np.flatnonzero(truth.any(axis=(1, 2)))
    person.draw_box(int(planes[len(planes) // 2]))
    person.propagate()
    while person.is_unhappy:
        person.correct(person.worst_plane(), afresh=True)
        if person.n_rounds < MOST_ROUNDS:
            person.propagate()
    return person.work()


def plane_by_plane(segmenter: Segmenter, volume: Volume, window: Window, truth: BoolVolume) -> Work:
    """Work on an object (P, R, C) without propagation, until its Dice is `WANTED_DICE`."""
    person = _Person(segmenter, volume, window, truth)
    for index in np.flatnonzero(truth.any(axis=(1, 2))).tolist():
        person.draw_box(index)
    while person.is_unhappy:
        person.correct(person.worst_plane(), afresh=False)
    return person.work()


class _Person:
    """One person with one object in a session of its own."""

    def __init__(
        self, segmenter: Segmenter, volume: Volume, window: Window, truth: BoolVolume, is_film: bool = False
    ) -> None:
        self._session, self._is_film = Session(volume, window=window), is_film
        self._segmenter, self._truth = segmenter, truth
        self._n_boxes = self._n_clicks = self._n_painted = self.n_rounds = 0
        self._finished: set[int] = set()

    @property
    def is_unhappy(self) -> bool:
        """Whether there is something left to do."""
        return dice(self._found(), self._truth) < WANTED_DICE and len(self._finished) < len(self._truth)

    def draw_box(self, index: int) -> None:
        """Draw the tight box of a plane that has the object."""
        plane = PlaneRef(0, index)
        self._ask(plane, BoxPrompt(plane.box_of(tight_box(self._truth[index]) or (0, 0, 1, 1))))
        self._n_boxes += 1

    def worst_plane(self) -> int:
        """Return the plane with the most wrong pixels of those that were not corrected yet."""
        wrong = (self._found() ^ self._truth).sum(axis=(1, 2))
        wrong[list(self._finished)] = -1
        return int(np.argmax(wrong))

    def correct(self, index: int, *, afresh: bool) -> None:
        """Make one plane right: a box if `afresh` and little is right, clicks, the brush in the end."""
        plane, truth = PlaneRef(0, index), self._truth[index]
        self._finished.add(index)
        if not truth.any():
            self._paint(plane)
            return
        anchor = self._session.objects[_OBJECT].anchor_on(plane)
        if afresh and anchor is None and dice(self._found()[index], truth) < HALF_RIGHT_DICE:
            self.draw_box(index)
        clicked: set[tuple[int, int]] = set()
        for _ in range(MOST_CLICKS):
            found = self._found()[index]
            if dice(found, truth) >= WANTED_DICE:
                return
            click = next_click(found, truth, clicked)
            if click is None:
                break
            clicked.add((click.row, click.col))
            self._ask(plane, PointPrompt(plane.at(click.row, click.col), click.positive))
            self._n_clicks += 1
        if dice(self._found()[index], truth) < WANTED_DICE:
            self._paint(plane)

    def propagate(self) -> None:
        """Propagate from all anchors, where one has a mask."""
        anchors = self._session.objects[_OBJECT].anchors
        if any(self._session.mask_on(anchor.plane, _OBJECT) is not None for anchor in anchors):
            for _ in propagate(self._session, self._segmenter, _OBJECT, axis=0, film=self._is_film or None):
                pass
        self.n_rounds += 1

    def work(self) -> Work:
        """Tell what was done."""
        final = dice(self._found(), self._truth)
        return Work(self._n_boxes, self._n_clicks, self._n_painted, self.n_rounds, final)

    def _found(self) -> NDArray[np.bool_]:
        return np.asarray(self._session.labels == _OBJECT)

    def _ask(self, plane: PlaneRef, prompt: Prompt) -> None:
        request = self._session.prompt(plane, prompt, object_id=_OBJECT)
        answer = self._segmenter.segment(usable_part(request, self._segmenter))
        self._session.apply(answer, request)

    def _paint(self, plane: PlaneRef) -> None:
        truth = self._truth[plane.index]
        mask = BoxedMask.of_plane(truth, plane, self._truth.shape) if truth.any() else no_mask(plane)
        self._session.write(plane, mask, _OBJECT)
        self._n_painted += 1
