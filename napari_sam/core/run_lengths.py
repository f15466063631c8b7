"""Run lengths of masks in the form of COCO, as `volumes.run_lengths` has them, with this package's error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import volumes.run_lengths
from napari_sam.errors import InvalidRunLengths
from volumes import InvalidLabels
from volumes.run_lengths import counts_to_text

__all__ = ["RunLengths", "counts_to_text", "text_to_counts"]


@dataclass(frozen=True)
class RunLengths(volumes.run_lengths.RunLengths):
    """A mask as run lengths: `volumes.run_lengths.RunLengths` that raises `InvalidRunLengths`."""

    error: ClassVar[type[ValueError]] = InvalidRunLengths


def text_to_counts(text: str) -> tuple[int, ...]:
    """Read COCO's short string.

    Raises
    ------
    InvalidRunLengths
        A character that the form does not know, or a string that ends within a number.
    """
    try:
        return volumes.run_lengths.text_to_counts(text)
    except InvalidLabels as error:
        raise InvalidRunLengths(str(error)) from error
