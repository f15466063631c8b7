"""Labels with names: what the values of a label array mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from volumes.errors import InvalidLabels, ShapeMismatch
from volumes.geometry import Geometry

__all__ = ["Code", "LabelVolume", "Segment"]

_DEFAULT_CATEGORY = ("85756007", "SCT", "Tissue")
_DEFAULT_TYPE = ("85756007", "SCT", "Tissue")


@dataclass(frozen=True)
class Code:
    """A coded term, as DICOM holds them.

    Parameters
    ----------
    value : str
        The code, such as ``"10200004"``.
    scheme : str
        Whose code it is, such as ``"SCT"`` for SNOMED CT.
    meaning : str
        The term in words, such as ``"Liver"``.
    """

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True)
class Segment:
    """What one value of a label array stands for.

    Parameters
    ----------
    value : int
        The value in the array, 1 or more.
    name : str
        What it is called; empty for a name made of the value.
    colour : tuple of int, optional
        (red, green, blue), 0 to 255.
    category : Code
        What kind of thing it is (a tissue, an organ, a lesion …).
    kind : Code
        What it is ("SegmentedPropertyType" in DICOM).
    algorithm : str
        What drew it, with its version; empty where a person did it by hand.

    Raises
    ------
    InvalidLabels
        If the value is not 1 or more, or the colour not three numbers from 0 to 255.
    """

    value: int
    name: str = ""
    colour: tuple[int, int, int] | None = None
    category: Code = Code(*_DEFAULT_CATEGORY)
    kind: Code = Code(*_DEFAULT_TYPE)
    algorithm: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", int(self.value))  # numpy's numbers are taken too
        if self.colour is not None:
            object.__setattr__(self, "colour", tuple(int(one) for one in self.colour))
        if self.value < 1:
            raise InvalidLabels(f"a segment has the value {self.value}; values start at 1, 0 is background")
        colour = self.colour
        if colour is not None and (len(colour) != 3 or min(colour) < 0 or max(colour) > 255):
            raise InvalidLabels(f"a segment has the colour {colour}; give (red, green, blue), each 0 to 255")

    @property
    def title(self) -> str:
        """The name, or one made of the value."""
        return self.name or f"object {self.value}"


@dataclass(frozen=True, eq=False)
class LabelVolume:
    """Labels on a grid, as they were read from a file.

    Parameters
    ----------
    data : ndarray of shape (P, R, C)
        Unsigned integers, 0 for background.
    geometry : Geometry
        Where they lie.
    segments : tuple of Segment
        What the file says of the values; empty where it says nothing.
    notes : tuple of str
        What was assumed, changed or left out while reading, one sentence each.

    Raises
    ------
    ShapeMismatch
        If the data's shape is not the geometry's.
    """

    data: NDArray[Any]
    geometry: Geometry
    segments: tuple[Segment, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if tuple(self.data.shape) != self.geometry.shape:
            raise ShapeMismatch(
                f"the labels have shape {tuple(self.data.shape)}, their geometry {self.geometry.shape}; "
                "labels need the geometry's (P, R, C)"
            )
