"""A request with what the model needs to answer it, and which of its masks are taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.segmenter import SegmentRequest
from napari_sam.engine.features_at_hand import batch_place
from napari_sam.engine.frame import Frame
from napari_sam.engine.model_prompts import ModelPrompts
from napari_sam.store.embeddings import Embedding
from napari_sam.zoo.spec import ModelSpec

__all__ = ["Choice", "Question", "choose_candidates"]


@dataclass(frozen=True, eq=False)
class Question:
    """A request with what the model needs to answer it.

    Attributes
    ----------
    request : SegmentRequest
        What is asked.
    plane : NDArray[uint8], shape (H, W) or (H, W, 3)
        The plane after the window.
    embedding : Embedding
        Of the plane.
    frame : Frame
        How the plane lies in the model's input.
    prompts : ModelPrompts
        In pixels of that input.
    draws : bool
        Whether masks are wanted, not logits alone.
    afar : Embedding or None
        Of the plane seen from afar, where that is asked as well.
    """

    request: SegmentRequest
    plane: NDArray[np.uint8]
    embedding: Embedding
    frame: Frame
    prompts: ModelPrompts
    draws: bool
    afar: Embedding | None = None

    @property
    def group(self) -> tuple[object, ...]:
        """Questions with the same value are decoded in one batch."""
        return (batch_place(self.embedding), self.is_refined, *self.prompts.kind)

    @property
    def is_refined(self) -> bool:
        """Whether a refiner, where there is one, is asked as well: where a person drew a box or clicked.

        Boxes of planes that are followed are guesses, and films that are followed by them gain nothing. Of a
        part of an outline, not all is seen that the clicks were about.
        """
        return self.draws and not self.request.is_followed and self.prompts.can_be_refined

    def choice(self, scores: NDArray[np.float32], spec: ModelSpec) -> Choice:
        """Choose among a decoder's four masks by their ``scores (4,)``."""
        three = self.prompts.is_ambiguous or not spec.single_mask
        kept = choose_candidates(scores, three)
        if three:
            likeliest = np.argsort(-scores[list(kept)], kind="stable")
            return Choice(kept, None, [kept[i] for i in likeliest])
        leads = self.prompts.leaves_doubt and bool(scores[kept[1]] > scores[0] + spec.lead)
        first = kept[int(leads)]
        return Choice(kept, int(leads), [first, *(mask for mask in kept if mask != first)])


@dataclass(frozen=True)
class Choice:
    """Three of a decoder's four masks.

    Attributes
    ----------
    kept : tuple of int
        Which three.
    preferred : int or None
        Which of them is the answer; None for the likeliest.
    in_order : list of int
        The three, the answer first.
    """

    kept: tuple[int, int, int]
    preferred: int | None
    in_order: list[int]


def choose_candidates(scores: NDArray[np.float32], is_ambiguous: bool) -> tuple[int, int, int]:
    """Choose three of a decoder's four masks, and their order.

    Parameters
    ----------
    scores : NDArray[float32], shape (4,)
        Predicted IoU; index 0 is the single mask, 1 to 3 the masks for ambiguous prompts.
    is_ambiguous : bool
        Whether a single point is all there is.

    Returns
    -------
    tuple of int
        Indices into `scores`: the three in the model's own order, or the single mask and the better two.
    """
    if is_ambiguous:
        return 1, 2, 3
    second, third = (1 + int(i) for i in np.argsort(-scores[1:], kind="stable")[:2])
    return 0, second, third
