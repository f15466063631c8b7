"""Classical segmentation from one point: region growing and marker-based watershed; what a model has to beat.

A point says nothing about size, so both make a handful of nested or rival regions around it and keep
the one whose outline lies on the steepest edge; constants were chosen on the training folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import filters, segmentation

from napari_sam.core.classical_box import BoolPlane, FloatPlane, grey_of, stretch

__all__ = ["POINT_METHODS", "PointMethod", "region_growing", "watershed"]

PointMethod = Callable[[NDArray[np.uint8], tuple[int, int]], BoolPlane]

REACH_PX = 256
MIN_AREA_PX = 20
MAX_AREA_SHARE = 0.5
TOLERANCES = (0.03, 0.05, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)


def region_growing(image: NDArray[np.uint8], point: tuple[int, int]) -> BoolPlane:
    """Grow around the point's grey at eleven tolerances (shares of the grey range)."""
    grey, seed, origin = _around(image, point)
    smooth = ndimage.gaussian_filter(grey, 1.0)
    value = float(smooth[max(0, seed[0] - 1) : seed[0] + 2, max(0, seed[1] - 1) : seed[1] + 2].mean())
    regions = (
        _connected((smooth >= value - tolerance) & (smooth <= value + tolerance), seed)
        for tolerance in TOLERANCES
    )
    return _paste(_steepest(regions, grey, seed), origin, image)


def _connected(mask: BoolPlane, seed: tuple[int, int]) -> NDArray[Any]:
    """Return the part of a mask that hangs together with the seed by its sides; empty if that is outside."""
    parts = ndimage.label(mask)[0]
    return np.asarray((parts == parts[seed]) & mask[seed])


def watershed(image: NDArray[np.uint8], point: tuple[int, int]) -> BoolPlane:
    """Flood the gradient and the distance map from markers found by multi-level Otsu."""
    grey, seed, origin = _around(image, point)
    return _paste(_steepest(_basins(grey, seed), grey, seed), origin, image)


POINT_METHODS: dict[str, PointMethod] = {"region growing": region_growing, "watershed": watershed}


def _around(
    image: NDArray[np.uint8], point: tuple[int, int]
) -> tuple[FloatPlane, tuple[int, int], tuple[int, int]]:
    """Grey ``(h, w)`` 0..1 within `REACH_PX` of the point, the point in it, and its origin in the plane."""
    r0, c0 = max(0, point[0] - REACH_PX), max(0, point[1] - REACH_PX)
    part = image[r0 : point[0] + REACH_PX, c0 : point[1] + REACH_PX]
    grey = stretch(grey_of(part.reshape(*part.shape[:2], -1).astype(np.float64)))
    return grey, (point[0] - r0, point[1] - c0), (r0, c0)


def _basins(grey: FloatPlane, seed: tuple[int, int]) -> Iterator[NDArray[Any]]:
    gradient = ndimage.gaussian_gradient_magnitude(grey, 1.0)
    for side in _sides(ndimage.gaussian_filter(grey, 1.0), seed):
        distance = ndimage.distance_transform_edt(side)
        depth = max(float(distance[seed]), 1.0)
        markers = ndimage.label(distance >= 0.5 * depth)[0]
        markers[markers > 0] += 1
        markers[ndimage.binary_erosion(~side, iterations=2)] = 1
        if markers[seed] < 2:
            markers[seed] = int(markers.max()) + 2
        basins = segmentation.watershed(gradient, markers)
        yield basins == basins[seed]
        size = 2 * max(2, int(0.5 * depth)) + 1
        peaks = ndimage.label((ndimage.maximum_filter(distance, size) == distance) & side)[0]
        basins = segmentation.watershed(-distance, peaks, mask=side)
        if basins[seed] > 0:
            yield basins == basins[seed]


def _sides(smooth: FloatPlane, seed: tuple[int, int]) -> Iterator[BoolPlane]:
    """Give the point's side of a two- and a three-level Otsu, the middle level also with each neighbour."""
    for classes in (2, 3):
        try:
            levels = np.digitize(smooth, filters.threshold_multiotsu(smooth, classes))
        except ValueError:  # fewer greys than classes
            continue
        own = levels[seed]
        yield levels == own
        if classes == 3 and own == 1:
            yield levels >= own
            yield levels <= own


def _steepest(regions: Iterator[NDArray[Any]], grey: FloatPlane, seed: tuple[int, int]) -> BoolPlane:
    """Of the filled regions of a sensible size, the one with the greatest mean gradient on its outline."""
    gradient = ndimage.gaussian_gradient_magnitude(grey, 1.0)
    best, steepest = np.zeros(grey.shape, dtype=bool), -1.0
    best[seed] = True
    for region in regions:
        if not MIN_AREA_PX <= int(np.count_nonzero(region)) <= MAX_AREA_SHARE * region.size:
            continue
        around = _surroundings(region)
        filled = ndimage.binary_fill_holes(region[around])
        outline = ndimage.binary_dilation(filled) ^ ndimage.binary_erosion(filled)
        steepness = float(gradient[around][outline].mean())
        if steepness > steepest:
            best, steepest = np.zeros(grey.shape, dtype=bool), steepness
            best[around] = filled
    return best


def _surroundings(region: NDArray[Any]) -> tuple[slice, slice]:
    """Return the region's tight box, one pixel wider."""
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    return (
        slice(max(0, int(rows[0]) - 1), int(rows[-1]) + 2),
        slice(max(0, int(columns[0]) - 1), int(columns[-1]) + 2),
    )


def _paste(mask: BoolPlane, origin: tuple[int, int], image: NDArray[np.uint8]) -> BoolPlane:
    result = np.zeros(image.shape[:2], dtype=bool)
    result[origin[0] : origin[0] + mask.shape[0], origin[1] : origin[1] + mask.shape[1]] = mask
    return result
