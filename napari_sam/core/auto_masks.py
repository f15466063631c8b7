"""Masks that nobody asked for one by one: what is kept of them, and which of them are the same object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.auto_plan import Crop, MaskForm, Region
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.run_lengths import RunLengths

__all__ = ["AutoMask", "is_near_inner_edge", "mask_record", "suppress", "without_small_regions"]

EDGE_PX = 20.0
"""A box that ends so close to a crop's edge within the plane may be the rest of a larger object."""

_WITH_CORNERS = np.ones((3, 3), dtype=np.bool_)


@dataclass(frozen=True, eq=False)
class AutoMask:
    """A mask that was found without a prompt of a person.

    Attributes
    ----------
    plane : PlaneRef
        The plane it lies in.
    mask : BoxedMask
        The mask, cut to its tight box in the volume.
    predicted_iou : float
        The model's own guess of its quality.
    stability : float
        IoU of the mask at a higher and at a lower threshold of its logits.
    point_rc : tuple of float
        Where the model was asked, (row, column) of the plane.
    crop : Crop
        The part of the plane that the model saw.
    """

    plane: PlaneRef
    mask: BoxedMask
    predicted_iou: float
    stability: float
    point_rc: tuple[float, float]
    crop: Crop

    @property
    def area_px(self) -> int:
        """Pixels in the mask."""
        return self.mask.area

    @property
    def box_hw(self) -> Region:
        """The mask's tight box in its plane, half-open (row0, col0, row1, col1)."""
        return self.plane.box_hw(self.mask.box)


def mask_record(found: AutoMask, plane_hw: tuple[int, int], form: MaskForm) -> dict[str, Any]:
    """Describe a mask as an annotation of COCO, with the names that Segment Anything gives the other entries.

    Parameters
    ----------
    found : AutoMask
        The mask.
    plane_hw : tuple of int
        Height and width of its plane.
    form : {"bits", "counts", "compressed"}
        What stands under ``segmentation``: booleans (H, W), or run lengths.

    Returns
    -------
    dict
        Boxes are (x, y, width, height), points (x, y), in pixels of the plane.
    """
    row0, col0, row1, col1 = found.box_hw
    bits = np.zeros(plane_hw, dtype=np.bool_)
    bits[row0:row1, col0:col1] = found.mask.bits.reshape(row1 - row0, col1 - col0)
    top, left, bottom, right = found.crop.region
    lengths = RunLengths.of_mask(bits)
    return {
        "segmentation": bits if form == "bits" else lengths.to_coco(compressed=form == "compressed"),
        "area": found.area_px,
        "bbox": [col0, row0, col1 - col0, row1 - row0],
        "predicted_iou": found.predicted_iou,
        "stability_score": found.stability,
        "point_coords": [[found.point_rc[1], found.point_rc[0]]],
        "crop_box": [left, top, right - left, bottom - top],
    }


def suppress(
    boxes: NDArray[np.floating[Any] | np.integer[Any]],
    scores: NDArray[np.floating[Any]],
    iou_threshold: float,
) -> NDArray[np.intp]:
    """Of boxes that overlap too much, keep the one with the best score (greedy non-maximum suppression).

    Parameters
    ----------
    boxes : NDArray, shape (N, 4)
        (row0, col0, row1, col1); areas are plain products of the differences.
    scores : NDArray, shape (N,)
        Of two equal ones, the earlier box counts as the better.
    iou_threshold : float
        A box whose IoU with a better, kept one is larger than this is dropped. Boxes without area overlap
        nothing.

    Returns
    -------
    NDArray[intp], shape (K,)
        Indices of the kept boxes, best score first.
    """
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    corners = np.asarray(boxes, dtype=np.float32).reshape(-1, 4)[order]
    areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    is_dropped = np.zeros(len(order), dtype=np.bool_)
    kept = []
    for number, best in enumerate(corners):
        if is_dropped[number]:
            continue
        kept.append(number)
        rest = corners[number + 1 :]
        sides = np.minimum(best[2:], rest[:, 2:]) - np.maximum(best[:2], rest[:, :2])
        common = np.maximum(sides[:, 0], 0) * np.maximum(sides[:, 1], 0)
        either = areas[number] + areas[number + 1 :] - common
        overlap = np.divide(common, either, out=np.zeros_like(common), where=either > 0)
        is_dropped[number + 1 :] |= overlap.astype(np.float64) > iou_threshold
    return order[np.asarray(kept, dtype=np.intp)]


def is_near_inner_edge(
    corners: NDArray[np.integer[Any]], crop: Crop, plane_hw: tuple[int, int]
) -> NDArray[np.bool_]:
    """Say of which boxes a side lies close to an edge of their crop that is not also the plane's edge.

    Parameters
    ----------
    corners : NDArray[int], shape (N, 4)
        First and last (row, column) of each mask in the plane.
    crop : Crop
        Where the masks were found.
    plane_hw : tuple of int
        Height and width of the plane.

    Returns
    -------
    NDArray[bool], shape (N,)
    """
    is_near_crop = np.abs(corners - np.asarray(crop.region)) <= EDGE_PX
    is_near_plane = np.abs(corners - np.asarray((0, 0, *plane_hw))) <= EDGE_PX
    return np.asarray(np.any(is_near_crop & ~is_near_plane, axis=1))


def without_small_regions(mask: NDArray[np.bool_], min_area: int) -> tuple[NDArray[np.bool_], bool]:
    """Fill holes of fewer pixels than `min_area`, then remove islands of fewer; pixels touch by corners too.

    A piece of the background at the plane's edge is a hole like any other. Where all islands are small, the
    largest one stays.

    Parameters
    ----------
    mask : NDArray[bool], shape (H, W)
        The whole plane.
    min_area : int
        In pixels.

    Returns
    -------
    tuple of NDArray[bool] with shape (H, W), and bool
        The mask, and whether it had any holes or islands that are small.
    """
    is_hole, pieces, _ = _small_pieces(~mask, min_area)
    had_holes = bool(is_hole.any())
    if had_holes:
        mask = mask | is_hole[pieces]
    is_island, pieces, areas = _small_pieces(mask, min_area)
    if not is_island.any():
        return mask, had_holes
    if is_island[1:].all():
        is_island[1 + int(np.argmax(areas[1:]))] = False
    return mask & ~is_island[pieces], True


def _small_pieces(
    mask: NDArray[np.bool_], min_area: int
) -> tuple[NDArray[np.bool_], NDArray[np.integer[Any]], NDArray[np.integer[Any]]]:
    """Give the pieces of a mask by number; which are small (never 0, the rest); and all their areas."""
    pieces, n_pieces = ndimage.label(mask, structure=_WITH_CORNERS)
    areas = np.bincount(pieces.ravel(), minlength=n_pieces + 1)
    is_small = areas < min_area
    is_small[0] = False
    return is_small, pieces, areas
