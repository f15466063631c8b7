"""Distances of planes along their normal: even, with planes missing, or uneven."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from volumes.errors import DuplicateSlices, MissingSlices, UnevenSpacing

__all__ = ["PlaneGrid", "is_even", "plane_grid", "position_ids"]

# Headers round positions; a gap may differ from the usual one by this much, or by this part of it.
_GAP_TOLERANCE_MM = 0.06
_GAP_TOLERANCE = 0.02
_GAP_TO_NOTE_MM = 0.01
# Planes nearer than this part of a usual gap, or than rounding makes them, lie at one position.
_SAME_POSITION = 0.01
_SAME_POSITION_MM = 0.01
_N_NAMED = 3
# A grid for uneven planes divides the smallest gap by at most this.
_FINEST = 8
# A grid of more than this many times the planes there are is no stack with gaps, but a wrong header.
_MOST_FILLED = 16


@dataclass(frozen=True)
class PlaneGrid:
    """Evenly spaced places along the normal, and which planes lie on them.

    Parameters
    ----------
    step_mm : float
        Distance of neighbouring places.
    places_idx : tuple of int
        Place of each plane, in order; the first is 0.
    is_interpolated : bool
        Whether places without a plane are interpolated (uneven stacks); else they get the lowest value.
    notes : tuple of str
        What was assumed.
    """

    step_mm: float
    places_idx: tuple[int, ...]
    is_interpolated: bool = False
    notes: tuple[str, ...] = ()

    @property
    def n_places(self) -> int:
        """Number of planes of the volume."""
        return self.places_idx[-1] + 1

    @property
    def is_full(self) -> bool:
        """Whether every place has a plane."""
        return self.n_places == len(self.places_idx)


def position_ids(along_mm: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count the positions that planes lie at, from 0, in increasing order.

    Parameters
    ----------
    along_mm : ndarray of shape (N,)
        Positions along the normal, in any order.

    Returns
    -------
    ndarray of shape (N,)
        Equal numbers for planes at one position.
    """
    order = np.argsort(along_mm, kind="stable")
    gaps_mm = np.diff(along_mm[order])
    starts = gaps_mm > _same_position_mm(gaps_mm)
    ids = np.empty(along_mm.size, np.int64)
    ids[order] = np.concatenate([[0], np.cumsum(starts)])
    return ids


def _same_position_mm(gaps_mm: NDArray[np.float64]) -> float:
    """Return up to which gap planes lie at one position; of gaps that may be zero."""
    widest_mm = float(gaps_mm.max(initial=0.0))
    apart = gaps_mm[gaps_mm > min(_SAME_POSITION_MM, _SAME_POSITION * widest_mm)]
    usual_mm = float(np.quantile(apart, 0.25, method="lower")) if apart.size else 0.0
    return min(_SAME_POSITION * widest_mm, max(_SAME_POSITION_MM, _SAME_POSITION * usual_mm))


def is_even(along_mm: NDArray[np.float64]) -> bool:
    """Whether planes at these positions, in increasing order, are evenly spaced; one plane is."""
    gaps_mm = np.diff(along_mm)
    if gaps_mm.size == 0:
        return True
    return bool(gaps_mm.min() > 0 and np.abs(gaps_mm - np.median(gaps_mm)).max() <= _tolerance_mm(gaps_mm))


def plane_grid(along_mm: NDArray[np.float64], where: Path, *, allow_gaps: bool) -> PlaneGrid:
    """Find the places of two or more planes in order.

    Parameters
    ----------
    along_mm : ndarray of shape (N,)
        Positions along the normal, increasing.
    where : Path
        Folder of the planes, for the message.
    allow_gaps : bool
        Whether places may lack a plane.

    Raises
    ------
    DuplicateSlices
        If several planes lie at one position.
    MissingSlices, UnevenSpacing
        If the planes are not evenly spaced and gaps are not allowed, or are too wide to be kept.
    """
    gaps_mm = np.diff(along_mm)
    n_positions = int(position_ids(along_mm).max()) + 1
    if n_positions < along_mm.size:
        raise DuplicateSlices(
            f"{where} has {along_mm.size} planes at {n_positions} positions, and no tag tells the repeats "
            "apart; copy the files of one repeat into a folder of its own"
        )
    if is_even(along_mm):
        step_mm = float((along_mm[-1] - along_mm[0]) / gaps_mm.size)
        varies = float(np.ptp(gaps_mm))
        note = f"plane distances vary by {varies:.3g} mm; their mean was taken"
        return PlaneGrid(
            step_mm, tuple(range(along_mm.size)), notes=(note,) if varies > _GAP_TO_NOTE_MM else ()
        )
    n_steps = np.round(gaps_mm / gaps_mm.min())
    step_mm = float((along_mm[-1] - along_mm[0]) / n_steps.sum())
    if np.abs(gaps_mm - n_steps * step_mm).max() <= _tolerance_mm(gaps_mm.min()):
        return _with_missing(along_mm, n_steps, where, allow_gaps=allow_gaps)
    return _uneven(along_mm, where, allow_gaps=allow_gaps)


