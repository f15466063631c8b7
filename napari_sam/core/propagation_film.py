"""Following an object through film: where it moved from frame to frame, and where it may be back.

Between planes of a stack an object changes its outline; between frames it moves. Before a frame is asked for,
the object's last mask is moved to where the picture inside it went: first as a whole, by normalised
cross-correlation (J. P. Lewis, "Fast normalized cross-correlation", 1995), then pixel by pixel, by total
variation optical flow (C. Zach, T. Pock and H. Bischof, "A duality based approach for realtime TV-L1 optical
flow", 2007). Both work on a small copy of the two frames around the object.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.anchor_shapes import take_as_found
from napari_sam.core.masks import BoxedMask, innermost_point, tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt, Prompt
from napari_sam.core.propagation_choices import judge_by_ending, judge_by_trust
from napari_sam.core.propagation_parts import Front, PropagationParts
from napari_sam.core.propagation_plan import PropagationPlan
from napari_sam.core.segmenter import SegmentRequest
from napari_sam.core.sharpening import sharpen_by_anchors, sharpen_by_appearance
from volumes import Volume

__all__ = ["FilmSettings", "FrameMotion", "best_shift", "film_parts", "for_film", "is_film"]

FRAMES_AWAY = 5
"""For how many frames an object that was lost is looked for."""


@dataclass(frozen=True)
class FilmSettings:
    """How an object is looked for in the next frame.

    Parameters
    ----------
    reach : float
        How far it may move from frame to frame, as a part of its box's longer side.
    side_px : int
        Pixels of the longer side of the small copy in which motion is measured.
    min_match : float
        Correlation, from 0 to 1, below which its place in the next frame is unknown: then nothing is moved.
    nearness : float
        Correlation that a place has to give more for each length of the object that it is farther away.
    rim : float
        How much around the object is compared, too, as a part of its longer side: its outline is there.
    bends : bool
        Whether the outline follows the flow of the pixels, beside the motion as a whole.
    margin : float
        How far the box reaches beyond the moved mask, as a part of its height and width.
    """

    reach: float = 0.75
    side_px: int = 96
    min_match: float = 0.3
    nearness: float = 0.2
    rim: float = 0.05
    bends: bool = True
    margin: float = 0.05


@dataclass(frozen=True, eq=False)
class _Patch:
    """A small copy of a part of a frame: colours (h, w, k) from 0 to 1, one pixel for `step` of its own."""

    colours: NDArray[np.float64]
    step: int


class FrameMotion:
    """Where a mask of one frame lies in another.

    Parameters
    ----------
    plan : PropagationPlan
        The film and its window.
    settings : FilmSettings
        How it is looked for.
    """

    def __init__(self, plan: PropagationPlan, settings: FilmSettings) -> None:
        self._plan, self._settings = plan, settings

    def moved(self, mask: BoxedMask, seen: PlaneRef, plane: PlaneRef, reach: float = 1.0) -> BoxedMask:
        """Move a mask to where the object is in another frame, as far as the picture says.

        Parameters
        ----------
        mask : BoxedMask
            The object in the frame where it was seen; not empty.
        seen, plane : PlaneRef
            That frame, and the one asked for.
        reach : float
            By which factor it may have moved farther than from one frame to the next.

        Returns
        -------
        BoxedMask
            On `plane`; where nothing fits, or what fits is outside the picture, the same outline as before.
        """
        shape = self._plan.volume.shape
        whole = mask.to_plane(seen, shape)
        region = _region(whole, self._settings.reach * reach)
        before, after = (self._patch(at, region) for at in (seen, plane))
        small = whole[region[0] : region[2] : before.step, region[1] : region[3] : before.step]
        if not small.any():
            return mask.moved_to(plane)
        rim = max(1, round(self._settings.rim * max(np.ptp(np.nonzero(small), axis=1) + 1)))
        small = ndimage.binary_dilation(small, iterations=rim)
        shift, match = best_shift(before.colours, after.colours, small, self._settings.nearness)
        if match < self._settings.min_match:
            return mask.moved_to(plane)
        moved = ndimage.shift(whole.astype(np.uint8), [s * before.step for s in shift], order=0) > 0
        if self._settings.bends and moved.any():
            moved = self._bent(moved, seen, plane, tuple(s * before.step for s in shift))
        return BoxedMask.of_plane(moved, plane, shape) if moved.any() else mask.moved_to(plane)

    def _bent(
        self, mask: NDArray[np.bool_], seen: PlaneRef, plane: PlaneRef, shift: tuple[int, ...]
    ) -> NDArray[np.bool_]:
        """Let the pixels' flow, beside a shift that is known, bend a moved mask (H, W)."""
        from skimage.registration import optical_flow_tvl1

        region = _region(mask, 0.25)
        after = self._patch(plane, region)
        before = self._patch(seen, region, shift)
        flow = optical_flow_tvl1(after.colours.mean(axis=2), before.colours.mean(axis=2))
        part = mask[region[0] : region[2], region[1] : region[3]]
        full = np.stack([_resized(f, part.shape) * after.step for f in flow])
        at = np.indices(part.shape) + full
        bent = np.zeros_like(mask)
        bent[region[0] : region[2], region[1] : region[3]] = (
            ndimage.map_coordinates(part.astype(np.float64), at, order=1, mode="nearest") > 0.5
        )
        return bent

    def _patch(
        self, plane: PlaneRef, region: tuple[int, int, int, int], shift: tuple[int, ...] = (0, 0)
    ) -> _Patch:
        """Return a small copy of a frame's region (row0, col0, row1, col1), shifted by whole pixels."""
        row0, col0, row1, col1 = region
        picture = self._plan.window.to_uint8(np.asarray(plane.take(self._plan.volume.data)))
        picture = picture[..., None] if picture.ndim == 2 else picture
        rows = np.clip(np.arange(row0, row1) - shift[0], 0, picture.shape[0] - 1)
        cols = np.clip(np.arange(col0, col1) - shift[1], 0, picture.shape[1] - 1)
        cut = picture[rows][:, cols].astype(np.float64) / 255.0
        step = max(1, math.ceil(max(cut.shape[:2]) / self._settings.side_px))
        smooth = ndimage.uniform_filter(cut, (step, step, 0)) if step > 1 else cut
        return _Patch(smooth[::step, ::step], step)


