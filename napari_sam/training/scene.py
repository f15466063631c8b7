"""What a generated picture holds: labels of two neighbouring planes and what they are made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Scene:
    """Two neighbouring planes of labels.

    Attributes
    ----------
    labels : Tensor
        ``(2, H, W)`` int64; 0 is nothing to prompt for. An object keeps its number from the first
        plane to the second, where it may have changed its outline or ended.
    kind : str
        Name of the family, which says how it is painted.
    parents : dict of int to int
        Labels that lie inside another object, and that object's label. A parent may have no pixels
        of its own (the pair of lungs).
    tissues : tuple of str
        What each label is made of, by label; empty for families that paint at random.
    backdrop : frozenset of int
        Labels that are never objects of their own (fat, muscle, vessels within an organ). With a
        parent such a label always counts as part of it.
    whole : frozenset of int
        Labels that are one object although they lie in several pieces.
    parts : frozenset of int
        Labels with a parent that nobody would leave out of it (the head of a person): the parent is never an
        object without them.
    image : Tensor or None
        ``(2, 3, H, W)``, 0 to 1, where a family paints itself.
    """

    labels: Tensor
    kind: str
    parents: dict[int, int]
    tissues: tuple[str, ...] = ()
    backdrop: frozenset[int] = field(default_factory=frozenset)
    whole: frozenset[int] = field(default_factory=frozenset)
    image: Tensor | None = None
    parts: frozenset[int] = field(default_factory=frozenset)
