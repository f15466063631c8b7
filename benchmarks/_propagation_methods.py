"""Ways to carry an object from the planes where it was shown through the others, all asked in one form."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from benchmarks._growing import level_set, random_walker
from benchmarks._micro_sam import THEIRS, is_installed, micro_sam
from benchmarks._shown import BoolVolume, Method, Shown, anchor_masks, planes_together
from napari_sam.core.masks import BoxedMask, innermost_point, iou, tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt, Prompt
from napari_sam.core.propagation import propagate
from napari_sam.core.segmenter import MaskPrediction, Segmenter, SegmentRequest
from napari_sam.core.session import Session
from napari_sam.core.shape_between import shape_between

_OBJECT = 1


def ours(segmenter: Segmenter, shown: Shown) -> BoolVolume:
    """Run the package's own propagation."""
    session = Session(shown.volume, window=shown.window)
    for index, prompts in sorted(shown.prompts.items()):
        for prompt in prompts:
            request = session.prompt(PlaneRef(0, index), prompt, object_id=_OBJECT)
        session.apply(segmenter.segment(request), request)
    if any(session.mask_on(PlaneRef(0, index), _OBJECT) is not None for index in shown.prompts):
        for _ in propagate(session, segmenter, _OBJECT, axis=0, film=shown.is_film or None):
            pass
    return np.asarray(session.labels == _OBJECT)


class Limited:
    """A segmenter that is asked with some kinds of prompts only, so that propagation carries only those."""

    def __init__(self, inner: Segmenter, kinds: frozenset[str]) -> None:
        self._inner, self.prompts = inner, kinds
        self.name, self.prefetch = inner.name, inner.prefetch

    def segment(self, request: SegmentRequest) -> MaskPrediction:
        """Pass the request on."""
        return self._inner.segment(request)


def carrying(*kinds: str) -> Method:
    """Our propagation with some kinds of derived prompts."""
    return lambda segmenter, shown: ours(Limited(segmenter, frozenset(kinds)), shown)


def neighbour_overlap(threshold: float, extension: float, kinds: frozenset[str]) -> Method:
    """Prompts derived from the binary mask of the plane before, until two masks overlap too little.

    The rule that micro-sam publishes (Archit et al., "Segment Anything for Microscopy", 2025): from the outer
    anchors outwards while the IoU of neighbouring masks is at least a threshold; between anchors without one,
    each half from its own side. Written from its description; run here with the same model.

    Parameters
    ----------
    threshold : float
        Smallest IoU.
    extension : float
        How far the derived box is moved out on each side, as a part of its length.
    kinds : frozenset of str
        Which of ``"box"``, ``"mask"`` and ``"point"`` are derived.
    """

    def run(segmenter: Segmenter, shown: Shown) -> BoolVolume:
        masks = anchor_masks(segmenter, shown)
        anchors = [index for index in sorted(masks) if not masks[index].is_empty]

        def walk(start: int, planes: Sequence[int], limit: float) -> None:
            before = masks[start]
            for index in planes:
                plane = PlaneRef(0, index)
                prompts = _derived(before.moved_to(plane), plane, shown.volume.shape, extension, kinds)
                answer = segmenter.segment(SegmentRequest(shown.volume, plane, shown.window, prompts))
                mask = answer.masks[answer.best]
                if mask.is_empty or iou(before.moved_to(plane), mask) < limit:
                    return
                masks[index] = before = mask

        if anchors:
            walk(anchors[0], range(anchors[0] - 1, -1, -1), threshold)
            walk(anchors[-1], range(anchors[-1] + 1, shown.volume.shape[0]), threshold)
        for low, high in itertools.pairwise(anchors):
            middle = (low + high) // 2
            walk(low, range(low + 1, middle + 1), 0.0)
            walk(high, range(high - 1, middle, -1), 0.0)
        return planes_together(masks, shown.volume)

    return run


def same_box(segmenter: Segmenter, shown: Shown) -> BoolVolume:
    """Ask with the prompt of the nearest anchor in each plane between the true ends, which are given."""
    boxes = {index: prompts[0] for index, prompts in shown.prompts.items()}
    masks = {}
    for index in range(shown.ends[0], shown.ends[1] + 1):
        plane = PlaneRef(0, index)
        prompt = boxes[min(boxes, key=lambda anchor: abs(anchor - index))]
        moved = (
            BoxPrompt(plane.box_of(plane.box_hw(prompt.box)))
            if isinstance(prompt, BoxPrompt)
            else PointPrompt((index, *prompt.at[1:]))
            if isinstance(prompt, PointPrompt)
            else prompt
        )
        answer = segmenter.segment(SegmentRequest(shown.volume, plane, shown.window, (moved,)))
        masks[index] = answer.masks[answer.best]
    return planes_together(masks, shown.volume)


