"""A canvas for labels: shapes are painted one over the other, each made of a tissue."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from napari_sam.training.fields import chance, uniform
from napari_sam.training.scene import Scene
from napari_sam.training.shapes import Frame, Lump, Patch, depth

FOLLOWED = 0.12
"""Part of the objects beneath which something else begins in the second plane: it is seen where they end."""

RIMMED = 0.35
"""Part of the lesions that have a rim: abscesses, cysts with walls, tumours whose middle died."""

CORES = ("fluid", "lesion_dark", "lesion_bright")
"""What a rim may surround."""

CORE_SHARE = 0.15
"""How often what a rim surrounds is an object of its own; its parent is never without it."""


class Canvas:
    """Collects the labels of one scene.

    Parameters
    ----------
    frame : Frame
        The planes to paint on.
    rng : torch.Generator
        Where chance comes from.
    """

    def __init__(self, frame: Frame, rng: torch.Generator) -> None:
        self.frame = frame
        self.rng = rng
        self.labels = torch.zeros(2, *frame.hw, dtype=torch.int64, device=rng.device)
        self.limit: Tensor | None = None
        self.body: Tensor | None = None
        self._tissues: list[str] = ["air"]
        self._parents: dict[int, int] = {}
        self._backdrop: set[int] = set()
        self._whole: set[int] = set()
        self._parts: set[int] = set()

    @property
    def tissues(self) -> tuple[str, ...]:
        """What each label is made of."""
        return tuple(self._tissues)

    def new(
        self, tissue: str, *, parent: int = 0, target: bool = True, whole: bool = False, part: bool = False
    ) -> int:
        """Give out a label, at first without pixels; its parent is never without a `part`."""
        self._tissues.append(tissue)
        label = len(self._tissues) - 1
        if parent:
            self._parents[label] = parent
        if not target:
            self._backdrop.add(label)
        if whole:
            self._whole.add(label)
        if part and parent:
            self._parts.add(label)
        return label

    def adopt(self, children: Sequence[int], parent: int) -> None:
        """Say that labels without a parent are parts of another one, which is never without them."""
        new = [child for child in children if child not in self._parents]
        self._parents.update(dict.fromkeys(new, parent))
        self._parts.update(new)

    def depth(self, lump: Lump, margin: float = 0.0) -> Patch:
        """Evaluate a lump on the planes, and `margin` around it."""
        return depth(self.frame, lump, self.rng, margin)

    def fill(
        self, patch: Patch, label: int, *, above: float = 0.0, over: int | None = None, free: bool = False
    ) -> int:
        """Write a label where a patch is deeper than `above`.

        Parameters
        ----------
        patch : Patch
            Where.
        label : int
            What to write.
        above : float
            Least depth.
        over : int or None
            Write over this label only.
        free : bool
            Write outside the canvas' limit, too.
        """
        inside = patch.depth > above
        here = patch.of(self.labels)
        if over is not None:
            inside &= here == over
        elif self.limit is not None and not free:
            inside &= patch.of(self.limit)
        elif self.body is not None:
            inside &= patch.of(self.body)
        here.masked_fill_(inside, label)
        return label

    def put(self, tissue: str, lump: Lump, *, over: int | None = None, target: bool = True) -> int:
        """Paint a lump made of one tissue, where asked as a part of what it lies in."""
        label = self.new(tissue, parent=over or 0, target=target)
        if target and over is None:
            self._begin_beneath(tissue, lump)
        return self.fill(self.depth(lump), label, over=over)

    def back(self, tissue: str, patch: Patch, above: float = 0.0) -> int:
        """Paint what is never an object of its own."""
        return self.fill(patch, self.new(tissue, target=False), above=above)

    def lined(self, tissue: str, lump: Lump, lining: str = "fat", gap: float = 0.012) -> tuple[int, Patch]:
        """Paint a lump with, mostly, a thin line of something else around it."""
        self._begin_beneath(tissue, lump)
        patch = self.depth(lump)
        if chance(0.7, self.rng):
            self.fill(patch, self.new(lining, target=False), above=-gap * uniform(0.2, 2.0, self.rng))
        return self.fill(patch, self.new(tissue)), patch

    def _begin_beneath(self, tissue: str, lump: Lump) -> None:
        """At times let another thing begin in the second plane, beside a lump's middle and beneath it."""
        if not chance(FOLLOWED, self.rng):
            return
        is_like = chance(0.4, self.rng)  # of its own tissue only further away, lest it be taken for it
        others = [name for name in self._tissues[1:] if name != tissue]
        names = [tissue] if is_like or not others else others
        angle, away = uniform(0, 2 * math.pi, self.rng), uniform(0.7 if is_like else 0.0, 1.2, self.rng)
        size = math.exp(uniform(-0.6, 0.4, self.rng))
        other = Lump(
            lump.y + away * lump.ry * math.sin(angle),
            lump.x + away * lump.rx * math.cos(angle),
            lump.ry * size * math.exp(uniform(-0.4, 0.4, self.rng)),
            lump.rx * size,
            uniform(0, math.pi, self.rng),
            begins=True,
        )
        self.fill(self.depth(other), self.new(names[int(uniform(0, len(names), self.rng))]))

    def branches(self, tissue: str, organ: int, width: float, radius: float, *, target: bool = False) -> int:
        """Paint winding tubes that cross an organ: dots and streaks in the plane.

        Parameters
        ----------
        tissue : str
            What they are made of.
        organ : int
            Label that they stay within.
        width : float
            Their share of the organ, roughly 0 to 0.3.
        radius : float
            Distance between them in the body's lengths.
        target : bool
            Whether they are objects of their own.
        """
        first = self.frame.field(radius, self.frame.hw, self.rng)
        second = self.frame.field(radius / 2.2, self.frame.hw, self.rng)
        tubes = (first.abs() < width) & (second > uniform(-0.3, 0.8, self.rng))
        label = self.new(tissue, parent=organ, target=target)
        self.labels.masked_fill_(tubes & (self.labels == organ), label)
        return label

    def lesions(self, organ: int, patch: Patch, n_most: int, size: float) -> None:
        """Put lesions of up to `size` into an organ, whose place is known from its patch."""
        middle = _middle(self.frame, patch, self.rng)
        for _ in range(int(uniform(0, n_most + 1, self.rng))):
            radius = size * math.exp(uniform(-1.6, 0.0, self.rng))
            y, x = (c + uniform(-1.0, 1.0, self.rng) * 2 * size for c in middle)
            lump = Lump(y, x, radius * uniform(0.7, 1.3, self.rng), radius, wobble=0.2)
            tissue = "lesion_dark" if chance(0.6, self.rng) else "lesion_bright"
            label = self.new(tissue, parent=organ)
            inside = self.depth(lump)
            self.fill(inside, label, over=organ)
            if chance(RIMMED, self.rng):
                self.core(inside, label, min(lump.ry, lump.rx) * uniform(0.12, 0.6, self.rng))

    def core(self, patch: Patch, rim: int, width: float) -> int:
        """Paint what a rim of a width surrounds: a rim is hardly ever an object without it.

        Its tissue is another than the rim's: fluid, or what is brighter or darker.
        """
        others = [name for name in CORES if name != self._tissues[rim]]
        tissue = others[int(uniform(0, len(others), self.rng))]
        is_part = chance(CORE_SHARE, self.rng)
        core = self.new(tissue, parent=rim, target=is_part, part=is_part)
        return self.fill(patch, core, above=width, over=rim)

    def scene(self, kind: str, image: Tensor | None = None, *, plain: bool = False) -> Scene:
        """Finish; `plain` leaves the tissues out, so that tones are drawn at random."""
        return Scene(
            self.labels,
            kind,
            self._parents,
            () if plain or image is not None else tuple(self._tissues),
            frozenset(self._backdrop),
            frozenset(self._whole),
            image,
            frozenset(self._parts),
        )


