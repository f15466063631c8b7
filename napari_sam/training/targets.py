"""Which objects of a pair are prompted for: those that an eye can find, ends over-represented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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

_FEWEST = 3
"""An outline runs where more pixels than this, of 25 around, lie within and without."""

_OUTLINE_SAMPLES = 256
_NOISE_SAMPLES = 4096
"""Pixels that are enough to judge an outline, and the noise."""

_FEW_NAMES = 8
_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=bool)

_Boxes = list[tuple[slice, slice] | None]
"""Windows of labels 1, 2, …, None for those that are missing."""

_EMPTY = (slice(0, 0), slice(0, 0)), np.zeros((0, 0), dtype=bool)


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
    """

    parents: Mapping[int, int] = field(default_factory=dict)
    backdrop: frozenset[int] = frozenset()
    whole: frozenset[int] = frozenset()


@dataclass(frozen=True)
class _Candidate:
    """An object in the first plane: its window, its mask there, its area, and all that is of its name."""

    rows: slice
    columns: slice
    mask: NDArray[np.bool_]
    area: int
    names: tuple[int, ...]
    whole: bool


def find_objects(plane: NDArray[np.integer], roles: Roles, min_area: int) -> list[_Candidate]:
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
    """Say whether a part always counts: the object itself, or backdrop in it all the way up."""
    while name != label:
        if name not in roles.backdrop:
            return False
        name = roles.parents[name]
    return True


def _pieces(
    plane: NDArray[np.integer], boxes: _Boxes, names: tuple[int, ...], whole: bool, min_area: int
) -> list[_Candidate]:
    """Cut what has one of the names into 4-connected pieces, or leave it whole."""
    window = _around(boxes, names)
    if window is None:
        return []
    mask = _named(plane[window], names)
    area = int(np.count_nonzero(mask))
    if area < min_area:
        return []
    pieces, n_pieces = (mask, 1) if whole else ndimage.label(mask, _CROSS)
    if n_pieces == 1:
        return [_Candidate(*window, mask, area, names, whole)]
    areas = np.bincount(pieces.ravel(), minlength=n_pieces + 1)
    found = []
    for piece, box in enumerate(ndimage.find_objects(pieces), start=1):
        if areas[piece] >= min_area:
            rows, columns = (
                slice(w.start + b.start, w.start + b.stop) for w, b in zip(window, box, strict=True)
            )
            found.append(_Candidate(rows, columns, pieces[box] == piece, int(areas[piece]), names, False))
    return found


def _around(boxes: _Boxes, names: tuple[int, ...]) -> tuple[slice, slice] | None:
    """Give the window around the boxes of some names."""
    real = [box for box in (boxes[n - 1] for n in names if n <= len(boxes)) if box is not None]
    if not real:
        return None
    if len(real) == 1:
        return real[0]
    rows, columns = zip(*real, strict=True)
    return (
        slice(min(r.start for r in rows), max(r.stop for r in rows)),
        slice(min(c.start for c in columns), max(c.stop for c in columns)),
    )


def _named(plane: NDArray[np.integer], names: tuple[int, ...]) -> NDArray[np.bool_]:
    """Mark where a plane has one of the names."""
    if len(names) > _FEW_NAMES:
        lookup = np.zeros(max(int(plane.max()), *names) + 1, dtype=bool)
        lookup[list(names)] = True
        return np.asarray(lookup[plane])
    found = np.asarray(plane == names[0])
    for name in names[1:]:
        found |= plane == name
    return found


def follow(
    candidate: _Candidate, second: NDArray[np.integer], boxes: _Boxes, n_named: int
) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """Find an object of the first plane in the second ``(H, W)``: the window that it lies in, and its mask there.

    Pieces of the same name that overlap it are it; where none does, and it was the only one of its
    name (`n_named` pixels of that name in the first plane), all of that name. `boxes` are the windows of
    the second plane's labels.
    """
    window = _around(boxes, candidate.names)
    if window is None:
        return _EMPTY
    same = _named(second[window], candidate.names)
    if candidate.whole:
        return window, same
    pieces, n_pieces = ndimage.label(same, _CROSS)
    rows, columns = (
        slice(max(w.start, c.start), min(w.stop, c.stop))
        for w, c in zip(window, (candidate.rows, candidate.columns), strict=True)
    )
    touched = np.zeros(n_pieces + 1, dtype=bool)
    if rows.start < rows.stop and columns.start < columns.stop:
        mask = _within(candidate.mask, (candidate.rows, candidate.columns), (rows, columns))
        touched[_within(pieces, window, (rows, columns))[mask]] = True
        touched[0] = False
    n_touched = int(np.count_nonzero(touched))
    if n_touched == n_pieces or (not n_touched and n_named == candidate.area):
        return window, same
    return window, np.asarray(touched[pieces])


