"""Run lengths of masks in the form of COCO: plain counts, and the same counts as a short string.

Pixels are counted down the columns, one column after the other: how many are outside before the first one
inside, how many are inside then, how many outside, and so on. The first count is 0 where the mask starts
inside. The format is described with the COCO data set (Lin et al., "Microsoft COCO: Common objects in
context", 2014).

The string holds each count as a number of base 32, lowest digit first, one character a digit: 48 plus the
digit, plus 32 where more digits follow. From the fourth count on it is the difference to the count two
places before that is written; the highest bit of the last digit is then the sign, as in two's complement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from volumes.errors import InvalidLabels

__all__ = ["RunLengths", "counts_to_text", "text_to_counts"]

_DIGIT_BITS, _FIRST_CHARACTER = 5, 48
_MORE, _SIGN = 1 << _DIGIT_BITS, 1 << (_DIGIT_BITS - 1)
_LONGEST_BITS = 64
_N_PLAIN = 3
"""So many counts at the start of a string are written as they are."""


@dataclass(frozen=True)
class RunLengths:
    """A mask as run lengths.

    Parameters
    ----------
    size_hw : tuple of int
        Height and width of the mask.
    counts : tuple of int
        Lengths of the runs down the columns, outside and inside in turn, outside first.

    Raises
    ------
    InvalidLabels
        A negative size or count, or counts that do not add up to the mask's pixels.
    """

    size_hw: tuple[int, int]
    counts: tuple[int, ...]
    error: ClassVar[type[ValueError]] = InvalidLabels
    """What is raised; a package with errors of its own puts one of them here."""

    def __post_init__(self) -> None:
        height, width = self.size_hw
        if min(height, width) < 0 or min(self.counts, default=0) < 0 or sum(self.counts) != height * width:
            raise self.error(
                f"{len(self.counts)} run lengths with the sum {sum(self.counts)} do not make a mask of "
                f"{height} x {width} pixels; give lengths from 0 that add up to {height * width}"
            )

    @classmethod
    def of_mask(cls, mask: NDArray[np.bool_]) -> Self:
        """Count the runs of a mask.

        Parameters
        ----------
        mask : NDArray[bool], shape (H, W)

        Raises
        ------
        InvalidLabels
            No two axes, or no booleans.
        """
        if mask.ndim != 2 or mask.dtype != np.bool_:
            raise cls.error(
                f"a mask of {mask.dtype} with shape {mask.shape} has no run lengths; give booleans (H, W)"
            )
        size_hw = (mask.shape[0], mask.shape[1])
        if mask.size == 0:
            return cls(size_hw, ())
        flat = mask.ravel(order="F")
        changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        counts = np.diff(changes, prepend=0, append=flat.size).tolist()
        return cls(size_hw, (0, *counts) if flat[0] else tuple(counts))

    def to_mask(self) -> NDArray[np.bool_]:
        """Draw the mask again: booleans of shape `size_hw`."""
        is_inside = np.arange(len(self.counts)) % 2 == 1
        flat = np.repeat(is_inside, np.asarray(self.counts, dtype=np.intp))
        return np.ascontiguousarray(flat.reshape(self.size_hw, order="F"))

    @property
    def area(self) -> int:
        """Number of pixels inside."""
        return sum(self.counts[1::2])

    def to_coco(self, *, compressed: bool = True) -> dict[str, Any]:
        """Give ``{"size": [H, W], "counts": …}`` for JSON, the counts as a string or as a list."""
        counts = counts_to_text(self.counts) if compressed else list(self.counts)
        return {"size": list(self.size_hw), "counts": counts}

    @classmethod
    def from_coco(cls, record: Mapping[str, Any]) -> Self:
        """Take what `to_coco` gives, or what other programs write in that form.

        Raises
        ------
        InvalidLabels
            Entries that are missing, of another kind, or do not fit each other.
        """
        try:
            height, width = (int(n) for n in record["size"])
            given = record["counts"]
            given = given.decode("ascii") if isinstance(given, bytes) else given
            counts = text_to_counts(given) if isinstance(given, str) else tuple(int(n) for n in given)
        except InvalidLabels as error:
            raise cls.error(str(error)) from error
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise cls.error(
                f'no run lengths in {str(record)[:60]!r}; give {{"size": [H, W], "counts": …}}'
            ) from error
        return cls((height, width), counts)


def counts_to_text(counts: Sequence[int]) -> str:
    """Write counts as COCO's short string."""
    characters: list[str] = []
    for place, count in enumerate(counts):
        rest = int(count) - (int(counts[place - 2]) if place >= _N_PLAIN else 0)
        is_done = False
        while not is_done:
            digit = rest & (_MORE - 1)
            rest >>= _DIGIT_BITS
            is_done = rest == (-1 if digit & _SIGN else 0)
            characters.append(chr(_FIRST_CHARACTER + digit + (0 if is_done else _MORE)))
    return "".join(characters)


def text_to_counts(text: str) -> tuple[int, ...]:
    """Read COCO's short string.

    Raises
    ------
    InvalidLabels
        A character that the form does not know, or a string that ends within a number.
    """
    counts: list[int] = []
    value, shift = 0, 0
    for character in text:
        code = ord(character) - _FIRST_CHARACTER
        if not 0 <= code < 2 * _MORE:
            raise InvalidLabels(
                f"{character!r} is no character of compressed run lengths; give COCO's own string"
            )
        value |= (code & (_MORE - 1)) << shift
        shift += _DIGIT_BITS
        if shift > _LONGEST_BITS:
            raise InvalidLabels(f"run lengths hold a number of {shift} bits; give COCO's own string")
        if code & _MORE:
            continue
        if code & _SIGN:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) >= _N_PLAIN else 0))
        value, shift = 0, 0
    if shift:
        raise InvalidLabels(f"run lengths end within a number: {text[-20:]!r}; give the whole string")
    return tuple(counts)