def _middle(frame: Frame, patch: Patch, rng: torch.Generator) -> tuple[float, float]:
    """Choose a place in the middle half of a patch; body's lengths."""
    rows, columns = frame.y[0, patch.rows, patch.columns].shape
    if not rows or not columns:
        return 0.0, 0.0
    row = patch.rows.start + int(rows * uniform(0.25, 0.75, rng))
    column = patch.columns.start + int(columns * uniform(0.25, 0.75, rng))
    return float(frame.y[0, row, column]), float(frame.x[0, row, column])


def near(
    rng: torch.Generator,
    place: tuple[float, float],
    radii: tuple[float, float],
    turn: float = 0.0,
    wobble: float = 0.1,
    n_planes: float | None = None,
) -> Lump:
    """Draw a lump near a place, its size and angle loosely as asked."""
    size = math.exp(uniform(-0.2, 0.2, rng))
    loose = 0.25 * min(radii) + 0.01
    return Lump(
        place[0] + uniform(-loose, loose, rng),
        place[1] + uniform(-loose, loose, rng),
        radii[0] * size * math.exp(uniform(-0.15, 0.15, rng)),
        radii[1] * size * math.exp(uniform(-0.15, 0.15, rng)),
        turn=turn + uniform(-0.25, 0.25, rng),
        wobble=wobble * uniform(0.3, 1.5, rng),
        n_planes=n_planes,
    )
