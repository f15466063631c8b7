"""Simulated sessions in the engine itself, and what its refiner sees in them.

A refiner is to mend what the engine makes, in rounds of clicks, from near and from afar, on planes and on
windows of them: so it is asked whole, and what is shown to the refiner is kept, beside the truth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from napari_sam.core.masks import innermost_point, tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt, Prompt
from napari_sam.core.segmenter import SegmentRequest
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.engine.hint_frames import Region
from napari_sam.engine.questions import Question
from napari_sam.engine.sam_segmenter import SamSegmenter
from napari_sam.engine.squares import Square
from napari_sam.engine.zoom import Look, ZoomingSegmenter
from napari_sam.models.refiner import CROP_SIDE, Refiner, Refiners, Seen
from napari_sam.settings import Settings
from napari_sam.store.cache import EmbeddingStore
from napari_sam.training.refiner_samples import RefinerSamples
from volumes import Geometry, Provenance, Volume

__all__ = ["Played", "WatchedSegmenter", "begin", "draw_box", "play_rounds", "play_sessions"]

N_ROUNDS = 6
GO_ON = 0.75
"""How often a person goes on after an answer."""

BOXED = 0.2
"""How many sessions begin with a box."""

LOOSENESS, ROOMY, MOST_ROOM = 0.05, 0.3, 0.1
"""How far each side of a box is off, and how many boxes have room on all sides, and how much."""

FIRST_INNERMOST, LARGEST = 0.35, 0.6
"""How often a first click is as deep as can be, and how often a correction is in the largest error."""

_FIRST, OBJECT = PlaneRef(0, 0), 1
_EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=np.bool_)
_RAM_BYTES = 200_000_000


class WatchedSegmenter(ZoomingSegmenter):
    """Answers as the engine does, but for fine outlines, and keeps what its refiner sees.

    Parameters
    ----------
    segmenter : SamSegmenter
        Whose model, and refiner, it has; one that has learnt nothing where it has none.
    """

    def __init__(self, segmenter: SamSegmenter) -> None:
        store = EmbeddingStore(Settings.resolve().cache_dir, _RAM_BYTES, 0)  # nothing on disk
        super().__init__(segmenter.model, segmenter.spec, segmenter.weights_sha256, store, segmenter.device)
        self._refiner = self._refiner or Refiners(Refiner(sees_clicks=False), Refiner()).eval()
        self._truths: dict[int, tuple[Volume, NDArray[np.bool_]]] = {}
        self._kept: list[RefinerSamples] = []

    def watch(self, volume: Volume, truth: NDArray[np.bool_]) -> None:
        """Tell what is true of the object that will be asked for in a volume of one plane."""
        self._truths[id(volume)] = volume, truth

    def take(self) -> list[RefinerSamples]:
        """Give what was kept since the last time, and forget all volumes."""
        kept, self._kept = self._kept, []
        self._truths.clear()
        return kept

    def _looks(self, asked: Sequence[tuple[SegmentRequest, Region]]) -> list[Look]:
        looks = super()._looks(asked)
        for look in looks:
            top, left, bottom, right = look.region
            _, truth = self._truths[id(look.whole.volume)]
            self.watch(look.part.volume, truth[top:bottom, left:right])
        return looks

    def _seen(
        self, questions: Sequence[Question], candidates: Tensor, scores: Tensor
    ) -> tuple[list[Square], Seen]:
        squares, seen = super()._seen(questions, candidates, scores)
        shown, sizes = [], []
        for square, question in zip(squares, questions, strict=True):
            _, truth = self._truths[id(question.request.volume)]
            inside = square.picture(truth.astype(np.uint8) * 255)[:1]
            shown.append(inside.masked_fill(square.is_outside(), 0.0))
            sizes.append(
                np.count_nonzero(truth) * math.prod(square.frame.scale) * (CROP_SIDE / square.side) ** 2
            )
        self._kept.append(RefinerSamples.of(seen, torch.stack(shown), torch.tensor(sizes)))
        return squares, seen


@dataclass(frozen=True)
class Played:
    """One object's session: what is true in the plane that is played in, and where was clicked."""

    session: Session
    truth: NDArray[np.bool_]
    plane: PlaneRef = _FIRST
    clicked: list[tuple[int, int]] = field(default_factory=list)

    @property
    def found(self) -> NDArray[np.bool_]:
        """The mask as it is."""
        is_it: NDArray[np.bool_] = self.session.labels[self.plane.index] == OBJECT
        return is_it


