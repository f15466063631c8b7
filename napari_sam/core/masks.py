"""Masks cut to their tight box, and the few measures of a mask that prompts and propagation need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.pieces import Runs, without_small_holes
from napari_sam.core.planes import PlaneRef
from napari_sam.errors import InvalidPrompt
from volumes import Box

__all__ = ["BoxedMask", "innermost_point", "iou", "tight_box"]


@dataclass(frozen=True, eq=False)
class BoxedMask:
    """A boolean mask cut to a voxel box.

    Parameters
    ----------
    box : Box
        Where the bits lie in the volume; for a plane's mask it is one voxel thick along the plane's axis.
    bits : NDArray[bool], shape `box.shape`
        True inside the mask. Kept as given, not copied; treat it as read-only.

    Raises
    ------
    InvalidPrompt
        Bits that are not boolean, or of another shape than the box.
    """

    box: Box
    bits: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.bits.dtype != np.bool_ or self.bits.shape != self.box.shape:
            raise InvalidPrompt(
                f"a mask of {self.bits.dtype} with shape {self.bits.shape} does not fit its box of shape "
                f"{self.box.shape}; give booleans of the box's shape"
            )

    @classmethod
    def of_plane(cls, mask: NDArray[np.bool_], plane: PlaneRef, volume_shape: Sequence[int]) -> BoxedMask:
        """Cut a whole plane's mask to its tight box.

        Parameters
        ----------
        mask : NDArray[bool], shape (H, W)
            The mask in the plane's rows and columns.
        plane : PlaneRef
            Where it lies.
        volume_shape : sequence of int
            (P, R, C).

        Returns
        -------
        BoxedMask
            With an empty box where the mask is empty.

        Raises
        ------
        InvalidPrompt
            A plane outside the volume, or a mask of another shape than the plane.
        """
        plane.check(volume_shape)
        shape_hw = plane.shape_hw(volume_shape)
        if mask.shape != shape_hw:
            raise InvalidPrompt(
                f"a mask of shape {mask.shape} does not fit {plane} of shape {shape_hw}; give the whole plane"
            )
        return cls.of_part(mask, plane, (0, 0))

    @classmethod
    def of_part(cls, mask: NDArray[np.bool_], plane: PlaneRef, corner: tuple[int, int]) -> BoxedMask:
        """Cut a mask that covers a part of a plane to its tight box.

        Parameters
        ----------
        mask : NDArray[bool], shape (h, w)
            The mask in the part's rows and columns; what lies outside the part is not in the mask.
        plane : PlaneRef
            Where it lies.
        corner : tuple of int
            Row and column of ``mask[0, 0]`` in the plane.

        Returns
        -------
        BoxedMask
            With an empty box at the plane's first voxel where the mask is empty.
        """
        found = tight_box(mask)
        row0, col0, row1, col1 = found or (0, 0, 0, 0)
        bits = np.expand_dims(np.asarray(mask[row0:row1, col0:col1], dtype=np.bool_), plane.axis).copy()
        if found is None:
            return cls(plane.box_of((0, 0, 0, 0)), bits)
        down, across = corner
        return cls(plane.box_of((row0 + down, col0 + across, row1 + down, col1 + across)), bits)

    @property
    def area(self) -> int:
        """Number of voxels in the mask."""
        return int(np.count_nonzero(self.bits))

    @property
    def is_empty(self) -> bool:
        """Whether the mask has no voxel."""
        return not self.bits.any()

    def to_plane(self, plane: PlaneRef, volume_shape: Sequence[int]) -> NDArray[np.bool_]:
        """Return the mask of the whole plane.

        Parameters
        ----------
        plane : PlaneRef
            Any plane on the mask's axis: a mask may be laid onto a neighbouring plane.
        volume_shape : sequence of int
            (P, R, C).

        Returns
        -------
        NDArray[bool], shape (H, W)
        """
        return self.to_part(plane, (0, 0, *plane.shape_hw(volume_shape)))

    def to_part(self, plane: PlaneRef, part_hw: tuple[int, int, int, int]) -> NDArray[np.bool_]:
        """Return what `to_plane` gives in a half-open part (row0, col0, row1, col1) of the plane."""
        row0, col0, row1, col1 = part_hw
        part = np.zeros((row1 - row0, col1 - col0), dtype=np.bool_)
        top, left, bottom, right = plane.box_hw(self.box)
        rows, columns = (max(row0, top), min(row1, bottom)), (max(col0, left), min(col1, right))
        if rows[0] < rows[1] and columns[0] < columns[1]:
            inside = slice(rows[0] - row0, rows[1] - row0), slice(columns[0] - col0, columns[1] - col0)
            part[inside] = self._across(plane.axis)[
                rows[0] - top : rows[1] - top, columns[0] - left : columns[1] - left
            ]
        return part

    def innermost_point(self, plane: PlaneRef) -> tuple[int, int]:
        """Return the (row, col) of `innermost_point` in a plane of the mask's axis, with its error."""
        row, col = innermost_point(self._across(plane.axis))
        row0, col0, _, _ = plane.box_hw(self.box)
        return row + row0, col + col0

    def moved_to(self, plane: PlaneRef) -> BoxedMask:
        """Return the same bits on another plane of the same axis."""
        return BoxedMask(plane.box_of(plane.box_hw(self.box)), self.bits)

    def within(self, box: Box) -> BoxedMask:
        """Return the part inside a box, with its own tight box; empty where there is none."""
        common = self.box.intersection(box)
        if common == self.box:
            return self
        if common is not None:
            bits = self.bits[common.shift(-start for start in self.box.start).slices()]
            tight = Box.of_mask(bits)
            if tight is not None:
                return BoxedMask(tight.shift(common.start), bits[tight.slices()].copy())
        return BoxedMask(Box(self.box.start, self.box.start), np.zeros((0, 0, 0), dtype=np.bool_))

    def pieces_over(self, other: BoxedMask, min_share: float) -> BoxedMask:
        """Return the connected pieces (with corners) of which at least a share lies in another mask.

        Both lie in one plane.
        """
        bits, runs = self._across(), self._runs
        n_pieces, piece = runs.pieces()
        areas = np.bincount(piece, weights=runs.areas, minlength=n_pieces)
        common = _common_places(self.box, other.box)
        if common is None:
            within = np.zeros(n_pieces, dtype=np.intp)
        elif n_pieces == 1:
            within = np.full(1, np.count_nonzero(self.bits[common[0]] & other.bits[common[1]]))
        else:
            shared = np.zeros_like(self.bits)
            shared[common[0]] = other.bits[common[1]]
            counts = runs.counts_of(shared.reshape(bits.shape))
            within = np.bincount(piece, weights=counts, minlength=n_pieces).astype(np.intp)
        is_kept = within >= min_share * areas
        if is_kept.all() and runs.is_tight:
            return self
        kept = bits.copy()
        runs.set_in(kept, ~is_kept[piece], False)
        return self._with_bits(kept)

    def without_specks(self, least: float, clicked: Sequence[Sequence[float]] = ()) -> BoxedMask:
        """Return the mask of a plane without its small pieces, and with its small holes filled.

        Parameters
        ----------
        least : float
            Pieces (connected with corners) and holes (connected by sides) of less than this part of the
            largest piece are small.
        clicked : sequence of (plane, row, column)
            Voxel indices where a person said what is meant; a piece or a hole with one of them stays,
            however small.
        """
        bits, runs = self._across(), self._runs
        n_pieces, piece = runs.pieces()
        if n_pieces == 0:
            return self
        places = [at for at in map(self._place_in_box, clicked) if at is not None]
        areas = np.bincount(piece, weights=runs.areas, minlength=n_pieces)
        smallest = least * int(areas.max())
        stays = areas >= smallest
        for run in (runs.at(*place) for place in places):
            if run is not None:
                stays[piece[run]] = True
        if stays.all() and runs.is_simple:
            return self
        tidy = bits.copy()
        runs.set_in(tidy, ~stays[piece], False)
        filled = without_small_holes(tidy, smallest, places)
        return self if filled is tidy and stays.all() else self._with_bits(filled)

    @cached_property
    def _runs(self) -> Runs:
        """The runs of `_across`: tidying a mask and judging it both ask for its pieces."""
        return Runs.of(self._across())

    def _across(self, axis: int | None = None) -> NDArray[np.bool_]:
        """Return the bits of a mask one voxel thick, in its plane's rows and columns; a view."""
        axis = self.bits.shape.index(min(self.bits.shape)) if axis is None else axis
        return self.bits.squeeze(axis) if self.bits.shape[axis] == 1 else np.asarray(self.bits.any(axis=axis))

    def _with_bits(self, bits: NDArray[np.bool_]) -> BoxedMask:
        """Return another mask of the same plane and box, cut to its own; the same box where it is empty."""
        found = BoxedMask(self.box, bits.reshape(self.bits.shape))
        return found.within(Box.of_mask(found.bits, self.box.start) or self.box)

    def _place_in_box(self, at: Sequence[float]) -> tuple[int, int] | None:
        """Return the row and column in `_across` of an index of the volume; None outside the box."""
        place = [int(np.floor(x + 0.5)) - start for x, start in zip(at, self.box.start, strict=True)]
        if not all(0 <= i < n for i, n in zip(place, self.bits.shape, strict=True)):
            return None
        del place[int(np.argmin(self.bits.shape))]
        return place[0], place[1]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BoxedMask):
            return NotImplemented
        return self.box == other.box and bool(np.array_equal(self.bits, other.bits))

    def __hash__(self) -> int:
        return hash((self.box, self.bits.tobytes()))