def best_shift(
    before: NDArray[np.float64], after: NDArray[np.float64], mask: NDArray[np.bool_], nearness: float = 0.0
) -> tuple[tuple[int, int], float]:
    """Return by how many (rows, columns) what a mask covers has moved, and the correlation there.

    Parameters
    ----------
    before, after : NDArray[float], shape (h, w, k)
        Two pictures of k channels.
    mask : NDArray[bool], shape (h, w)
        What of the first is looked for; not empty.
    nearness : float
        Correlation that a place has to give more for each length of the mask that it is farther away.

    Returns
    -------
    tuple
        The shift, and the normalised cross-correlation of the masked pixels, at most 1.
    """
    from scipy.signal import correlate

    row0, col0, row1, col1 = tight_box(mask) or (0, 0, 1, 1)
    inside = mask[row0:row1, col0:col1].astype(np.float64)
    n = inside.sum()
    top, energy, spread = 0.0, 0.0, 0.0
    for k in range(before.shape[2]):
        cut = before[row0:row1, col0:col1, k]
        template = (cut - (cut * inside).sum() / n) * inside
        sums = correlate(after[..., k], inside, mode="valid", method="fft")
        squares = correlate(after[..., k] ** 2, inside, mode="valid", method="fft")
        top = top + correlate(after[..., k], template, mode="valid", method="fft")
        energy = energy + np.maximum(squares - sums**2 / n, 0.0)
        spread += float((template**2).sum())
    score = top / np.sqrt(np.maximum(energy * spread, 1e-12))
    rows, cols = np.ogrid[: score.shape[0], : score.shape[1]]
    lengths = np.hypot(rows - row0, cols - col0) / max(inside.shape)
    row, col = np.unravel_index(int(np.argmax(score - nearness * lengths)), score.shape)
    return (int(row) - row0, int(col) - col0), float(score[row, col])


