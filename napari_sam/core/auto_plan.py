"""Where to look when everything in a plane is wanted: settings, crops and grids of points.

The method is that of Segment Anything (Kirillov et al., 2023, section 5 and appendix B): a model is asked
at every point of a grid, over the whole plane and, for small objects, over crops of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_sam.errors import SettingsError

__all__ = ["AutoMaskSettings", "Crop", "MaskForm", "Region", "plan_crops", "point_grid", "points_of_layer"]

Region = tuple[int, int, int, int]
"""Half-open (row0, col0, row1, col1) in a plane."""

MaskForm = Literal["bits", "counts", "compressed"]

_FORMS = ("bits", "counts", "compressed")
_AT_LEAST_ONE = ("points_per_side", "points_per_batch", "crop_n_points_downscale_factor")
_NOT_NEGATIVE = ("stability_score_offset", "crop_n_layers", "min_mask_region_area")
_NOT_ABOVE_ONE = ("box_nms_threshold", "crop_nms_threshold", "presence_threshold")
_MAX_LAYERS = 6
_MAX_OWN_LAYERS = 4


@dataclass(frozen=True)
class AutoMaskSettings:
    """How densely to ask, which masks to keep, and in which form to hand them over.

    The numbers of the first release of Segment Anything are the defaults; a model may recommend others
    (`napari_sam.zoo.ModelSpec.auto_masks`).

    Parameters
    ----------
    points_per_side : int
        Points along each side of the grid over the whole plane.
    points_per_batch : int
        Points decoded at once; a matter of memory and speed, not of the result.
    pred_iou_threshold : float
        Masks of a lower predicted IoU are dropped; 0 or less keeps all.
    stability_score_threshold : float
        Masks of a lower stability are dropped; 0 or less keeps all. Stability is the IoU of the mask at a
        higher and at a lower threshold of its logits.
    stability_score_offset : float
        How far those two lie from the threshold of the mask.
    box_nms_threshold : float
        Of two masks of one crop whose boxes overlap more (IoU), the one of lower predicted IoU is dropped.
    crop_n_layers : int or None
        Layer ``i`` looks again at ``2 ** i`` by ``2 ** i`` crops; 0 looks at the whole plane only. None takes
        as many as it needs until crops are no larger than the model's input, at most 4.
    crop_nms_threshold : float
        Of two masks whose boxes overlap more, the one from the larger crop is dropped.
    crop_overlap_ratio : float
        Overlap of the crops in the first layer, as a share of the plane's shorter side; half of it in each
        further layer.
    crop_n_points_downscale_factor : int
        The grid of layer ``i`` has ``points_per_side`` over this to the power of ``i`` points a side.
    point_grids : tuple, optional
        In place of regular grids: for each layer its points as (row, column), each from 0 to 1 of the crop.
    min_mask_region_area : int
        Holes and islands of fewer pixels are filled and removed; 0 leaves masks as they are.
    form : {"bits", "counts", "compressed"}
        How records hold masks: as arrays, or as COCO's run lengths, plain or compressed.
    presence_threshold : float
        Points at which the model says with a lower probability that there is an object are left out; 0 asks
        at all of them. Models that say nothing of presence are not affected.
    seeds : bool
        Ask besides at the middles of what the model's encoder groups into objects, in each crop; models that
        group nothing are not affected.

    Raises
    ------
    SettingsError
        A number out of its range, more crop layers than 6, or fewer point grids than layers.
    """

    points_per_side: int = 32
    points_per_batch: int = 64
    pred_iou_threshold: float = 0.88
    stability_score_threshold: float = 0.95
    stability_score_offset: float = 1.0
    box_nms_threshold: float = 0.7
    crop_n_layers: int | None = 0
    crop_nms_threshold: float = 0.7
    crop_overlap_ratio: float = 512 / 1500
    crop_n_points_downscale_factor: int = 1
    point_grids: Sequence[Sequence[Sequence[float]]] | None = None
    min_mask_region_area: int = 0
    form: MaskForm = "compressed"
    presence_threshold: float = 0.0
    seeds: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            self._check(field.name)
        if self.form not in _FORMS:
            raise SettingsError(f"the form of masks is {self.form!r}; choose of {', '.join(_FORMS)}")
        if self.point_grids is not None:
            object.__setattr__(
                self, "point_grids", _checked_grids(self.point_grids, (self.crop_n_layers or 0) + 1)
            )

    def for_plane(self, plane_hw: tuple[int, int], model_side: int) -> AutoMaskSettings:
        """Choose the crop layers where they are left open.

        Parameters
        ----------
        plane_hw : tuple of int
            Height and width of the plane.
        model_side : int
            Side of the model's input in pixels.

        Returns
        -------
        AutoMaskSettings
            These, with a number of crop layers that the plane has pixels for.
        """
        if self.crop_n_layers is not None:
            return self
        n_layers = math.ceil(math.log2(max(1.0, max(plane_hw) / model_side)))
        most = _MAX_OWN_LAYERS if self.point_grids is None else len(self.point_grids) - 1
        return replace(self, crop_n_layers=min(n_layers, most, int(math.log2(min(plane_hw)))))

    def _check(self, name: str) -> None:
        """Raise SettingsError where a number lies out of its range."""
        value = getattr(self, name)
        if not isinstance(value, int | float):
            return
        low, high = -math.inf, math.inf
        if name in _AT_LEAST_ONE:
            low = 1
        elif name in _NOT_NEGATIVE:
            low = 0
        elif name in _NOT_ABOVE_ONE:
            low, high = 0, 1
        if name == "crop_n_layers":
            high = _MAX_LAYERS
        if name == "crop_overlap_ratio":
            low, high = 0, 0.99
        if not low <= value <= high:
            wanted = f"from {low:g} to {high:g}" if math.isfinite(high) else f"{low:g} or more"
            raise SettingsError(f"{name} is {value:g}; give a number {wanted}")


@dataclass(frozen=True)
class Crop:
    """A part of a plane that is looked at by itself.

    Parameters
    ----------
    region : tuple of int
        Half-open (row0, col0, row1, col1).
    layer : int
        0 for the whole plane, ``i`` for one of ``2 ** i`` by ``2 ** i``.
    """

    region: Region
    layer: int

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.region[2] - self.region[0], self.region[3] - self.region[1]

    @property
    def area(self) -> int:
        """Pixels in the crop."""
        return self.size_hw[0] * self.size_hw[1]


def plan_crops(plane_hw: tuple[int, int], settings: AutoMaskSettings) -> tuple[Crop, ...]:
    """Lay out the whole plane and the overlapping crops of each layer, column by column.

    Where the number of layers is open (None), there are none; see `AutoMaskSettings.for_plane`.

    Raises
    ------
    SettingsError
        More layers than the plane has pixels for.
    """
    crops = [Crop((0, 0, *plane_hw), 0)]
    for layer in range(1, (settings.crop_n_layers or 0) + 1):
        n_per_side = 2**layer
        overlap = int(settings.crop_overlap_ratio * min(plane_hw) * (2 / n_per_side))
        height, width = (_crop_length(n, n_per_side, overlap) for n in plane_hw)
        for across, down in product(range(n_per_side), repeat=2):
            row, col = down * (height - overlap), across * (width - overlap)
            region = (row, col, min(row + height, plane_hw[0]), min(col + width, plane_hw[1]))
            if region[0] >= region[2] or region[1] >= region[3]:
                raise SettingsError(
                    f"a plane of {plane_hw[0]} x {plane_hw[1]} pixels is too small for {layer} crop layers; "
                    f"give crop_n_layers {layer - 1} or less"
                )
            crops.append(Crop(region, layer))
    return tuple(crops)


def point_grid(n_per_side: int) -> NDArray[np.float64]:
    """Spread points evenly, each in the middle of its cell.

    Returns
    -------
    NDArray[float64], shape (n * n, 2)
        (row, column), each from 0 to 1; columns change fastest.
    """
    half = 1 / (2 * n_per_side)
    along = np.linspace(half, 1 - half, n_per_side)
    return np.stack([np.repeat(along, n_per_side), np.tile(along, n_per_side)], axis=1)


def points_of_layer(layer: int, settings: AutoMaskSettings) -> NDArray[np.float64]:
    """Return the points of a layer's crops ``(N, 2)``, (row, column), each from 0 to 1 of the crop."""
    if settings.point_grids is not None:
        return np.asarray(settings.point_grids[layer], dtype=np.float64)
    n_per_side = int(settings.points_per_side / settings.crop_n_points_downscale_factor**layer)
    return point_grid(max(1, n_per_side))


def _crop_length(length: int, n_per_side: int, overlap: int) -> int:
    return math.ceil((overlap * (n_per_side - 1) + length) / n_per_side)


def _checked_grids(
    grids: Sequence[Sequence[Sequence[float]]], n_layers: int
) -> tuple[tuple[tuple[float, float], ...], ...]:
    if len(grids) < n_layers:
        raise SettingsError(f"{len(grids)} point grids do not serve {n_layers} layers; give one for each")
    checked = []
    for number, grid in enumerate(grids):
        points = np.asarray(grid, dtype=np.float64)
        is_list = points.ndim == 2 and points.shape[1] == 2 and len(points) > 0
        if not is_list or not np.all(abs(points - 0.5) <= 0.5):
            raise SettingsError(
                f"point grid {number} has shape {points.shape}; give one (row, column) a point, from 0 to 1"
            )
        checked.append(tuple((float(row), float(col)) for row, col in points))
    return tuple(checked)