def _within(field: NDArray[Any], window: tuple[slice, slice], inner: tuple[slice, slice]) -> NDArray[Any]:
    """Cut an inner window out of what was cut with `window`; both in the plane's rows and columns."""
    rows, columns = (
        slice(i.start - w.start, i.stop - w.start) for i, w in zip(inner, window, strict=True)
    )
    return field[rows, columns]


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
    sides = np.zeros((2, mask.shape[0] + 4, mask.shape[1] + 4), dtype=np.uint8)
    sides[0, 2:-2, 2:-2], sides[1, 2:-2, 2:-2] = mask, ~mask & valid
    n_sides = _sum5(sides)
    outline = np.flatnonzero((n_sides > _FEWEST).all(axis=0) & valid)
    if not len(outline):
        return 0.0
    outline = outline[:: 1 + len(outline) // _OUTLINE_SAMPLES]
    beside = _squares(outline, sides.shape[2])
    weights = sides.reshape(2, -1)[:, beside] / n_sides.reshape(2, 1, -1)[:, :, outline].astype(np.float32)
    seen = np.zeros(len(outline), dtype=bool)
    for channel in grey:
        noise = 1.05 * _median_step(channel)
        padded = np.zeros(sides.shape[1:], dtype=np.float32)
        padded[2:-2, 2:-2] = np.where(valid, channel, 0)
        inside, outside = (weights * padded.ravel()[beside]).sum(axis=1)
        seen |= np.abs(inside - outside) > max(step, 0.8 * noise)
    return float(seen.mean())


def _sum5(fields: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Add up 5 by 5 values around each but the outer two, ``(n, h + 4, w + 4)`` to ``(n, h, w)``."""
    height, width = fields.shape[1] - 4, fields.shape[2] - 4
    down = fields[:, :height].copy()
    for row in range(1, 5):
        down += fields[:, row : row + height]
    found = down[:, :, :width].copy()
    for column in range(1, 5):
        found += down[:, :, column : column + width]
    return found


def _squares(places: NDArray[np.intp], padded_width: int) -> NDArray[np.intp]:
    """Give where the 5 by 5 values around pixels lie in a plane padded by two, all flat; ``(25, n)``."""
    rows, columns = np.divmod(places, padded_width - 4)
    offsets = np.arange(5)[:, None] * padded_width + np.arange(5)
    return np.asarray((rows * padded_width + columns) + offsets.reshape(-1, 1))


def _median_step(channel: NDArray[np.float32]) -> float:
    """Give the middle of all differences between neighbours in a row; of some rows where there are many."""
    rows = channel[:: 1 + channel.size // _NOISE_SAMPLES]
    rows = np.where(np.isnan(rows), np.float32(0), rows)
    steps = np.abs(rows[:, 1:] - rows[:, :-1]).ravel()
    if not len(steps):
        return 0.0
    return float(np.partition(steps, len(steps) // 2)[len(steps) // 2])


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
    first, second = labels.astype(np.int32)
    candidates = [c for c in find_objects(first, roles, min_area) if c.area < 0.7 * first.size]
    if not candidates:
        return None
    areas = _named_areas(candidates, (first, second))
    weights = np.array([c.area for c in candidates]) ** 0.3
    weights *= np.where(areas[:, 1] < 0.3 * areas[:, 0], ENDING_WEIGHT, 1.0)
    n_tried = min(len(candidates), 3 * n_objects)
    order = torch.multinomial(torch.as_tensor(weights, device=rng.device), n_tried, generator=rng).tolist()
    spared = torch.rand(n_tried, generator=rng, device=rng.device).tolist()
    chosen: list[int] = []
    for index, luck in zip(order, spared, strict=True):
        one = candidates[index]
        if image is None or luck <= KEPT_UNSEEN or seen_share(image, one, step) >= VISIBLE_SHARE:
            chosen.append(index)
        if len(chosen) == n_objects:
            break
    if not chosen:
        return None
    masks = np.zeros((2, len(chosen), *first.shape), dtype=bool)
    boxes = ndimage.find_objects(second)
    for mask, index in zip(masks.swapaxes(0, 1), chosen, strict=True):
        one = candidates[index]
        mask[0, one.rows, one.columns] = one.mask
        window, there = follow(one, second, boxes, int(areas[index, 0]))
        mask[1][window] = there
    return torch.as_tensor(masks)


def _named_areas(
    candidates: list[_Candidate], planes: tuple[NDArray[np.int32], NDArray[np.int32]]
) -> NDArray[np.float64]:
    """Count the pixels of each object's names in both planes; ``(n_candidates, 2)``."""
    n_names = 1 + max(int(max(p.max() for p in planes)), *(name for c in candidates for name in c.names))
    counts = [_count_names(plane, n_names) for plane in planes]
    return np.array([[sum(n[name] for name in c.names) for n in counts] for c in candidates], dtype=np.float64)


def _count_names(plane: NDArray[np.int32], n_names: int) -> list[float]:
    """Count the pixels of each label, run by run."""
    flat = plane.ravel()
    starts = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    ends = np.append(starts, len(flat))
    starts = np.concatenate([[0], starts])
    found: list[float] = np.bincount(flat[starts], ends - starts, minlength=n_names).tolist()
    return found