class _FilmPrompts:
    """Derives a frame's prompts from the object's last mask, moved to where the object is now."""

    def __init__(self, settings: FilmSettings) -> None:
        self._settings = settings
        self._seen: WeakKeyDictionary[Front, tuple[PlaneRef, BoxedMask]] = WeakKeyDictionary()

    def derive(self, plan: PropagationPlan, front: Front, usable: frozenset[str]) -> SegmentRequest:
        plane = front.plane.neighbour(front.step)
        seen, mask = self._last_seen(front)
        n_steps = abs(plane.index - seen.index)
        moved = FrameMotion(plan, self._settings).moved(mask, seen, plane, math.sqrt(n_steps))
        front.mask = moved.moved_to(front.plane)  # what the answer is compared with
        prompts = self._prompts(plan, moved, plane, usable)
        return SegmentRequest(plan.volume, plane, plan.window, prompts, plan.object_id, is_followed=True)

    def _prompts(
        self, plan: PropagationPlan, moved: BoxedMask, plane: PlaneRef, usable: frozenset[str]
    ) -> tuple[Prompt, ...]:
        """Give the box where the model takes boxes, and nothing else: an object turns within its box."""
        if "box" in usable:
            wide = replace(plan.limits, margin=self._settings.margin)
            return (BoxPrompt(wide.grown_box(moved.box, plane, plan.volume.shape)),)
        prompts: list[Prompt] = []
        if "point" in usable:
            row, col = innermost_point(moved.to_plane(plane, plan.volume.shape))
            prompts.append(PointPrompt(plane.at(row, col)))
        if "mask" in usable:
            prompts.append(MaskPrompt(moved))
        return tuple(prompts)

    def _last_seen(self, front: Front) -> tuple[PlaneRef, BoxedMask]:
        if front.skipped == 0 or front not in self._seen:
            self._seen[front] = (front.plane, front.mask)
        return self._seen[front]


def film_parts(
    settings: FilmSettings | None = None, parts: PropagationParts | None = None
) -> PropagationParts:
    """Return parts that move the object on before they ask, and choose and judge as the given ones do.

    Shapes of anchors say nothing of other frames, nor do errors there: a thing turns and bends as it moves.
    Nor does it end as slabs show it: trust alone judges, in place of what was fitted to those.
    """
    prompts, parts = _FilmPrompts(settings or FilmSettings()), parts or PropagationParts()
    sharpen = sharpen_by_appearance if parts.sharpen is sharpen_by_anchors else parts.sharpen
    judge = judge_by_trust if parts.judge is judge_by_ending else parts.judge
    return replace(parts, derive=prompts.derive, sharpen=sharpen, settle=take_as_found, judge=judge)


def for_film(
    plan: PropagationPlan, parts: PropagationParts | None = None
) -> tuple[PropagationPlan, PropagationParts]:
    """Return a plan and parts for film: a front looks for the object in further frames, and none is drawn.

    A frame in which the object is not seen stays empty, unless it lies between two anchors.
    """
    limits = replace(plan.limits, n_passed_over=FRAMES_AWAY, repairs=False)
    return replace(plan, limits=limits), film_parts(parts=parts)


def is_film(volume: Volume) -> bool:
    """Return whether a volume's planes are frames or times, by what its reader noted."""
    notes = " ".join(volume.provenance.notes)
    return volume.shape[0] > 1 and ("planes are frames" in notes or "planes are times" in notes)


def _region(mask: NDArray[np.bool_], reach: float) -> tuple[int, int, int, int]:
    """Return the half-open (row0, col0, row1, col1) around a mask (H, W) and as far beyond as it may move."""
    row0, col0, row1, col1 = tight_box(mask) or (0, 0, *mask.shape)
    far = math.ceil(reach * max(row1 - row0, col1 - col0)) + 2
    height, width = mask.shape
    return max(0, row0 - far), max(0, col0 - far), min(height, row1 + far), min(width, col1 + far)


def _resized(field: NDArray[np.floating], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return a field (h, w) stretched to another shape, linearly."""
    scales = [(n - 1) / max(m - 1, 1) for n, m in zip(field.shape, shape, strict=True)]
    at = [grid * scale for grid, scale in zip(np.indices(shape), scales, strict=True)]
    return np.asarray(ndimage.map_coordinates(field.astype(np.float64), at, order=1, mode="nearest"))
