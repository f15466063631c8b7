"""What core asks of a model: the request, the answer, and the protocols that models implement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import Prompt
from napari_sam.core.window import Window
from volumes import Box, Volume

__all__ = [
    "BatchSegmenter",
    "GlancingSegmenter",
    "MaskPrediction",
    "Propagator",
    "SegmentRequest",
    "Segmenter",
    "answers_of",
    "glance_of",
    "segment_all",
]


@dataclass(frozen=True, eq=False)
class SegmentRequest:
    """One question to a model: which object these prompts mean in this plane.

    Parameters
    ----------
    volume : Volume
        The volume that the plane is taken from.
    plane : PlaneRef
        The plane to segment; every prompt lies in it.
    window : Window
        The volume's one intensity window.
    prompts : tuple[Prompt, ...]
        At most one box and one mask, any number of points.
    object_id : int
        The object's label value.
    hint : NDArray or None, shape (h, w)
        Low-resolution logits of an earlier answer, as in `MaskPrediction.hints`, used as mask prompt.
    generation : int
        Which answer is newest; see `Session.apply`.
    is_followed : bool
        Whether nobody showed the object in this plane: the prompts come from planes nearby, and many planes
        are asked.
    """

    volume: Volume
    plane: PlaneRef
    window: Window
    prompts: tuple[Prompt, ...]
    object_id: int = 1
    hint: NDArray[np.floating] | None = None
    generation: int = 0
    is_followed: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, eq=False)
class MaskPrediction:
    """A model's answer for one plane.

    Parameters
    ----------
    plane : PlaneRef
        The plane that was segmented.
    masks : tuple[BoxedMask, ...]
        The candidates (three for SAM models) cut to their tight boxes; a candidate may be empty.
    scores : NDArray[float32], shape (n_candidates,)
        Predicted IoU of each candidate.
    hints : NDArray[float16], shape (n_candidates, h, w)
        Low-resolution logits of each candidate, in the model's own frame.
    preferred : int or None
        The candidate that the segmenter itself would take, where that is not the one with the highest score.
    presence : float
        Probability that the object is in this plane at all; 1 from models that do not say.
    is_glance : bool
        Whether this is a plainer answer that came first; see `GlancingSegmenter`.
    """

    plane: PlaneRef
    masks: tuple[BoxedMask, ...]
    scores: NDArray[np.float32]
    hints: NDArray[np.float16]
    preferred: int | None = field(default=None, kw_only=True)
    presence: float = field(default=1.0, kw_only=True)
    is_glance: bool = field(default=False, kw_only=True)

    @property
    def best(self) -> int:
        """Index of the candidate to take: the preferred one, or the one with the highest score."""
        return int(np.argmax(self.scores)) if self.preferred is None else self.preferred


@runtime_checkable
class Segmenter(Protocol):
    """A model that segments one plane from prompts; it keeps no state that the caller could see."""

    @property
    def name(self) -> str:
        """The model's name, architecture.tag."""
        ...

    @property
    def prompts(self) -> frozenset[str]:
        """Kinds of prompts that the model can use, of ``"point"``, ``"box"`` and ``"mask"``."""
        ...

    def segment(self, request: SegmentRequest) -> MaskPrediction:
        """Answer one request.

        Raises
        ------
        UnsupportedPrompt
            A kind of prompt that is not in `prompts`.
        """
        ...

    def prefetch(
        self,
        volume: Volume,
        planes: Sequence[PlaneRef],
        window: Window,
        cancel: Cancel | None = None,
        around: Box | None = None,
    ) -> None:
        """Prepare planes that will be asked for soon; stops quietly when cancelled.

        Parameters
        ----------
        volume, planes, window
            What will be asked.
        cancel : Cancel, optional
            Asked between planes.
        around : Box, optional
            Where in its plane the object is expected; its extent along the planes' axis says nothing.
        """
        ...


@runtime_checkable
class BatchSegmenter(Protocol):
    """A segmenter that answers several requests faster than one after the other."""

    def segment_many(self, requests: Sequence[SegmentRequest]) -> list[MaskPrediction]:
        """Answer requests for one or a few planes, in their order, each as `Segmenter.segment` would.

        Raises
        ------
        UnsupportedPrompt
            As `Segmenter.segment`, for any of them.
        """
        ...


def segment_all(segmenter: Segmenter, requests: Sequence[SegmentRequest]) -> list[MaskPrediction]:
    """Answer several requests: together where the segmenter can, else one by one."""
    if len(requests) > 1 and isinstance(segmenter, BatchSegmenter):
        return segmenter.segment_many(requests)
    return [segmenter.segment(request) for request in requests]


@runtime_checkable
class GlancingSegmenter(Protocol):
    """A segmenter that may take a while on a prepared plane, too, and has a plainer answer at once."""

    def glance(self, request: SegmentRequest) -> MaskPrediction:
        """Give the plainer answer, a glance, whatever is prepared: the same one for the same request.

        Raises
        ------
        UnsupportedPrompt
            As `Segmenter.segment`.
        """
        ...

    def answers(self, request: SegmentRequest) -> Iterator[MaskPrediction]:
        """Yield a glance where the full answer would take longer, then the answer of `Segmenter.segment`.

        Each may be taken on another thread.

        Raises
        ------
        UnsupportedPrompt
            As `Segmenter.segment`, when the first is taken.
        """
        ...


def answers_of(segmenter: Segmenter, request: SegmentRequest) -> Iterator[MaskPrediction]:
    """Yield a segmenter's answers to a request, of which the last one counts; nothing is asked before."""
    if isinstance(segmenter, GlancingSegmenter):
        yield from segmenter.answers(request)
    else:
        yield segmenter.segment(request)


def glance_of(segmenter: Segmenter, request: SegmentRequest) -> MaskPrediction:
    """Give a segmenter's glance at a request; its answer where it does not glance."""
    if isinstance(segmenter, GlancingSegmenter):
        return segmenter.glance(request)
    return segmenter.segment(request)


@runtime_checkable
class Propagator(Protocol):
    """A model with a memory of its own, which follows an object through planes.

    It takes a segmenter's place where an object is followed. It is asked once for each direction from each
    anchor; the engine judges each answer, and stops asking where the object is lost. A model that answers
    single prompts as well is a `Segmenter`, too.
    """

    def propagate(
        self, request: SegmentRequest, planes: Sequence[PlaneRef], cancel: Cancel | None = None
    ) -> Iterator[MaskPrediction]:
        """Yield one prediction for each plane, in order, starting from the request's plane.

        Parameters
        ----------
        request : SegmentRequest
            The anchor: its mask as a `MaskPrompt`, and its logits where a model gave them.
        planes : sequence of PlaneRef
            The request's plane first, then its neighbours in one direction.
        cancel : Cancel, optional
            Looked at before each plane; raise `Cancelled`.

        Yields
        ------
        MaskPrediction
            One for each of `planes`. The caller may stop early: nothing after the last one it took counts.
        """
        ...
