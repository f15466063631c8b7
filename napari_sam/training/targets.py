"""Which objects of a pair are prompted for: those that an eye can find, ends over-represented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

VISIBLE_STEP = 0.03
"""Least difference of grey across an outline, of the range 0 to 1, that counts as seen."""

VISIBLE_SHARE = 0.45
"""Least part of an outline that must be seen."""

KEPT_UNSEEN = 0.04
"""How many of the objects that are not seen well enough are kept all the same."""

ENDING_WEIGHT = 1.4
"""How much rather an object that ends between the planes is chosen."""


@dataclass(frozen=True)
class Roles:
    """What labels stand for.

    Attributes
    ----------
    parents : mapping of int to int
        Labels that lie inside another object, and that object's label.
    backdrop : frozenset of int
        Labels that are no objects; with a parent they always count as part of it.
    whole : frozenset of int
        Labels that are one object although in several pieces.
    parts : frozenset of int
        Labels with a parent that nobody would leave out of it: objects, but the parent always holds them.
    """

    parents: Mapping[int, int] = field(default_factory=dict)
    backdrop: frozenset[int] = frozenset()
    whole: frozenset[int] = frozenset()
    parts: frozenset[int] = frozenset()


@dataclass(frozen=True)
class _Candidate:
    """An object in the first plane: its window, its mask there, and all that is of its name."""

    rows: slice
    columns: slice
    mask: NDArray[np.bool_]
    names: tuple[int, ...]
    whole: bool

    @property
    def area(self) -> int:
        return int(self.mask.sum())


def find_objects(plane: NDArray[np.int64], roles: Roles, min_area: int) -> list[_Candidate]:
    """List the objects of a plane: pieces of each label, without and with what lies in them."""
    boxes = ndimage.find_objects(plane)
    families = _families(roles)
    present = [label for label, box in enumerate(boxes, start=1) if box is not None]
    parts = {label: (label,) for label in present if label not in roles.backdrop}
    wanted: list[tuple[int, tuple[int, ...]]] = []
    for label in sorted({*parts, *(set(families) - roles.backdrop)}):
        fixed = tuple(n for n in families.get(label, (label,)) if _is_fixed(n, label, roles))
        wanted.append((label, fixed))
        everything = families.get(label, (label,))
        if len(everything) > len(fixed):
            wanted.append((label, everything))
    found: list[_Candidate] = []
    for label, names in wanted:
        found += _pieces(plane, boxes, names, label in roles.whole, min_area)
    return found


def _families(roles: Roles) -> dict[int, tuple[int, ...]]:
    """Give each label with parts: itself and everything in it, at any depth."""
    inner: dict[int, list[int]] = {}
    for child in roles.parents:
        above, seen = roles.parents.get(child), {child}
        while above is not None and above not in seen:
            inner.setdefault(above, [above]).append(child)
            seen.add(above)
            above = roles.parents.get(above)
    return {label: tuple(names) for label, names in inner.items()}


def _is_fixed(name: int, label: int, roles: Roles) -> bool:
    """Say whether a part always counts: the object itself, or backdrop and parts in it all the way up."""
    while name != label:
        if name not in roles.backdrop and name not in roles.parts:
            return False
        name = roles.parents[name]
    return True


def _pieces(
    plane: NDArray[np.int64],
    boxes: list[tuple[slice, slice] | None],
    names: tuple[int, ...],
    whole: bool,
    min_area: int,
) -> list[_Candidate]:
    """Cut what has one of the names into 4-connected pieces, or leave it whole."""
    window = _around([boxes[n - 1] for n in names if n <= len(boxes)])
    if window is None:
        return []
    mask = _named(plane[window], names)
    if whole:
        return [_Candidate(*window, mask, names, whole=True)] if mask.sum() >= min_area else []
    pieces, n_pieces = ndimage.label(mask)
    if n_pieces == 1:
        return [_Candidate(*window, mask, names, whole=False)] if mask.sum() >= min_area else []
    areas = np.bincount(pieces.ravel(), minlength=n_pieces + 1)
    found = []
    for piece, box in enumerate(ndimage.find_objects(pieces), start=1):
        if areas[piece] >= min_area:
            rows, columns = (
                slice(w.start + b.start, w.start + b.stop) for w, b in zip(window, box, strict=True)
            )
            found.append(_Candidate(rows, columns, pieces[box] == piece, names, whole=False))
    return found


def _around(boxes: list[tuple[slice, slice] | None]) -> tuple[slice, slice] | None:
    """Give the window around boxes."""
    real = [box for box in boxes if box is not None]
    if not real:
        return None
    rows, columns = zip(*real, strict=True)
    return (
        slice(min(r.start for r in rows), max(r.stop for r in rows)),
        slice(min(c.start for c in columns), max(c.stop for c in columns)),
    )


def _named(plane: NDArray[np.int64], names: tuple[int, ...]) -> NDArray[np.bool_]:
    """Mark where a plane has one of the names."""
    if len(names) == 1:
        return np.asarray(plane == names[0])
    lookup = np.zeros(max(int(plane.max()), *names) + 1, dtype=bool)
    lookup[list(names)] = True
    return np.asarray(lookup[plane])


def follow(candidate: _Candidate, second: NDArray[np.int64], n_named: int) -> NDArray[np.bool_]:
    """Find an object of the first plane in the second, ``(H, W)``.

    Pieces of the same name that overlap it are it; where none does, and it was the only one of its
    name (`n_named` pixels of that name in the first plane), all of that name.
    """
    same = _named(second, candidate.names)
    if candidate.whole or not same.any():
        return same
    pieces, n_pieces = ndimage.label(same)
    touched = np.unique(pieces[candidate.rows, candidate.columns][candidate.mask])
    touched = touched[touched > 0]
    if len(touched) == n_pieces or (not len(touched) and n_named == candidate.area):
        return same
    return np.asarray(np.isin(pieces, touched))


def seen_share(image: NDArray[np.float32], candidate: _Candidate, step: float = VISIBLE_STEP) -> float:
    """Measure how much of an object's outline can be seen.

    Greys just inside and just outside are compared along the outline, each averaged over a few
    pixels; a difference counts that is above `step` and above the pixels' noise.

    Parameters
    ----------
    image : ndarray
        ``(C, H, W)`` float32, 0 to 1, NaN where there is no picture.
    candidate : _Candidate
        The object.
    step : float
        Least difference that is seen where there is no noise.

    Returns
    -------
    float
        Part of the outline, 0 to 1.
    """
    grey, mask = _around_object(image, candidate, 3)
    skip = 2 if mask.size > 96 * 96 else 1
    grey, mask = grey[:, ::skip, ::skip], mask[::skip, ::skip]
    valid = ~np.isnan(grey[0])
    inside, outside = mask.astype(np.float32), (~mask & valid).astype(np.float32)
    n_inside, n_outside = _mean5(inside), _mean5(outside)
    outline = (n_inside > 0.15) & (n_outside > 0.15) & valid
    if not outline.any():
        return 0.0
    seen = np.zeros(int(outline.sum()), dtype=bool)
    for channel in np.nan_to_num(grey):
        noise = 1.05 * float(np.median(np.abs(np.diff(channel, axis=1))))
        within = _mean5(channel * inside)[outline] / n_inside[outline]
        beside = _mean5(channel * outside)[outline] / n_outside[outline]
        seen |= np.abs(within - beside) > max(step, 0.8 * noise)
    return float(seen.mean())


def _around_object(
    image: NDArray[np.float32], candidate: _Candidate, grow: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Cut image and mask `grow` pixels around an object."""
    rows = slice(max(candidate.rows.start - grow, 0), candidate.rows.stop + grow)
    columns = slice(max(candidate.columns.start - grow, 0), candidate.columns.stop + grow)
    grey = image[:, rows, columns]
    mask = np.zeros(grey.shape[1:], dtype=bool)
    top, left = candidate.rows.start - rows.start, candidate.columns.start - columns.start
    mask[top : top + candidate.mask.shape[0], left : left + candidate.mask.shape[1]] = candidate.mask
    return grey, mask


