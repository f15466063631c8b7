"""Classes: what kinds of thing objects are, with the colour and the codes that files keep of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from napari_sam.errors import InvalidClass
from volumes import Code, InvalidLabels, Segment

__all__ = ["ObjectClass", "class_named", "class_of_segment"]

_PLAIN = Segment(1)


@dataclass(frozen=True)
class ObjectClass:
    """What kind of thing an object is.

    Parameters
    ----------
    name : str
        What it is called, such as ``"liver"``; tells classes of a list apart.
    colour : tuple of int, optional
        (red, green, blue), 0 to 255; None leaves each object its own.
    category, kind : Code
        As in `volumes.Segment`: what sort of thing, and which one.

    Raises
    ------
    InvalidClass
        An empty name, or a colour that is not three numbers from 0 to 255.
    """

    name: str
    colour: tuple[int, int, int] | None = None
    category: Code = _PLAIN.category
    kind: Code = _PLAIN.kind

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise InvalidClass("a class has no name; give one, such as 'liver'")
        object.__setattr__(self, "colour", checked_colour(self.colour, f"the class {self.name!r}"))


def checked_colour(colour: tuple[int, int, int] | None, whose: str) -> tuple[int, int, int] | None:
    """Return a colour as whole numbers, or raise InvalidClass."""
    if colour is None:
        return None
    try:
        checked = Segment(1, colour=colour).colour
    except (InvalidLabels, TypeError, ValueError) as error:
        raise InvalidClass(
            f"{whose} has the colour {colour!r}; give (red, green, blue), each 0 to 255"
        ) from error
    return checked


def class_named(classes: Iterable[ObjectClass], name: str) -> ObjectClass:
    """Return the class of a list that has a name.

    Raises
    ------
    InvalidClass
        There is none of that name.
    """
    known = {one.name: one for one in classes}
    if name not in known:
        raise InvalidClass(f"there is no class {name!r}; known are {', '.join(known) or 'none'}")
    return known[name]


def class_of_segment(segment: Segment) -> ObjectClass | None:
    """Return the class that a segment of a file belongs to by its codes; None where these say nothing."""
    codes = (segment.category, segment.kind)
    if codes == (_PLAIN.category, _PLAIN.kind):
        return None
    return ObjectClass(segment.kind.meaning or segment.title, None, *codes)
