"""Where to ask when everything is wanted: the middles of what the encoder groups into objects.

Each cell of the grouping points at its object's middle (`napari_sam.models.grouping`). As in Neven et al.,
"Instance segmentation by jointly optimizing spatial embeddings and clustering bandwidth" (2019), the cells of
one object meet there; here their votes are counted, as in a Hough transform, and the peaks are asked at.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.models.grouping import UNIT_CELLS

__all__ = ["middles_of_groups"]

SPREAD_CELLS = 1.0
"""How far votes for one middle lie apart, in cells (standard deviation)."""

LEAST_VOTES = 8.0
"""Cells that have to agree on a middle: more than where each cell points at itself, which comes to 6.3."""


def middles_of_groups(grouping: NDArray[np.float32], cells_hw: tuple[int, int]) -> NDArray[np.float64]:
    """Find the middles of objects.

    Parameters
    ----------
    grouping : NDArray[float32], shape (17, H, W)
        Of one picture; see `napari_sam.models.grouping`.
    cells_hw : tuple of int
        Rows and columns of cells that hold the picture; the rest is padding.

    Returns
    -------
    NDArray[float64], shape (N, 2)
        (row, column) in cells, whole numbers at their centres: for each middle the cell near it that
        points at it best.
    """
    height, width = cells_hw
    rows, cols = np.mgrid[:height, :width].astype(np.float64)
    across, down = (UNIT_CELLS * grouping[axis, :height, :width] for axis in (0, 1))
    at_rows, at_cols = rows + down, cols + across
    places = np.stack([np.rint(at_rows), np.rint(at_cols)]).reshape(2, -1)
    is_inside = ((places >= 0) & (places < [[height], [width]])).all(axis=0)
    votes = np.zeros(cells_hw)
    np.add.at(votes, tuple(places[:, is_inside].astype(int)), 1.0)
    agreed = ndimage.gaussian_filter(votes, SPREAD_CELLS) * 2 * np.pi * SPREAD_CELLS**2
    peaks = np.argwhere((agreed == ndimage.maximum_filter(agreed, 3)) & (agreed >= LEAST_VOTES))
    seeds = np.empty((len(peaks), 2))
    for number, (row, col) in enumerate(peaks):
        error = (at_rows - row) ** 2 + (at_cols - col) ** 2 + ((rows - row) ** 2 + (cols - col) ** 2) / 4
        seeds[number] = np.unravel_index(error.argmin(), error.shape)
    return seeds
