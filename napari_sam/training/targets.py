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

from napari_sam.training.outlines import outline_share, view_of

VISIBLE_STEP = 0.03
"""Least difference of grey across an outline, of the range 0 to 1, that counts as seen."""

VISIBLE_SHARE = 0.45
"""Least part of an outline that must be seen."""

KEPT_UNSEEN = 0.04
"""How many of the objects that are not seen well enough are kept all the same, beside one that is seen."""

ENDING_WEIGHT = 2.5
"""How much rather an object that ends between the planes is chosen."""

SHRINKING = 0.75
"""An object that keeps less of its area than this is near its end."""

SHRINKING_WEIGHT = 2.0
"""How much rather an object is chosen that is near its end and goes on."""

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
    parts : frozenset of int
        Labels with a parent that nobody would leave out of it: objects, but the parent always holds them.
    """

    parents: Mapping[int, int] = field(default_factory=dict)
    backdrop: frozenset[int] = frozenset()
    whole: frozenset[int] = frozenset()
    parts: frozenset[int] = frozenset()


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
    """Say whether a part always counts: the object itself, or backdrop and parts in it all the way up."""
    while name != label:
        if name not in roles.backdrop and name not in roles.parts:
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
    """Find an object of the first plane in the second ``(H, W)``: its window, and its mask in it.

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
    rows, columns = (slice(i.start - w.start, i.stop - w.start) for i, w in zip(inner, window, strict=True))
    return field[rows, columns]


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
    whose outline is mostly not seen (see `outlines.outline_share` for `step`) are mostly left out.

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
    weights *= _near_ends(areas)
    n_tried = min(len(candidates), 3 * n_objects)
    order = torch.multinomial(torch.as_tensor(weights, device=rng.device), n_tried, generator=rng).tolist()
    spared = torch.rand(n_tried, generator=rng, device=rng.device).tolist()
    view = None if image is None else view_of(image)
    chosen: list[tuple[_Candidate, int]] = []
    any_seen = False
    for index, luck in zip(order, spared, strict=True):
        one = candidates[index]
        spare = luck <= KEPT_UNSEEN and any_seen
        where = one.rows, one.columns
        if view and not spare and outline_share(view, where, one.mask, step) < VISIBLE_SHARE:
            continue
        any_seen = True
        chosen.append((one, int(areas[index, 0])))
        if len(chosen) == n_objects:
            break
    return torch.as_tensor(_drawn(chosen, second)) if chosen else None


def _near_ends(areas: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give objects that end or are near their end more weight, from `_named_areas`; ``(n_candidates,)``.

    Both are wanted: what is asked in a volume is which of two small things is the last of an object.
    """
    kept = areas[:, 1] / areas[:, 0]
    return np.select([kept == 0, kept < SHRINKING], [ENDING_WEIGHT, SHRINKING_WEIGHT], 1.0)


def _drawn(chosen: list[tuple[_Candidate, int]], second: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Draw objects in the first plane and, followed, in the second ``(H, W)``; ``(2, M, H, W)``."""
    masks = np.zeros((2, len(chosen), *second.shape), dtype=bool)
    boxes = ndimage.find_objects(second)
    for mask, (one, n_named) in zip(masks.swapaxes(0, 1), chosen, strict=True):
        mask[0, one.rows, one.columns] = one.mask
        window, there = follow(one, second, boxes, n_named)
        mask[1][window] = there
    return masks


def _named_areas(
    candidates: list[_Candidate], planes: tuple[NDArray[np.int32], NDArray[np.int32]]
) -> NDArray[np.float64]:
    """Count the pixels of each object's names in both planes; ``(n_candidates, 2)``."""
    names = {candidate.names for candidate in candidates}
    n_names = 1 + max(name for some in names for name in some)
    counts = [_count_names(plane, n_names) for plane in planes]
    areas = {some: [sum(n[name] for name in some) for n in counts] for some in names}
    return np.array([areas[candidate.names] for candidate in candidates], dtype=np.float64)


def _count_names(plane: NDArray[np.int32], n_names: int) -> list[float]:
    """Count the pixels of each label, run by run."""
    flat = plane.ravel()
    starts = np.append(0, np.flatnonzero(flat[1:] != flat[:-1]) + 1)
    lengths = np.diff(starts, append=len(flat))
    found: list[float] = np.bincount(flat[starts], lengths, minlength=n_names).tolist()
    return found