def between_anchors(segmenter: Segmenter, shown: Shown) -> BoolVolume:
    """Take the anchors' masks and the shapes between them, without looking at any other plane."""
    masks = anchor_masks(segmenter, shown)
    anchors = [index for index in sorted(masks) if not masks[index].is_empty]
    row_mm, column_mm = shown.volume.geometry.spacing_mm[1:]
    for low, high in itertools.pairwise(anchors):
        for index in range(low + 1, high):
            masks[index] = shape_between(
                masks[low], masks[high], PlaneRef(0, index), shown.volume.shape, (row_mm, column_mm)
            )
    return planes_together(masks, shown.volume)


def region_growing(_: Segmenter, shown: Shown) -> BoolVolume:
    """SimpleITK's confidence-connected growing in three dimensions, from the inner half of each box."""
    import SimpleITK

    data = np.asarray(shown.volume.data)
    grey = data.mean(axis=-1) if shown.volume.is_rgb else data
    image = SimpleITK.GetImageFromArray(grey.astype(np.float32))
    seeds = [(int(c), int(r), index) for index, ps in shown.prompts.items() for r, c in _inner_points(ps)]
    grown = SimpleITK.ConfidenceConnected(image, seeds, numberOfIterations=2, multiplier=2.0, replaceValue=1)
    return SimpleITK.GetArrayFromImage(grown) > 0


def _inner_points(prompts: Sequence[Prompt]) -> list[tuple[float, float]]:
    points = []
    for prompt in prompts:
        if isinstance(prompt, PointPrompt):
            points.append((prompt.at[1], prompt.at[2]))
        elif isinstance(prompt, BoxPrompt):
            (_, row0, col0), (_, row1, col1) = prompt.box.start, prompt.box.stop
            shares = (0.4, 0.5, 0.6)
            points += [(row0 + a * (row1 - row0), col0 + b * (col1 - col0)) for a in shares for b in shares]
    return points


def _derived(
    mask: BoxedMask, plane: PlaneRef, shape: tuple[int, int, int], extension: float, kinds: frozenset[str]
) -> tuple[Prompt, ...]:
    whole = mask.to_plane(plane, shape)
    prompts: list[Prompt] = []
    box = tight_box(whole)
    if "box" in kinds and box is not None:
        sides = [round(extension * (box[2 + axis] - box[axis])) for axis in (0, 1)]
        low = [max(0, box[axis] - sides[axis]) for axis in (0, 1)]
        high = [min(shape[1 + axis], box[2 + axis] + sides[axis]) for axis in (0, 1)]
        prompts.append(BoxPrompt(plane.box_of((low[0], low[1], high[0], high[1]))))
    if "point" in kinds:
        row, column = innermost_point(whole)
        prompts.append(PointPrompt(plane.at(row, column)))
    if "mask" in kinds:
        prompts.append(MaskPrompt(mask))
    return tuple(prompts)


METHODS: dict[str, Method] = {
    "ours": ours,
    "ours, box only": carrying("box"),
    "ours, point only": carrying("point"),
    "ours, mask only": carrying("mask"),
    "neighbour overlap, mask and box, 0.8": neighbour_overlap(0.8, 0.025, frozenset({"mask", "box"})),
    "neighbour overlap, box, 0.8": neighbour_overlap(0.8, 0.025, frozenset({"box"})),
    "neighbour overlap, one point, 0.5": neighbour_overlap(0.5, 0.05, frozenset({"point"})),
    "micro-sam's code, mask and box, 0.8": micro_sam(0.8, 0.025, "mask"),
    "micro-sam's code, box, 0.8": micro_sam(0.8, 0.025, "box"),
    "micro-sam's code, one point, 0.5": micro_sam(0.5, 0.05, "single_point"),
    "same prompt in each plane, true ends given": same_box,
    "shapes between anchors": between_anchors,
    "region growing in 3-D": region_growing,
    "random walker in 3-D": random_walker,
    "level set in 3-D": level_set,
}
"""What the table compares, by name."""


def available() -> list[str]:
    """Name the methods that can run here: micro-sam's own code only where it is installed."""
    return [name for name in METHODS if is_installed() or not name.startswith(THEIRS)]
