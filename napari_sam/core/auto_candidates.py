"""Many masks of one plane with what is known of each, side by side in arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.auto_masks import suppress, without_small_regions
from napari_sam.core.masks import tight_box

__all__ = ["Candidates", "PackedMask"]


@dataclass(frozen=True, eq=False)
class PackedMask:
    """A mask cut to its tight box, eight pixels a byte.

    Parameters
    ----------
    start_rc : tuple of int
        First row and column of the box in the plane.
    size_hw : tuple of int
        Height and width of the box.
    bits : NDArray[uint8]
        As `numpy.packbits` gives them.
    """

    start_rc: tuple[int, int]
    size_hw: tuple[int, int]
    bits: NDArray[np.uint8]

    @classmethod
    def of(cls, mask: NDArray[np.bool_], start_rc: tuple[int, int] = (0, 0)) -> PackedMask | None:
        """Cut and pack a mask (H, W) that lies in the plane from a place on; None where it is empty."""
        box_hw = tight_box(mask)
        if box_hw is None:
            return None
        row0, col0, row1, col1 = box_hw
        start = (start_rc[0] + row0, start_rc[1] + col0)
        return cls(start, (row1 - row0, col1 - col0), np.packbits(mask[row0:row1, col0:col1]))

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """First and last (row, column) of the mask in the plane."""
        (row, col), (height, width) = self.start_rc, self.size_hw
        return row, col, row + height - 1, col + width - 1

    def unpacked(self) -> NDArray[np.bool_]:
        """Return the mask in its box: booleans of shape `size_hw`."""
        height, width = self.size_hw
        bits = np.unpackbits(self.bits, count=height * width)
        return bits.reshape(height, width).view(np.bool_)

    def in_plane(self, plane_hw: tuple[int, int]) -> NDArray[np.bool_]:
        """Return the mask of the whole plane: booleans of shape `plane_hw`."""
        (row, col), (height, width) = self.start_rc, self.size_hw
        whole = np.zeros(plane_hw, dtype=np.bool_)
        whole[row : row + height, col : col + width] = self.unpacked()
        return whole


@dataclass(frozen=True, eq=False)
class Candidates:
    """Masks of one plane.

    Parameters
    ----------
    masks : tuple of PackedMask
        ``N`` masks; none is empty.
    predicted_iou, stability : NDArray[float32], shape (N,)
        Two measures of their quality.
    points_rc : NDArray[float64], shape (N, 2)
        Where the model was asked, (row, column) of the plane.
    crops : NDArray[intp], shape (N,)
        Numbers of the crops that they were found in.
    """

    masks: tuple[PackedMask, ...]
    predicted_iou: NDArray[np.float32]
    stability: NDArray[np.float32]
    points_rc: NDArray[np.float64]
    crops: NDArray[np.intp]

    @classmethod
    def joined(cls, several: Sequence[Candidates]) -> Candidates:
        """Put candidates after each other; no candidates where there are none to join."""
        if not several:
            none = np.zeros(0, dtype=np.float32)
            return cls((), none, none, np.zeros((0, 2)), np.zeros(0, dtype=np.intp))
        return cls(
            tuple(mask for some in several for mask in some.masks),
            np.concatenate([some.predicted_iou for some in several]),
            np.concatenate([some.stability for some in several]),
            np.concatenate([some.points_rc for some in several]),
            np.concatenate([some.crops for some in several]),
        )

    def __len__(self) -> int:
        return len(self.masks)

    @property
    def corners(self) -> NDArray[np.intp]:
        """First and last (row, column) of each mask, ``(N, 4)``."""
        return np.array([mask.corners for mask in self.masks], dtype=np.intp).reshape(-1, 4)

    def take(self, indices: NDArray[np.integer[Any] | np.bool_]) -> Candidates:
        """Return some of them, in the order of the indices."""
        chosen = np.arange(len(self))[indices]
        return Candidates(
            tuple(self.masks[i] for i in chosen),
            self.predicted_iou[chosen],
            self.stability[chosen],
            self.points_rc[chosen],
            self.crops[chosen],
        )

    def without_duplicates(self, scores: NDArray[np.floating[Any]], iou_threshold: float) -> Candidates:
        """Keep, of masks whose boxes overlap more than a threshold, the one of the best score.

        Boxes reach from the middle of the first to the middle of the last row and column, as in the
        published method.
        """
        return self.take(suppress(self.corners, scores, iou_threshold))

    def without_small_regions(
        self, min_area: int, plane_hw: tuple[int, int], iou_threshold: float
    ) -> Candidates:
        """Remove small holes and islands, then duplicates; unchanged masks are better."""
        masks, unchanged = [], np.zeros(len(self), dtype=np.float32)
        for number, mask in enumerate(self.masks):
            cleaned, had_any = without_small_regions(mask.in_plane(plane_hw), min_area)
            unchanged[number] = not had_any
            masks.append((PackedMask.of(cleaned) or mask) if had_any else mask)
        return replace(self, masks=tuple(masks)).without_duplicates(unchanged, iou_threshold)
