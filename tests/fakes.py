"""Stand-ins that need no model: a deterministic segmenter, and volumes whose objects are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask, innermost_point
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt
from napari_sam.core.propagation_rules import PropagationLimits
from napari_sam.core.segmenter import MaskPrediction, Segmenter, SegmentRequest
from napari_sam.core.window import Window
from napari_sam.errors import UnsupportedPrompt
from volumes import Box, Geometry, Provenance, Volume

HINT_SIDE = 64
DARK = 64  # what is darker, of 0 to 255, is background
ALL_PROMPTS = frozenset({"point", "box", "mask"})


def ellipsoid_labels(
    shape: tuple[int, int, int] = (15, 48, 64), *, n_objects: int = 1, fill: float = 0.7
) -> NDArray[np.uint16]:
    """Ellipsoids side by side along the columns, ids from 1; each fills about that part of its cell.

    Their ends lie 0.85 of a voxel beyond the last one inside, so that no plane at an end is a mere speck.
    """
    labels = np.zeros(shape, np.uint16)
    width = shape[2] // n_objects
    cell = (shape[0], shape[1], width)
    distance = np.zeros(cell)
    for grid, n in zip(np.ogrid[tuple(slice(n) for n in cell)], cell, strict=True):
        middle = (n - 1) / 2
        radius = np.floor(fill * n / 2) + middle % 1 - 0.15
        distance += ((grid - middle) / radius) ** 2
    inside = distance <= 1.0
    for k in range(n_objects):
        labels[:, :, k * width : (k + 1) * width][inside] = k + 1
    return labels


def labelled_volume(labels: NDArray[Any], *, seed: int = 0, rgb: bool = False) -> Volume:
    """A volume of int16 in which objects are bright (700 and up), the rest dark (0), with a little noise."""
    rng = np.random.default_rng(seed)
    grey = np.where(labels > 0, 650 + 50 * labels.astype(np.int64), 0) + rng.integers(-20, 20, labels.shape)
    data = grey.astype(np.int16)
    if rgb:
        data = np.repeat(np.clip(grey // 4, 0, 255).astype(np.uint8)[..., None], 3, axis=3)
    return Volume(data, Geometry.from_spacing(labels.shape), Provenance("test"))


class FakeSegmenter:
    """Finds the connected bright part as grey as at the prompts; or, given the truth, hands it back degraded.

    Candidate 1 is the answer, candidate 0 is it eroded, candidate 2 dilated, with scores 0.5, 0.9 and 0.4.

    Parameters
    ----------
    truth : NDArray of integers, shape (P, R, C), optional
        Label volume to answer from. Every second pixel of an object's outline is left out.
    prompts : frozenset of str
        The kinds of prompts that it accepts; others raise UnsupportedPrompt.
    scores : callable, optional
        Gives the best candidate's score in a plane.
    """

    name = "fake.test"

    def __init__(
        self,
        truth: NDArray[Any] | None = None,
        *,
        prompts: frozenset[str] = ALL_PROMPTS,
        scores: Callable[[PlaneRef], float] = lambda plane: 0.9,
    ) -> None:
        self.prompts = prompts
        self.requests: list[SegmentRequest] = []
        self.prefetched: list[tuple[PlaneRef, ...]] = []
        self._truth = truth
        self._scores = scores

    def segment(self, request: SegmentRequest) -> MaskPrediction:
        self._refuse_unsupported(request)
        self.requests.append(request)
        plane, shape = request.plane, request.volume.shape
        best = self._from_grey(request) if self._truth is None else self._from_truth(request, self._truth)
        masks = (ndimage.binary_erosion(best), best, ndimage.binary_dilation(best))
        score = self._scores(plane)
        return MaskPrediction(
            plane,
            tuple(BoxedMask.of_plane(mask, plane, shape) for mask in masks),
            np.array([max(score - 0.4, 0.0), score, max(score - 0.5, 0.0)], np.float32),
            np.stack([_to_hint(mask) for mask in masks]),
        )

    def prefetch(
        self,
        volume: Volume,
        planes: Sequence[PlaneRef],
        window: Window,
        cancel: Cancel | None = None,
        around: Box | None = None,
    ) -> None:
        if cancel is None or not cancel.requested:
            self.prefetched.append(tuple(planes))

    def _refuse_unsupported(self, request: SegmentRequest) -> None:
        kinds = {PointPrompt: "point", BoxPrompt: "box", MaskPrompt: "mask"}
        asked = {kinds[type(prompt)] for prompt in request.prompts}
        asked |= {"mask"} if request.hint is not None else set()
        if not asked <= self.prompts:
            raise UnsupportedPrompt(
                f"{self.name} takes {sorted(self.prompts)}, not {sorted(asked)}; leave these out"
            )

    def _from_grey(self, request: SegmentRequest) -> NDArray[np.bool_]:
        pixels = request.window.to_uint8(request.plane.take(request.volume.data)).astype(np.int64)
        grey = pixels if pixels.ndim == 2 else pixels.mean(axis=2)
        allowed, seeds = _allowed(request), _seeds(request)
        found = np.zeros(grey.shape, np.bool_)
        for row, col in seeds:
            parts, _ = ndimage.label((np.abs(grey - grey[row, col]) <= 40) & (grey >= DARK) & allowed)
            found |= (parts == parts[row, col]) & (parts > 0)
        return found

    def _from_truth(self, request: SegmentRequest, truth: NDArray[Any]) -> NDArray[np.bool_]:
        plane_truth, allowed = request.plane.take(truth), _allowed(request)
        ids = [int(plane_truth[row, col]) for row, col in _seeds(request)]
        ids = [object_id for object_id in ids if object_id > 0]
        if not ids:
            counts = np.bincount(plane_truth[allowed].astype(np.int64), minlength=2)[1:]
            ids = [int(np.argmax(counts)) + 1]
        mask = (plane_truth == ids[0]) & allowed
        outline = mask & ~ndimage.binary_erosion(mask)
        rows, cols = np.indices(mask.shape)
        return mask & ~(outline & ((rows + cols) % 2 == 0)) if mask.sum() > 20 else mask


class GlancingFake(FakeSegmenter):
    """A `FakeSegmenter` whose every answer comes after a glance: the object eroded, alone."""

    def glance(self, request: SegmentRequest) -> MaskPrediction:
        full = super().segment(request)
        return MaskPrediction(
            full.plane, full.masks[:1], full.scores[:1], full.hints[:1], preferred=0, is_glance=True
        )

    def answers(self, request: SegmentRequest) -> Iterator[MaskPrediction]:
        yield self.glance(request)
        yield self.segment(request)


class RememberingModel:
    """Makes a `Propagator` of any segmenter: its memory is the mask and the logits of the plane before."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter

    def propagate(
        self, request: SegmentRequest, planes: Sequence[PlaneRef], cancel: Cancel | None = None
    ) -> Iterator[MaskPrediction]:
        (prompt,) = request.prompts
        assert isinstance(prompt, MaskPrompt)
        mask, hint, limits = prompt.mask, request.hint, PropagationLimits()
        for plane in planes:
            (cancel or Cancel()).check()
            box = limits.grown_box(mask.moved_to(plane).box, plane, request.volume.shape)
            point = innermost_point(mask.to_plane(plane, request.volume.shape))
            asked = (BoxPrompt(box), PointPrompt(plane.at(*point)))
            answer = self._segmenter.segment(replace(request, plane=plane, prompts=asked, hint=hint))
            yield answer
            if not answer.masks[answer.best].is_empty:
                mask, hint = answer.masks[answer.best], answer.hints[answer.best]


