"""From a drawn outline to a mask, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef

__all__ = ["filled_outline", "outlines_of"]


def filled_outline(rc: NDArray[np.floating], plane: PlaneRef, volume_shape: Sequence[int]) -> BoxedMask:
    """Fill a closed outline.

    Parameters
    ----------
    rc : NDArray, shape (n, 2)
        Rows and columns of its corners in voxels, integers are voxel centres; the last one joins the first.
        What lies outside the plane is cut off.
    plane : PlaneRef
        Where it is drawn.
    volume_shape : sequence of int
        (P, R, C).

    Returns
    -------
    BoxedMask
        The voxels whose centre lies inside, by the even-odd rule; empty for fewer than three corners.
    """
    from skimage.draw import polygon2mask

    height, width = plane.shape_hw(volume_shape)
    corners = np.asarray(rc, dtype=np.float64).reshape(-1, 2)
    if len(corners) < 3:
        return BoxedMask.of_plane(np.zeros((height, width), np.bool_), plane, volume_shape)
    first = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, (height, width))
    stop = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, first, (height, width))
    whole = np.zeros((height, width), np.bool_)
    part = polygon2mask(tuple((stop - first).tolist()), corners - first)
    whole[first[0] : stop[0], first[1] : stop[1]] = part
    return BoxedMask.of_plane(whole, plane, volume_shape)


def outlines_of(mask: BoxedMask, plane: PlaneRef) -> list[NDArray[np.float64]]:
    """Return the outlines of a plane's mask, holes included.

    Parameters
    ----------
    mask : BoxedMask
        Of one plane.
    plane : PlaneRef
        Which plane that is.

    Returns
    -------
    list of NDArray[float64], each of shape (n, 2)
        Rows and columns in voxels, along the edges of the mask; the last corner is the first again.
    """
    from skimage.measure import find_contours

    if mask.is_empty:
        return []
    row0, col0, _, _ = plane.box_hw(mask.box)
    bits = np.pad(np.squeeze(mask.bits, axis=plane.axis), 1)
    corner = np.array([row0 - 1.0, col0 - 1.0])
    return [outline + corner for outline in find_contours(bits.astype(np.float64), 0.5)]
