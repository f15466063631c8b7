"""What other software makes of the same files: voxels and place, compared with ours."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes import Geometry, Volume

SAME_PLACE_MM = 1e-3
NEAR_MM = 0.01
"""Up to here two places are called the same, but their distance is told."""


_LOSSY = 4.0
"""So much may two decoders of a lossy compression differ, where values have a range of a hundred or more."""


@dataclass(frozen=True)
class Verdict:
    """Whether another program agrees; None where it was not or could not be asked."""

    agrees: bool | None
    words: str = ""

    def __str__(self) -> str:
        """Give it as a cell of a table."""
        sign = {True: "=", False: "≠", None: "–"}[self.agrees]
        return f"{sign} {self.words}".strip()


@dataclass(frozen=True)
class Seen:
    """What another program sees, and where: from the indices of its axes to LPS mm.

    Without a place (None) its axes are taken as (plane, row, column), in whichever direction.
    """

    data: NDArray[Any]
    affine_lps: NDArray[np.float64] | None


def asked(judge: Callable[..., Verdict], *arguments: Any) -> Verdict:
    """Ask a judge; what it raises is its way to say that it cannot read the file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return judge(*arguments)
    except Exception:
        return Verdict(None, "cannot read it")


def compare(volume: Volume, seen: Seen) -> Verdict:
    """Compare voxels and place, once the other's axes are brought into our order and direction."""
    ours = np.asarray(volume.data)
    if seen.affine_lps is None:
        return _compare_anyhow(ours, seen.data)
    between = np.linalg.inv(volume.geometry.affine) @ seen.affine_lps
    order = np.abs(between[:3, :3]).argmax(axis=1)
    if sorted(order) != [0, 1, 2]:
        return Verdict(False, "other axes")
    signs = np.sign(between[range(3), order])
    theirs = np.transpose(seen.data, (*order, *range(3, seen.data.ndim)))
    if theirs.shape != ours.shape:
        return Verdict(False, f"shape {'×'.join(map(str, theirs.shape))}")
    corners = np.array([*itertools.product(*((0, length - 1) for length in ours.shape[:3]))], dtype=float)
    there = np.zeros_like(corners)
    for axis in range(3):
        along = corners[:, axis] if signs[axis] > 0 else ours.shape[axis] - 1 - corners[:, axis]
        there[:, order[axis]] = along
    ours_mm = corners @ volume.geometry.affine[:3, :3].T + volume.geometry.affine[:3, 3]
    theirs_mm = there @ seen.affine_lps[:3, :3].T + seen.affine_lps[:3, 3]
    apart_mm = float(np.linalg.norm(ours_mm - theirs_mm, axis=1).max())
    flips = tuple(slice(None, None, int(sign)) for sign in signs)
    values = compare_values(ours, theirs[flips])
    return placed(values, apart_mm)


def placed(values: Verdict, apart_mm: float) -> Verdict:
    """Add the distance of two places to what was found about their voxels."""
    if apart_mm <= SAME_PLACE_MM:
        return values
    words = "; ".join(filter(None, (f"{apart_mm:.2g} mm apart", values.words)))
    return Verdict(bool(values.agrees) and apart_mm <= NEAR_MM, words)


def mask_on_grid(seen: Seen, geometry: Geometry) -> tuple[NDArray[np.bool_], float]:
    """Put the labelled voxels of a label image, of whatever grid, onto an image's grid by their place.

    Returns
    -------
    ndarray of bool, shape (P, R, C)
        Which of the image's voxels have a labelled one at their place.
    float
        Largest distance of a labelled voxel from the centre of the image's nearest, in mm.
    """
    if seen.affine_lps is None:
        raise ValueError("without a place nothing can be put onto a grid")
    labelled = np.argwhere(seen.data > 0).astype(float)
    there_mm = labelled @ seen.affine_lps[:3, :3].T + seen.affine_lps[:3, 3]
    inverse = np.linalg.inv(geometry.affine)
    nearest = np.round(there_mm @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
    nearest_mm = nearest @ geometry.affine[:3, :3].T + geometry.affine[:3, 3]
    mask = np.zeros(geometry.shape, bool)
    inside = ((nearest >= 0) & (nearest < geometry.shape)).all(axis=1)
    mask[tuple(nearest[inside].T)] = True
    apart_mm = float(np.linalg.norm(there_mm - nearest_mm, axis=1).max(initial=0.0))
    return mask, apart_mm if inside.all() else float("inf")


def _compare_anyhow(ours: NDArray[Any], theirs: NDArray[Any]) -> Verdict:
    """Compare voxels of an image without a place in whichever direction they agree."""
    best = Verdict(False, f"shape {'×'.join(map(str, theirs.shape))}")
    for signs in itertools.product((1, -1), repeat=3):
        flipped = theirs[tuple(slice(None, None, sign) for sign in signs)]
        if flipped.shape == ours.shape:
            best = compare_values(ours, flipped)
            if best.agrees:
                return best
    return best


def compare_values(ours: NDArray[Any], theirs: NDArray[Any]) -> Verdict:
    """Compare voxels, also up to a scale (SUV) or turned round (MONOCHROME1), which is then said."""
    if ours.shape != theirs.shape:
        return Verdict(False, f"shape {'×'.join(map(str, theirs.shape))}")
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    scale = max(1.0, float(np.abs(theirs).max(initial=0.0)))
    if np.allclose(ours, theirs, rtol=1e-5, atol=1e-6 * scale, equal_nan=True):
        return Verdict(True)
    off = np.abs(ours - theirs)
    if np.ptp(theirs) > 25 * _LOSSY and off.max() <= _LOSSY and off.mean() < _LOSSY / 4:
        return Verdict(True, f"within {off.max():g} (lossy)")
    if np.ptp(theirs) > 0:
        slope, level = np.polyfit(theirs.ravel(), ours.ravel(), 1)
        if np.allclose(ours, slope * theirs + level, rtol=1e-4, atol=1e-4 * max(1.0, np.ptp(ours))):
            return Verdict(True, f"ours = {slope:.5g} × theirs {level:+.5g}")
    share = float((off > 1e-6 * scale).mean())
    part = f"{share:.0%}" if share >= 0.01 else "less than 1%"
    return Verdict(False, f"{part} of values differ, by up to {off.max():.5g}")
