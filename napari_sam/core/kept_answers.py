"""A model's answers as a session keeps them: whole, in a fraction of the room.

Undo brings back the candidates and the logits of each answer, so none may be lost; and a history has a
thousand steps. The logits of three candidates take 220 kB, the masks of a large organ as much again.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.segmenter import MaskPrediction
from volumes import Box

__all__ = ["KeptAnswer", "PackedArray"]

_LEVEL = 1
"""zlib's fastest: a third of the room in a millisecond, and higher levels gain little."""


@dataclass(frozen=True)
class PackedArray:
    """An array of any shape, compressed without loss.

    Parameters
    ----------
    shape : tuple of int
        The array's shape.
    dtype : dtype
        Its type.
    packed : bytes
        Its values in C order, all first bytes before all second bytes and so on, through zlib: high bytes of
        neighbours are alike.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    packed: bytes

    @classmethod
    def of(cls, array: NDArray[Any]) -> PackedArray:
        """Pack an array; equal arrays of one type are packed alike."""
        values = np.frombuffer(array.tobytes(), np.uint8).reshape(-1, array.dtype.itemsize)
        return cls(array.shape, array.dtype, zlib.compress(values.T.tobytes(), _LEVEL))

    def to_array(self) -> NDArray[Any]:
        """Unpack; a new array each time."""
        values = np.frombuffer(zlib.decompress(self.packed), np.uint8).reshape(self.dtype.itemsize, -1)
        return np.frombuffer(values.T.tobytes(), self.dtype).reshape(self.shape).copy()


@dataclass(frozen=True, eq=False)
class KeptAnswer:
    """A `MaskPrediction`, packed.

    Parameters
    ----------
    plane : PlaneRef
        The plane that was segmented.
    masks : tuple of (Box, PackedArray)
        Each candidate's box, and its bits.
    scores : NDArray[float32], shape (n_candidates,)
        Predicted IoU of each candidate.
    hints : tuple of PackedArray
        Low-resolution logits of each candidate; none where only the mask that was taken is left.
    preferred : int or None
        As in `MaskPrediction`.
    presence : float
        As in `MaskPrediction`.
    """

    plane: PlaneRef
    masks: tuple[tuple[Box, PackedArray], ...]
    scores: NDArray[np.float32]
    hints: tuple[PackedArray, ...]
    preferred: int | None
    presence: float

    @classmethod
    def of(cls, answer: MaskPrediction) -> KeptAnswer:
        """Pack an answer."""
        masks = tuple((mask.box, PackedArray.of(mask.bits)) for mask in answer.masks)
        hints = tuple(PackedArray.of(hint) for hint in answer.hints)
        return cls(answer.plane, masks, answer.scores, hints, answer.preferred, answer.presence)

    @classmethod
    def of_mask(cls, plane: PlaneRef, mask: BoxedMask, taken: int, score: float) -> KeptAnswer:
        """Keep what a session on disk has of an answer: the mask of the candidate that was taken.

        The candidates before it are empty, so that it counts as it did.
        """
        nothing = Box(mask.box.start, mask.box.start), PackedArray.of(np.zeros((0, 0, 0), np.bool_))
        masks = (*(nothing for _ in range(taken)), (mask.box, PackedArray.of(mask.bits)))
        scores = np.array([0.0] * taken + [score], np.float32)
        return cls(plane, masks, scores, (), taken, 1.0)

    @property
    def best(self) -> int:
        """Index of the candidate to take when nobody chose one."""
        return int(np.argmax(self.scores)) if self.preferred is None else self.preferred

    def mask(self, candidate: int) -> BoxedMask:
        """Unpack a candidate's mask."""
        box, bits = self.masks[candidate]
        return BoxedMask(box, bits.to_array())

    def next_after(self, taken: int) -> int | None:
        """Return the candidate to show after one, over again after the last; None where there is none.

        Empty ones are left out, and those with the same mask.
        """
        n = len(self.masks)
        order = ((taken + step) % n for step in range(1, n))
        shown = self.masks[taken]
        return next((k for k in order if not self.masks[k][0].is_empty and self.masks[k] != shown), None)

    def to_prediction(self) -> MaskPrediction:
        """Unpack the answer as it was."""
        return MaskPrediction(
            self.plane,
            tuple(self.mask(k) for k in range(len(self.masks))),
            self.scores,
            np.stack([hint.to_array() for hint in self.hints]),
            preferred=self.preferred,
            presence=self.presence,
        )