def _mean5(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average over 5 by 5 pixels."""
    return np.asarray(ndimage.uniform_filter(field, 5, mode="constant"))


def choose(
    labels: NDArray[np.int64],
    roles: Roles,
    limits: tuple[int, int],
    rng: torch.Generator,
    image: NDArray[np.float32] | None = None,
    step: float = VISIBLE_STEP,
) -> Tensor | None:
    """Choose objects in the first plane and follow them into the second.

    Labels ``(2, S, S)`` are int64; `limits` are the largest number of objects and the smallest area
    in pixels. With an image, the first plane ``(C, S, S)``, 0 to 1 and NaN in the padding, objects
    whose outline is mostly not seen (see `seen_share` for `step`) are mostly left out.

    Returns
    -------
    Tensor or None
        ``(2, M, S, S)`` bool, or None where no object is fit.
    """
    n_objects, min_area = limits
    candidates = [c for c in find_objects(labels[0], roles, min_area) if c.area < 0.7 * labels[0].size]
    if not candidates:
        return None
    areas = _named_areas(candidates, labels)
    weights = np.array([c.area for c in candidates]) ** 0.3
    weights *= np.where(areas[:, 1] < 0.3 * areas[:, 0], ENDING_WEIGHT, 1.0)
    n_tried = min(len(candidates), 3 * n_objects)
    order = torch.multinomial(torch.as_tensor(weights, device=rng.device), n_tried, generator=rng).tolist()
    spared = torch.rand(n_tried, generator=rng, device=rng.device).tolist()
    masks: list[NDArray[np.bool_]] = []
    for index, luck in zip(order, spared, strict=True):
        one = candidates[index]
        if image is not None and luck > KEPT_UNSEEN and seen_share(image, one, step) < VISIBLE_SHARE:
            continue
        first = np.zeros_like(labels[0], dtype=bool)
        first[one.rows, one.columns] = one.mask
        masks.append(np.stack([first, follow(one, labels[1], int(areas[index, 0]))]))
        if len(masks) == n_objects:
            break
    return torch.as_tensor(np.stack(masks, axis=1)) if masks else None


def _named_areas(candidates: list[_Candidate], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Count the pixels of each object's names in both planes; ``(n_candidates, 2)``."""
    n_names = 1 + max(int(labels.max()), *(name for c in candidates for name in c.names))
    counts = [np.bincount(plane.ravel(), minlength=n_names) for plane in labels]
    return np.array([[n[[*c.names]].sum() for n in counts] for c in candidates], dtype=np.float64)
