"""What the anchors' shapes let expect in other planes, and how far that is to be believed.

A person's masks three planes apart say more of the plane between them than a model does that is not sure of
it; ten planes apart they say little. Both err, and how much is known: of the model by the trust in its mask,
of the shape by how well each anchor is foretold by those on either side of it, for an error of interpolation
grows with the square of the gap. The depths below the two outlines are weighed by the inverse squares of
these errors. Beyond the outermost of three anchors and more their areas say how large the object still is: in
the planes of an ellipsoid they are a parabola.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.depths import signed_depths
from napari_sam.core.masks import BoxedMask
from napari_sam.core.outline_depths import Outline, Region, around, cells, enlarged
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation_plan import PropagationPlan

__all__ = ["AnchorShapes", "Settle", "Settled", "settle_by_anchors", "take_as_found"]

MAX_SIDE = 96
"""Cells along the longer side of the largest anchor, at most."""

MODEL_ERROR = (0.65, 0.003)
"""1 - Dice of a mask with trust t: the first times (1 - t) squared, and the second."""

SHAPE_ERROR = (0.6, 0.02)
"""1 - Dice of a shape between two anchors: the first times what the anchors foretell, and the second."""

USUAL_BEND = 0.004
"""1 - Dice half-way between two anchors, over the square of the planes from one to the other: what one more
anchor would say, had the object one."""

SIZE_ERROR = 0.25
"""1 - Dice of an end anchor's shape, grown or shrunken to the area that the anchors' areas foretell."""

PLANES_FARTHER = 0.5
"""How much farther out than the areas say an object may end: its last plane is as thick as the others."""

LEAST_SHARE = 0.05
"""A shape that counts less is not looked at."""


@dataclass(frozen=True, eq=False)
class Settled:
    """A mask with the anchors' shapes taken into account.

    Parameters
    ----------
    mask : BoxedMask
        In the plane that was asked about; empty where the anchors speak against any object there.
    trust : float
        How well it is expected to agree with the object, 0 to 1.
    share : float
        What a shape between two anchors counted, 0 to 1: above a half, the mask is hardly the model's own.
    """

    mask: BoxedMask
    trust: float
    share: float = 0.0


Settle = Callable[[PlaneRef, BoxedMask, float], Settled]
"""(plane, the mask that would be kept there, trust in it) to what is to be kept."""


def take_as_found(plan: PropagationPlan) -> Settle:
    """Keep masks as they were found in their planes."""
    del plan
    return lambda plane, mask, trust: Settled(mask, trust)


def settle_by_anchors(plan: PropagationPlan) -> Settle:
    """Weigh masks against the shapes that a plan's anchors let expect, where there are two or more."""
    return AnchorShapes(plan).settle if len(plan.seeds) > 1 else take_as_found(plan)


@dataclass(frozen=True, eq=False)
class _Expected:
    """A shape that is expected in a plane: anchors' depths with their middles moved, added up by weight.

    Parameters
    ----------
    parts : sequence of (float, Outline)
        Weight and outline.
    middle : NDArray[float64], shape (2,)
        Where the object's middle should be, in cells.
    error : float
        1 - Dice that is expected of it.
    growth : float
        How much deeper it is everywhere, in cells.
    vouches : bool
        Whether the object has to be there, as it is between two anchors.
    """

    parts: Sequence[tuple[float, Outline]]
    middle: NDArray[np.float64]
    error: float
    growth: float = 0.0
    vouches: bool = True

    @property
    def regions(self) -> list[Region]:
        return [outline.region_at(self.middle) for _, outline in self.parts]

    @property
    def radius(self) -> float:
        return max(outline.radius for _, outline in self.parts)

    def depth(self, region: Region) -> NDArray[np.floating]:
        total = sum(weight * outline.depth_at(self.middle, region) for weight, outline in self.parts)
        return np.asarray(np.clip(total + self.growth, -self.radius, self.radius))