def _with_missing(
    along_mm: NDArray[np.float64], n_steps: NDArray[np.float64], where: Path, *, allow_gaps: bool
) -> PlaneGrid:
    """Keep the places of planes that are missing."""
    n_missing = int(n_steps.sum()) - n_steps.size
    said = f"{where} lacks {n_missing} planes: {_odd_gaps(along_mm, float(np.diff(along_mm).min()))}"
    if not allow_gaps:
        raise MissingSlices(
            f"{said}; add the missing files, or pass allow_gaps=True (--allow-gaps) to keep the gaps"
        )
    if n_missing > _MOST_FILLED * along_mm.size:
        raise MissingSlices(
            f"{said}, too many to be filled in; keep one unbroken part in a folder of its own"
        )
    places = np.concatenate([[0], np.cumsum(n_steps)]).astype(int)
    filled = sorted(set(range(int(places[-1]))) - set(places.tolist()))
    note = f"{n_missing} missing planes were filled with the lowest value: {_ranges(filled)}"
    step_mm = float((along_mm[-1] - along_mm[0]) / places[-1])
    return PlaneGrid(step_mm, tuple(places.tolist()), notes=(note,))


def _uneven(along_mm: NDArray[np.float64], where: Path, *, allow_gaps: bool) -> PlaneGrid:
    """Put uneven planes on the coarsest grid that keeps each near its place.

    Each plane goes to the nearest place of a grid whose step is the smallest gap divided by a whole number up
    to 8: the first with which no plane moves by more than 0.06 mm or 2 % of the usual gap, or else the one
    that moves them least. No plane ever moves by more than a sixteenth of the smallest gap.
    """
    gaps_mm = np.diff(along_mm)
    said = f"{where} has unevenly spaced planes: {_odd_gaps(along_mm, float(np.median(gaps_mm)))}"
    if not allow_gaps:
        raise UnevenSpacing(
            f"{said}; pass allow_gaps=True (--allow-gaps) to put them on an even grid with the gaps kept, "
            "or keep one evenly spaced part in a folder of its own"
        )
    offsets_mm = along_mm - along_mm[0]
    tried = [_moved(offsets_mm, float(gaps_mm.min()) / parts) for parts in range(1, _FINEST + 1)]
    close = [found for found in tried if found[0] <= _tolerance_mm(gaps_mm)]
    worst_mm, step_mm, places = close[0] if close else min(tried, key=lambda found: found[0])
    if places[-1] + 1 > _MOST_FILLED * along_mm.size:
        raise UnevenSpacing(f"{said}, too far for an even grid; keep one part in a folder of its own")
    n_between = places[-1] + 1 - len(places)
    note = (
        f"unevenly spaced planes were put on a grid of {step_mm:.4g} mm; {n_between} planes between them "
        f"were interpolated, and no plane was moved by more than {worst_mm:.2g} mm"
    )
    return PlaneGrid(step_mm, tuple(places), is_interpolated=True, notes=(note,))


def _moved(offsets_mm: NDArray[np.float64], step_mm: float) -> tuple[float, float, list[int]]:
    """Return by how much planes move at most on a grid of that step, the step, and their places."""
    places = np.round(offsets_mm / step_mm)
    worst_mm = float(np.abs(offsets_mm - places * step_mm).max())
    return worst_mm, step_mm, [int(place) for place in places]


def _tolerance_mm(gaps_mm: NDArray[np.float64]) -> float:
    """Return by how much a gap may differ from the usual one of these."""
    return max(_GAP_TOLERANCE_MM, _GAP_TOLERANCE * float(np.median(gaps_mm)))


def _odd_gaps(along_mm: NDArray[np.float64], usual_mm: float) -> str:
    """Name the first gaps that differ most from the usual one."""
    gaps_mm = np.diff(along_mm)
    odd = np.flatnonzero(np.abs(gaps_mm - usual_mm) > max(_GAP_TOLERANCE_MM, _GAP_TOLERANCE * usual_mm))
    named = "; ".join(f"planes {at} and {at + 1} are {gaps_mm[at]:.4g} mm apart" for at in odd[:_N_NAMED])
    more = f" (and {odd.size - _N_NAMED} more)" if odd.size > _N_NAMED else ""
    return f"{named}{more}, the others {usual_mm:.4g} mm"


def _ranges(indices: list[int]) -> str:
    """Write increasing numbers with their runs drawn together: 3, 5-7."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and runs[-1][1] == index - 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    named = [f"{low}" if low == high else f"{low}-{high}" for low, high in runs]
    more = f" and {len(named) - 8} more runs" if len(named) > 8 else ""
    return ", ".join(named[:8]) + more


def is_finite(values: NDArray[np.float64]) -> bool:
    """Whether all values are finite and of a size that millimetres can have."""
    return bool(np.isfinite(values).all() and np.abs(values).max(initial=0.0) < math.ldexp(1.0, 40))
