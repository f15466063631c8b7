"""How far an object can go beyond its outermost anchors, as the sizes of three and more of them say."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

__all__ = ["LEAST_ANCHORS", "reach_of"]

LEAST_ANCHORS = 3
"""Fewer say nothing of how far an object goes."""

SLACK = 0.25
"""How much farther than the areas say, as a part of half the length that they say."""

SLACK_PLANES = 2.0
"""And how many planes farther still."""


def reach_of(areas_px: Mapping[int, int]) -> tuple[float, float]:
    """Return the plane indices beyond which an object cannot be.

    The areas of an ellipsoid's planes are a parabola over the index; where a parabola through the anchors'
    areas falls to both sides, the object ends near its roots.

    Parameters
    ----------
    areas_px : mapping of int to int
        The area of the object in each anchor, by plane index.

    Returns
    -------
    tuple of float
        The lowest and the highest index; infinite where fewer than three anchors, or areas without a fall to
        both sides, say nothing.
    """
    everywhere = (-math.inf, math.inf)
    if len(areas_px) < LEAST_ANCHORS:
        return everywhere
    indices = np.array(sorted(areas_px), np.float64)
    middle = indices.mean()
    bend, slope, level = np.polyfit(indices - middle, [areas_px[int(i)] for i in indices], 2).tolist()
    inside = slope**2 - 4 * bend * level
    if bend >= 0 or inside <= 0:
        return everywhere
    half, centre = math.sqrt(inside) / (-2 * bend), middle - slope / (2 * bend)
    far = half * (1 + SLACK) + SLACK_PLANES
    return float(centre - far), float(centre + far)