def iou(a: BoxedMask, b: BoxedMask) -> float:
    """Return intersection over union of two masks; 0 where both are empty."""
    common = _common_places(a.box, b.box)
    n_common = 0 if common is None else int(np.count_nonzero(a.bits[common[0]] & b.bits[common[1]]))
    n_either = a.area + b.area - n_common
    return n_common / n_either if n_either else 0.0


def _common_places(a: Box, b: Box) -> tuple[tuple[slice, ...], tuple[slice, ...]] | None:
    """Return where what two boxes share lies in the bits of each; None where they share no voxel."""
    in_a, in_b = [], []
    for a_start, a_stop, b_start, b_stop in zip(a.start, a.stop, b.start, b.stop, strict=True):
        start, stop = max(a_start, b_start), min(a_stop, b_stop)
        if start >= stop:
            return None
        in_a.append(slice(start - a_start, stop - a_start))
        in_b.append(slice(start - b_start, stop - b_start))
    return tuple(in_a), tuple(in_b)


def innermost_point(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the (row, col) of the pixel farthest from the mask's edge; the image's border counts as edge.

    Parameters
    ----------
    mask : NDArray[bool], shape (H, W)

    Raises
    ------
    InvalidPrompt
        An empty mask.
    """
    box_hw = tight_box(mask)
    if box_hw is None:
        raise InvalidPrompt("an empty mask has no innermost point; give a mask with at least one pixel")
    row0, col0, row1, col1 = box_hw
    depth_px = ndimage.distance_transform_edt(np.pad(mask[row0:row1, col0:col1], 1))
    row, col = np.unravel_index(int(np.argmax(depth_px)), depth_px.shape)
    return int(row) - 1 + row0, int(col) - 1 + col0


def tight_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """Return the half-open (row0, col0, row1, col1) around a mask of shape (H, W), None where it is empty."""
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return None
    cols = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1
