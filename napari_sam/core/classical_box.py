"""Classical segmentation from one box, by scikit-image: what a model has to beat.

Every method takes a plane ``(H, W)`` or ``(H, W, 3)`` uint8 and a half-open box ``(r0, c0, r1, c1)`` in
pixels, and gives a mask ``(H, W)`` bool. They see the box and a margin around it, at most `MAX_SIDE_PX` wide;
the box bounds the answer. Constants were chosen once on the training folder, never on the evaluation folder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import filters, segmentation, transform

__all__ = [
    "BOX_METHODS",
    "BoxMethod",
    "chan_vese",
    "grey_of",
    "otsu_in_box",
    "random_walker",
    "stretch",
    "whole_box",
]

BoolPlane = NDArray[np.bool_]
FloatPlane = NDArray[np.float64]
BoxMethod = Callable[[NDArray[np.uint8], tuple[int, int, int, int]], BoolPlane]

MAX_SIDE_PX = 160
MARGIN_SHARE = 0.2
MIN_MARGIN_PX = 4
WALKER_BETA = 1500.0
FLAT = 1e-6


@dataclass(frozen=True)
class _Crop:
    """A box and its surroundings, resampled: `grey` and `colour` in 0..1, `box` in the crop's pixels."""

    grey: FloatPlane
    colour: FloatPlane
    inside: BoolPlane
    window: tuple[int, int, int, int]

    def centre_distance(self) -> FloatPlane:
        """Elliptic distance from the box's centre: 0 there, 1 at the middle of each side, ``(h, w)``."""
        rows, columns = np.flatnonzero(self.inside.any(1)), np.flatnonzero(self.inside.any(0))
        y, x = np.mgrid[: self.grey.shape[0], : self.grey.shape[1]]
        dy = (y - (rows[0] + rows[-1]) / 2) / (len(rows) / 2)
        dx = (x - (columns[0] + columns[-1]) / 2) / (len(columns) / 2)
        return np.asarray(np.hypot(dy, dx), dtype=np.float64)


def whole_box(image: NDArray[np.uint8], box: tuple[int, int, int, int]) -> BoolPlane:
    """Answer with all of the box."""
    mask = np.zeros(image.shape[:2], dtype=bool)
    mask[box[0] : box[2], box[1] : box[3]] = True
    return mask


def otsu_in_box(image: NDArray[np.uint8], box: tuple[int, int, int, int]) -> BoolPlane:
    """Split the box's greys by Otsu; the object is the side found more in the centre than on the rim."""
    crop = _crop(image, box)
    grey = ndimage.gaussian_filter(crop.grey, min(1.0, float(np.sqrt(crop.inside.sum())) / 40))
    values = grey[crop.inside]
    if float(np.ptp(values)) < FLAT:
        return whole_box(image, box)
    bright = grey > filters.threshold_otsu(values)
    return _paste(_tidy(_object_side(bright, crop), crop), image, crop, box)


def random_walker(image: NDArray[np.uint8], box: tuple[int, int, int, int]) -> BoolPlane:
    """Walk from the box's centre and from all outside the box."""
    crop = _crop(image, box)
    seeds = np.zeros(crop.grey.shape, dtype=np.int32)
    seeds[crop.centre_distance() < 0.6] = 1
    seeds[~crop.inside] = 2
    if not (seeds == 0).any() or float(np.ptp(crop.colour)) < FLAT:
        return whole_box(image, box)
    labels = segmentation.random_walker(crop.colour, seeds, beta=WALKER_BETA, mode="bf", channel_axis=-1)
    return _paste(_tidy(np.asarray(labels) == 1, crop), image, crop, box)


def chan_vese(image: NDArray[np.uint8], box: tuple[int, int, int, int]) -> BoolPlane:
    """Morphological Chan–Vese from the ellipse in the box."""
    crop = _crop(image, box)
    start = (crop.centre_distance() < 1.0).astype(np.int8)
    found = segmentation.morphological_chan_vese(
        crop.grey, 40, init_level_set=start, smoothing=1, lambda2=1.5
    ).astype(bool)
    return _paste(_tidy(_object_side(found, crop), crop), image, crop, box)