class NestedSegmenter:
    """Finds three discs around one centre in every plane: a part, an object, a group.

    A point alone may mean any of them: they come in this order, with scores 0.6, 0.9 and 0.7. A box, a mask
    or logits say which one is meant: it comes first, and is preferred.
    """

    name = "nested.test"
    radii = (4, 8, 12)
    scores = (0.6, 0.9, 0.7)

    def __init__(self, centre_rc: tuple[int, int] = (15, 23), prompts: frozenset[str] = ALL_PROMPTS) -> None:
        self.prompts = prompts
        self.requests: list[SegmentRequest] = []
        self._centre_rc = centre_rc

    def segment(self, request: SegmentRequest) -> MaskPrediction:
        self.requests.append(request)
        shape = request.volume.shape
        rows, cols = np.indices(request.plane.shape_hw(shape))
        squared = (rows - self._centre_rc[0]) ** 2 + (cols - self._centre_rc[1]) ** 2
        discs = [squared <= radius**2 for radius in self.radii]
        order, meant = [0, 1, 2], self._meant(request, discs)
        if meant is not None:
            order = [meant, *(k for k in order if k != meant)]
        return MaskPrediction(
            request.plane,
            tuple(BoxedMask.of_plane(discs[k], request.plane, shape) for k in order),
            np.array([self.scores[k] for k in order], np.float32),
            np.stack([_to_hint(discs[k]) for k in order]),
            preferred=None if meant is None else 0,
        )

    def prefetch(self, *_: object, **__: object) -> None:
        pass

    def _meant(self, request: SegmentRequest, discs: list[NDArray[np.bool_]]) -> int | None:
        sides = [box.shape for box in _boxes(request)]
        if sides:
            diameter = max(sides[0])
            return int(np.argmin([abs(2 * radius + 1 - diameter) for radius in self.radii]))
        if request.hint is None:
            return None
        return int(np.argmin([np.abs((request.hint > 0) ^ (_to_hint(disc) > 0)).sum() for disc in discs]))