def play_sessions(
    segmenter: WatchedSegmenter,
    picture: NDArray[np.uint8],
    truths: Sequence[NDArray[np.bool_]],
    rng: np.random.Generator,
    *,
    boxes_alone: bool = False,
) -> list[RefinerSamples]:
    """Ask for objects of a plane, each in a session of its own, and correct them for some rounds.

    Parameters
    ----------
    segmenter : WatchedSegmenter
        Who answers.
    picture : NDArray[uint8], shape (H, W) or (H, W, 3)
        The plane.
    truths : sequence of NDArray[bool], shape (H, W)
        The objects, none of them empty.
    rng : numpy.random.Generator
        Where chance comes from.
    boxes_alone : bool
        Whether each is asked for with a box, and that is all.
    """
    playing = [begin(segmenter, picture[None], truth) for truth in truths]
    boxed = boxes_alone or rng.random() < BOXED
    play_rounds(segmenter, playing, rng, boxed=boxed, n_rounds=1 if boxes_alone else N_ROUNDS)
    return segmenter.take()


def begin(segmenter: WatchedSegmenter, planes: NDArray[np.uint8], truth: NDArray[np.bool_]) -> Played:
    """Begin a session for an object ``(H, W)`` in the first of some planes ``(P, H, W)`` or with colours."""
    geometry = Geometry.from_spacing((len(planes), *truth.shape))
    volume = Volume(planes, geometry, Provenance("sessions"))
    segmenter.watch(volume, truth)
    return Played(Session(volume, window=Window(0, 255)), truth)


def play_rounds(
    segmenter: WatchedSegmenter,
    playing: Sequence[Played],
    rng: np.random.Generator,
    *,
    boxed: bool = False,
    n_rounds: int = N_ROUNDS,
) -> None:
    """Click, some rounds long, wherever something is wrong; at first with a box where one is `boxed`."""
    for number in range(n_rounds):
        shown = [draw_box(one, rng) if boxed and not number else _click(one, rng) for one in playing]
        asked = [
            (one, one.session.prompt(one.plane, prompt, object_id=OBJECT))
            for one, prompt in zip(playing, shown, strict=True)
            if prompt is not None
        ]
        answers = segmenter.segment_batch([request for _, request in asked])
        for (one, request), answer in zip(asked, answers, strict=True):
            one.session.apply(answer, request)
        playing = [one for one, _ in asked if rng.random() < GO_ON]
        if not playing:
            break


def draw_box(one: Played, rng: np.random.Generator) -> Prompt | None:
    """Draw a box, each side a little off; None for one without a size."""
    box = tight_box(one.truth)
    if box is None:
        return None
    lows, highs, size = np.array(box[:2]), np.array(box[2:]), one.truth.shape
    extent = highs - lows
    room = (rng.uniform(0.0, MOST_ROOM) if rng.random() < ROOMY else 0.0) * extent
    off = np.maximum(1.0, LOOSENESS * extent)
    top, left = (int(n) for n in np.rint(lows - room + off * rng.uniform(-1, 1, 2)).clip(0, size))
    bottom, right = (int(n) for n in np.rint(highs + room + off * rng.uniform(-1, 1, 2)).clip(0, size))
    if min(bottom - top, right - left) < 2:
        return None
    return BoxPrompt(one.plane.box_of((top, left, bottom, right)))


def _click(one: Played, rng: np.random.Generator) -> Prompt | None:
    """Click into the object, or later into what is wrong; None where nothing is."""
    if not one.clicked and not one.found.any():
        inside = one.truth
        row, col = innermost_point(inside) if rng.random() < FIRST_INNERMOST else _deep_in(inside, rng)
        positive = True
    else:
        wrong = one.truth ^ one.found
        for place in one.clicked:
            wrong[place] = False
        missing, n_missing = ndimage.label(wrong & one.truth, structure=_EIGHT_NEIGHBOURS)
        surplus, n_surplus = ndimage.label(wrong & one.found, structure=_EIGHT_NEIGHBOURS)
        regions, n_regions = np.where(surplus, surplus + n_missing, missing), n_missing + n_surplus
        if not n_regions:
            return None
        areas = np.bincount(regions.ravel())[1:].astype(float)
        if rng.random() < LARGEST:
            row, col = innermost_point(regions == 1 + int(areas.argmax()))
        else:
            often = areas**1.5 / (areas**1.5).sum()
            row, col = _deep_in(regions == 1 + int(rng.choice(n_regions, p=often)), rng)
        positive = bool(one.truth[row, col])
    one.clicked.append((row, col))
    return PointPrompt(one.plane.at(float(row), float(col)), positive)


def _deep_in(region: NDArray[np.bool_], rng: np.random.Generator) -> tuple[int, int]:
    """Choose a pixel at least as deep in a region as chance says, between its edge and its depth."""
    depth = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    deepest = float(depth.max())
    places = np.argwhere(depth >= min(deepest, max(1.0, rng.uniform(0.0, 1.0) * deepest)))
    row, col = places[rng.integers(len(places))]
    return int(row), int(col)