BOX_METHODS: dict[str, BoxMethod] = {
    "whole box": whole_box,
    "Otsu in box": otsu_in_box,
    "random walker": random_walker,
    "Chan–Vese": chan_vese,
}


def _crop(image: NDArray[np.uint8], box: tuple[int, int, int, int]) -> _Crop:
    margins = [max(MIN_MARGIN_PX, round(MARGIN_SHARE * (box[axis + 2] - box[axis]))) for axis in (0, 1)]
    r0, c0 = max(0, box[0] - margins[0]), max(0, box[1] - margins[1])
    r1, c1 = min(image.shape[0], box[2] + margins[0]), min(image.shape[1], box[3] + margins[1])
    colour = image[r0:r1, c0:c1].reshape(r1 - r0, c1 - c0, -1).astype(np.float64)
    inside = whole_box(image, box)[r0:r1, c0:c1]
    factor = min(1.0, MAX_SIDE_PX / max(colour.shape[:2]))
    if factor < 1.0:
        shape = tuple(max(8, round(side * factor)) for side in colour.shape[:2])
        colour = transform.resize(colour, shape, order=1, anti_aliasing=True, preserve_range=True)
        inside = transform.resize(inside.astype(float), shape, order=1) > 0.5
    return _Crop(stretch(grey_of(colour)), stretch(colour), inside, (r0, c0, r1, c1))


def grey_of(colour: FloatPlane) -> FloatPlane:
    """One channel of many: the direction in which the crop's colours differ most."""
    pixels = colour.reshape(-1, colour.shape[2])
    if pixels.shape[1] == 1:
        return np.asarray(colour[..., 0], dtype=np.float64)
    centred = pixels - pixels.mean(axis=0)
    axis = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    return np.asarray((centred @ axis).reshape(colour.shape[:2]), dtype=np.float64)


def stretch(values: FloatPlane) -> FloatPlane:
    """Map the percentiles 1 and 99 to 0 and 1, and clip what lies beyond."""
    low, high = np.percentile(values, (1, 99))
    return np.asarray(np.clip((values - low) / max(high - low, 1e-6), 0, 1), dtype=np.float64)


def _object_side(mask: BoolPlane, crop: _Crop) -> BoolPlane:
    """Return the mask or its complement, whichever is more in the centre than in the corners."""
    distance = crop.centre_distance()
    centre, rim = distance <= max(0.6, float(distance.min())), distance > 1.0
    beyond = float(mask[rim].mean()) if rim.any() else 0.5
    return mask if float(mask[centre].mean()) >= beyond else ~mask


def _tidy(mask: BoolPlane, crop: _Crop) -> BoolPlane:
    """Inside the box, without specks and holes, the component that fills most of the middle."""
    mask = ndimage.binary_opening(mask & crop.inside) if int(crop.inside.sum()) > 400 else mask & crop.inside
    numbered, count = ndimage.label(mask)
    if count == 0:
        return crop.inside
    weights = np.clip(1.5 - crop.centre_distance(), 0.05, None)
    best = 1 + int(np.argmax(ndimage.sum_labels(weights, numbered, np.arange(1, count + 1))))
    return np.asarray(ndimage.binary_fill_holes(numbered == best), dtype=bool)


def _paste(
    mask: BoolPlane, image: NDArray[np.uint8], crop: _Crop, box: tuple[int, int, int, int]
) -> BoolPlane:
    r0, c0, r1, c1 = crop.window
    if mask.shape != (r1 - r0, c1 - c0):
        mask = transform.resize(mask.astype(float), (r1 - r0, c1 - c0), order=1) > 0.5
    result = np.zeros(image.shape[:2], dtype=bool)
    result[r0:r1, c0:c1] = mask
    return result & whole_box(image, box)