def _boxes(request: SegmentRequest) -> list[Box]:
    boxes = [prompt.box for prompt in request.prompts if isinstance(prompt, BoxPrompt)]
    return [*boxes, *(prompt.mask.box for prompt in request.prompts if isinstance(prompt, MaskPrompt))]


def _allowed(request: SegmentRequest) -> NDArray[np.bool_]:
    """The box where there is one, without small discs around negative points."""
    shape_hw = request.plane.shape_hw(request.volume.shape)
    allowed = np.ones(shape_hw, np.bool_)
    rows, cols = np.indices(shape_hw)
    for prompt in request.prompts:
        if isinstance(prompt, BoxPrompt):
            row0, col0, row1, col1 = request.plane.box_hw(prompt.box)
            allowed &= (rows >= row0) & (rows < row1) & (cols >= col0) & (cols < col1)
        elif isinstance(prompt, PointPrompt) and not prompt.positive:
            row, col = request.plane.rc(prompt.at)
            allowed &= (rows - row) ** 2 + (cols - col) ** 2 > 9
    return allowed


def _seeds(request: SegmentRequest) -> list[tuple[int, int]]:
    """Pixels in the object: positive points, else the middle of the box, the mask or the hint."""
    plane, shape = request.plane, request.volume.shape
    points = [p for p in request.prompts if isinstance(p, PointPrompt) and p.positive]
    if points:
        return [
            (int(np.floor(row + 0.5)), int(np.floor(col + 0.5)))
            for row, col in (plane.rc(p.at) for p in points)
        ]
    for prompt in request.prompts:
        if isinstance(prompt, BoxPrompt):
            row0, col0, row1, col1 = plane.box_hw(prompt.box)
            return [((row0 + row1) // 2, (col0 + col1) // 2)]
        if isinstance(prompt, MaskPrompt):
            return [innermost_point(prompt.mask.to_plane(plane, shape))]
    if request.hint is not None and (request.hint > 0).any():
        height, width = plane.shape_hw(shape)
        row, col = innermost_point(np.asarray(request.hint > 0))
        return [(row * height // HINT_SIDE, col * width // HINT_SIDE)]
    return []


def _to_hint(mask: NDArray[np.bool_]) -> NDArray[np.float16]:
    rows, cols = (np.arange(HINT_SIDE) * n // HINT_SIDE for n in mask.shape)
    return np.where(mask[np.ix_(rows, cols)], 8, -8).astype(np.float16)