class AnchorShapes:
    """The shapes of a plan's anchors.

    Parameters
    ----------
    plan : PropagationPlan
        With two anchors at least.
    """

    def __init__(self, plan: PropagationPlan) -> None:
        self._plan = plan
        planes = {index: PlaneRef(plan.axis, index) for index in sorted(plan.seeds)}
        self._indices = list(planes)
        boxes = [plane.box_hw(plan.seeds[index].mask.box) for index, plane in planes.items()]
        side_px = max(max(row1 - row0, col1 - col0) for row0, col0, row1, col1 in boxes)
        self._step = math.ceil(side_px / MAX_SIDE)
        margin = math.ceil(side_px / self._step / 4) + 1
        self._outlines = {
            index: Outline.of(plan.seeds[index].mask, plane, self._step, margin)
            for index, plane in planes.items()
        }
        self._bend = USUAL_BEND
        self._bend = self._measured_bend()

    def settle(self, plane: PlaneRef, mask: BoxedMask, trust: float) -> Settled:
        """Weigh a mask against the shape that the anchors let expect in its plane.

        Parameters
        ----------
        plane : PlaneRef
            No anchor's.
        mask : BoxedMask
            What would be kept there; may be empty.
        trust : float
            How well it is expected to agree with the object.

        Returns
        -------
        Settled
            The same mask where the anchors say nothing of the plane, as beyond one in which a person said
            that the object is not there, and where the mask is trusted far more than what they say.
        """
        expected = self._expected(plane.index)
        if expected is None or (mask.is_empty and not expected.vouches):
            return Settled(mask, trust)
        doubt = _error_of(trust)
        share = doubt**2 / (doubt**2 + expected.error**2)
        if share < LEAST_SHARE:
            return Settled(mask, trust)
        found = self._blended(plane, mask, expected, share)
        if not expected.vouches:
            return Settled(found, trust)
        if found.is_empty:
            return Settled(mask, trust)
        return Settled(found, _trust_of(share * expected.error + (1.0 - share) * doubt), share)

    def _expected(self, index: int) -> _Expected | None:
        place = bisect_left(self._indices, index)
        if 0 < place < len(self._indices):
            return self._between(self._indices[place - 1], self._indices[place], index)
        return self._beyond(self._indices[:3] if place == 0 else self._indices[:-4:-1], index)

    def _between(self, before: int, after: int, index: int) -> _Expected | None:
        """Return the shape between two anchors, unless a person said in between that it is not there."""
        if self._is_walled(before, after):
            return None
        first, last = self._outlines[before], self._outlines[after]
        part = (index - before) / (after - before)
        slope, least = SHAPE_ERROR
        error = slope * self._bend * 4.0 * (index - before) * (after - index) + least
        middle = (1.0 - part) * first.middle + part * last.middle
        return _Expected(((1.0 - part, first), (part, last)), middle, error)

    def _beyond(self, three: Sequence[int], index: int) -> _Expected | None:
        """Return the shape of the first of three anchors, with the area that the three foretell.

        It says nothing of an object that does not end in that direction, as areas without a bend have it.
        """
        end = three[0]
        if len(three) < 3 or self._is_walled(end, index):
            return None
        places = np.array(three, np.float64) - end
        areas = [self._outlines[one].radius ** 2 for one in three]
        bend, slope, level = np.polyfit(places, areas, 2).tolist()
        away = index - end - math.copysign(PLANES_FARTHER, index - end)
        if bend >= 0:
            return None
        outline = self._outlines[end]
        area = bend * away**2 + slope * away + level
        radius = math.copysign(math.sqrt(abs(area)), area)  # below 0 past the end: the farther, the surer
        growth = min(radius, 2.0 * outline.radius) - outline.radius
        return _Expected(((1.0, outline),), outline.middle, SIZE_ERROR, growth, vouches=False)

    def _is_walled(self, one: int, other: int) -> bool:
        return any(min(one, other) < wall < max(one, other) for wall in self._plan.walls)

    def _measured_bend(self) -> float:
        """Foretell each anchor from those on its sides; mean error over the square of the gap, half-way."""
        bends = [USUAL_BEND]
        for (before, index), (_, after) in pairwise(pairwise(self._indices)):
            expected = self._between(before, after, index)
            if expected is not None:
                own = self._outlines[index]
                region = around([own.region_at(own.middle), *expected.regions])
                there, told = own.depth_at(own.middle, region) > 0, expected.depth(region) > 0
                n_either = np.count_nonzero(there) + np.count_nonzero(told)
                error = 1.0 - 2.0 * np.count_nonzero(there & told) / n_either
                bends.append(error / (4.0 * (index - before) * (after - index)))
        return float(np.mean(bends))

    def _blended(self, plane: PlaneRef, mask: BoxedMask, expected: _Expected, share: float) -> BoxedMask:
        step, plane_hw = self._step, plane.shape_hw(self._plan.volume.shape)
        regions = expected.regions
        if not mask.is_empty:
            row0, col0, row1, col1 = plane.box_hw(mask.box)
            regions.append((row0 // step, col0 // step, -(-row1 // step), -(-col1 // step)))
        row0, col0, row1, col1 = around(regions)
        row0, col0, row1, col1 = (
            min(max(cell, 0), -(-side // step))
            for cell, side in zip((row0, col0, row1, col1), (*plane_hw, *plane_hw), strict=True)
        )
        if row0 == row1 or col0 == col1:  # all of it is out of the picture
            return mask
        part = row0 * step, col0 * step, row1 * step, col1 * step
        own = signed_depths(cells(mask.to_part(plane, part), step)[None], expected.radius)[0]
        depth = share * expected.depth((row0, col0, row1, col1)) + (1.0 - share) * own
        inside = enlarged(depth, step)[: plane_hw[0] - part[0], : plane_hw[1] - part[1]] > 0
        return BoxedMask.of_part(inside, plane, part[:2])


def _error_of(trust: float) -> float:
    slope, least = MODEL_ERROR
    return slope * (1.0 - trust) ** 2 + least


def _trust_of(error: float) -> float:
    """Return the trust that goes with an error; the reverse of `_error_of`."""
    slope, least = MODEL_ERROR
    return 1.0 - math.sqrt(min(max(error - least, 0.0) / slope, 1.0))
