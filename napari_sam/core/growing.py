"""What moves an object's outline by millimetres: growing, shrinking, smoothing.

Distances are Euclidean, in mm, between the centres of voxels; spacings that differ and axes that are not at
right angles (a tilted gantry) count. Beyond the volume's border nothing is known: an object that is cut off
there is neither eaten from outside nor smoothed away.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage, spatial

from napari_sam.core.cleaning import check_size, laid_into, with_frozen
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from volumes import Box, Geometry

__all__ = ["grow", "shrink", "smooth"]

# Rounding: a distance that equals the one asked for is inside, whatever its last digits.
_SLACK = 1.0 + 1e-6
_SKEWED = 1e-6
_REACH = 3.0


def grow(
    mask: BoxedMask, geometry: Geometry, by_mm: float, *, frozen: Collection[PlaneRef] = ()
) -> BoxedMask:
    """Add the voxels whose centre is no farther than so many mm from the centre of a voxel of the object.

    Parameters
    ----------
    mask : BoxedMask
        The object, in three dimensions.
    geometry : Geometry
        Of the volume.
    by_mm : float
        How far. Less than the distance of two voxels along an axis adds nothing along it.
    frozen : collection of PlaneRef
        Planes that keep what they hold.

    Returns
    -------
    BoxedMask
        In a larger box, cut at the volume's border.

    Raises
    ------
    InvalidEdit
        A size that is not above 0.
    """
    check_size(by_mm, "the size to grow by, in mm,")
    if mask.is_empty:
        return mask
    box = _around(mask.box, geometry, by_mm)
    return with_frozen(BoxedMask(box, _near(laid_into(mask, box), geometry, by_mm)), mask, frozen)


def shrink(
    mask: BoxedMask, geometry: Geometry, by_mm: float, *, frozen: Collection[PlaneRef] = ()
) -> BoxedMask:
    """Take away the voxels no farther than so many mm from the background: `grow` of what is outside.

    Parameters
    ----------
    mask, geometry, by_mm, frozen
        As of `grow`.

    Returns
    -------
    BoxedMask
        In the same box; empty where the object is thinner than that.

    Raises
    ------
    InvalidEdit
        A size that is not above 0.
    """
    check_size(by_mm, "the size to shrink by, in mm,")
    if mask.is_empty:
        return mask
    box = _around(mask.box, geometry, by_mm) if _skew(geometry) else mask.box.grow(1).clip(geometry.shape)
    bits = laid_into(mask, box)
    left = bits & ~_near(~bits, geometry, by_mm) if not bits.all() else bits
    return with_frozen(BoxedMask(mask.box, laid_into(BoxedMask(box, left), mask.box)), mask, frozen)


def smooth(
    mask: BoxedMask, geometry: Geometry, by_mm: float, *, frozen: Collection[PlaneRef] = ()
) -> BoxedMask:
    """Round an object off, and keep its volume.

    The mask is blurred with a Gaussian in mm, and cut at the level that leaves as many voxels as there were:
    a fixed level of one half would shrink what is convex. What is thinner than the Gaussian is rounded too,
    so that a vessel may break; pieces may join or vanish.

    Parameters
    ----------
    mask, geometry, frozen
        As of `grow`.
    by_mm : float
        The Gaussian's standard deviation.

    Returns
    -------
    BoxedMask
        In a larger box, cut at the volume's border.

    Raises
    ------
    InvalidEdit
        A size that is not above 0.
    """
    check_size(by_mm, "the size to smooth by, in mm,")
    if mask.is_empty:
        return mask
    box = _around(mask.box, geometry, _REACH * by_mm)
    bits = laid_into(mask, box)
    blurred = (_blur_skewed if _skew(geometry) else _blur)(bits, geometry, by_mm)
    n_outside = bits.size - int(np.count_nonzero(bits))
    level = float(np.partition(blurred, n_outside, axis=None)[n_outside]) if n_outside < bits.size else 0.0
    return with_frozen(BoxedMask(box, np.asarray(blurred >= level)), mask, frozen)


def _around(box: Box, geometry: Geometry, reach_mm: float) -> Box:
    """Return a box with everything that lies within a reach of it, clipped to the volume."""
    per_mm = np.linalg.norm(np.linalg.inv(geometry.affine[:3, :3]), axis=1)
    limit = np.asarray(geometry.shape)
    margins = np.minimum(np.ceil(reach_mm * per_mm * _SLACK), limit).astype(int)
    return box.grow(margins.tolist()).clip(geometry.shape)


def _skew(geometry: Geometry) -> tuple[float, float] | None:
    """Return the least and the greatest length that sheared axes give to a vector of length 1; else None."""
    stretches = np.linalg.svd(geometry.directions, compute_uv=False)
    if stretches[0] - stretches[-1] < _SKEWED:
        return None
    return float(stretches[-1]), float(stretches[0])


def _near(bits: NDArray[np.bool_], geometry: Geometry, mm: float) -> NDArray[np.bool_]:
    """Return the voxels no farther than a distance from some voxel of a mask that has one."""
    apart_mm = ndimage.distance_transform_edt(~bits, sampling=geometry.spacing_mm)
    limit_mm = mm * _SLACK
    skew = _skew(geometry)
    if skew is None:
        return np.asarray(apart_mm <= limit_mm)
    least, greatest = skew
    near: NDArray[np.bool_] = np.asarray(apart_mm * greatest <= limit_mm)
    doubtful = np.argwhere(~near & (apart_mm * least <= limit_mm))
    if len(doubtful):
        edge = bits & ~ndimage.binary_erosion(bits, np.ones((3, 3, 3)))
        tree = spatial.cKDTree(geometry.index_to_mm(np.argwhere(edge)))
        found_mm, _ = tree.query(geometry.index_to_mm(doubtful), distance_upper_bound=limit_mm)
        near[tuple(doubtful[np.isfinite(found_mm)].T)] = True
    return near


def _blur(bits: NDArray[np.bool_], geometry: Geometry, sigma_mm: float) -> NDArray[np.float32]:
    sigmas = [sigma_mm / mm for mm in geometry.spacing_mm]
    return np.asarray(
        ndimage.gaussian_filter(bits.astype(np.float32), sigmas, mode="nearest", truncate=_REACH)
    )


def _blur_skewed(bits: NDArray[np.bool_], geometry: Geometry, sigma_mm: float) -> NDArray[np.float32]:
    """Blur by the Gaussian that is round in mm, though not along the array's axes: by its transform."""
    metric = geometry.affine[:3, :3].T @ geometry.affine[:3, :3]
    covariance = sigma_mm**2 * np.linalg.inv(metric)
    margins = np.ceil(_REACH * np.sqrt(np.diag(covariance))).astype(int)
    padded = np.pad(bits.astype(np.float32), [(int(n), int(n)) for n in margins], mode="edge")
    shape = [fft.next_fast_len(n, real=True) for n in padded.shape]
    f0, f1, f2 = np.meshgrid(
        fft.fftfreq(shape[0]), fft.fftfreq(shape[1]), fft.rfftfreq(shape[2]), indexing="ij", sparse=True
    )
    c = 2.0 * np.pi**2 * covariance
    power = c[0, 0] * f0**2 + c[1, 1] * f1**2 + c[2, 2] * f2**2
    power = power + 2.0 * (c[0, 1] * f0 * f1 + c[0, 2] * f0 * f2 + c[1, 2] * f1 * f2)
    spectrum = fft.rfftn(padded, shape) * np.exp(-power).astype(np.float32)
    blurred = fft.irfftn(spectrum, shape)
    part = tuple(slice(int(n), int(n) + length) for n, length in zip(margins, bits.shape, strict=True))
    return np.asarray(blurred[part], dtype=np.float32)
