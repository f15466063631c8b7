"""A SAM model as a segmenter: prompts in voxels in, boxed masks out."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_sam.core.ending_view import EndView
from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.window import Window
from napari_sam.engine.embeddings import PlaneEncoder, Timings
from napari_sam.engine.ending_eyes import still_there
from napari_sam.engine.features_at_hand import FeaturesAtHand
from napari_sam.engine.model_prompts import (
    batch_prompts,
    check_request,
    to_model_prompts,
    without_unused_mask,
)
from napari_sam.engine.newest_click import obeying
from napari_sam.engine.questions import Choice, Question
from napari_sam.engine.refining import refine, see
from napari_sam.engine.squares import Square
from napari_sam.engine.stretched import frame_of
from napari_sam.engine.upscaling import above_in_plane
from napari_sam.models.refiner import Refiners, Seen
from napari_sam.models.sam import IMAGE_EMBEDDING, Sam
from napari_sam.store.cache import EmbeddingStore
from napari_sam.zoo.spec import ModelSpec
from volumes import Box, Volume

__all__ = ["SamSegmenter"]

_MAX_AT_ONCE = 32
"""Prompts decoded in one batch."""

_HALF_MAX = float(np.finfo(np.float16).max)


class SamSegmenter:
    """Answers requests with a SAM model; implements `napari_sam.core.segmenter.Segmenter`.

    Each answer has three candidates. A single point may mean a part, an object or a group, so it gets the
    three masks that the model made for ambiguous prompts. Anything more leaves less doubt: candidate 0 is
    then the model's single mask, candidates 1 and 2 the better two of the three, best first. A model without
    a mask for clear prompts (`ModelSpec.single_mask`) gives its three to every prompt.

    A painted mask takes the place of the request's hint; beside points or a box, a model that takes no masks
    is asked without either. All methods may be called from any thread: a prompt
    on a plane whose embedding is at hand does not wait until another plane is encoded.

    Parameters
    ----------
    model : Sam
        In evaluation mode, on `device`.
    spec : ModelSpec
        The model's description.
    weights_sha256 : str
        Digest of its weights.
    store : EmbeddingStore
        Where embeddings are kept.
    device : torch.device
        Where the model is.
    """

    def __init__(
        self, model: Sam, spec: ModelSpec, weights_sha256: str, store: EmbeddingStore, device: torch.device
    ) -> None:
        self._model = model
        self._spec = spec
        self._encoder = PlaneEncoder(model, spec, weights_sha256, store, device)
        self._decoding = threading.Lock()
        self._at_hand = FeaturesAtHand(device)
        self._far_encoder = PlaneEncoder(model, spec, weights_sha256, store, device, afar=True)
        self._far_at_hand = FeaturesAtHand(device)
        self._decode_s = 0.0
        self._n_decoded = 0
        self._refiner = None if spec.refiner is None else spec.refiner().to(device)
        self._eye = None if spec.ending_eye is None else spec.ending_eye().to(device)
        self.weights_sha256 = weights_sha256
        self.device = device

    @property
    def name(self) -> str:
        """The model's name, architecture.tag."""
        return self._spec.name

    @property
    def model(self) -> Sam:
        """The network."""
        return self._model

    @property
    def spec(self) -> ModelSpec:
        """The model's description."""
        return self._spec

    @property
    def prompts(self) -> frozenset[str]:
        """Kinds of prompts that the model can use."""
        return self._spec.prompts

    @property
    def timings(self) -> Timings:
        """Seconds and counts since this segmenter was made."""
        timings, afar = self._encoder.timings, self._far_encoder.timings
        encode_s = timings.encode_s + afar.encode_s
        with self._decoding:
            return replace(timings, encode_s=encode_s, decode_s=self._decode_s, n_decoded=self._n_decoded)

    def segment(self, request: SegmentRequest) -> MaskPrediction:
        """Answer one request.

        Raises
        ------
        InvalidPrompt
            Nothing to go by, a prompt outside the plane, two boxes or two masks, or a hint of another model.
        UnsupportedPrompt
            A kind of prompt that the model cannot use.
        """
        return self.segment_batch([request])[0]

    def segment_many(self, requests: Sequence[SegmentRequest]) -> list[MaskPrediction]:
        """Answer several requests, as `core.segmenter.BatchSegmenter` has it."""
        return self.segment_batch(requests)

    def segment_batch(self, requests: Sequence[SegmentRequest]) -> list[MaskPrediction]:
        """Answer several requests, in their order; those alike are decoded together.

        Those on different planes, or windows of planes, only where the model's embeddings are small.

        Raises
        ------
        InvalidPrompt, UnsupportedPrompt
            As `segment`; the requests' prompts are checked before anything is encoded.
        """
        return self._answers_to(requests)

    def _answers_to(
        self, requests: Sequence[SegmentRequest], closer: bool = False, draws: bool = True
    ) -> list[MaskPrediction]:
        """Answer requests as `segment_batch` does; `closer` says that they are of windows around objects.

        Where nothing is to be drawn, answers have no masks, only logits.
        """
        requests = [without_unused_mask(request, self.prompts) for request in requests]
        for request in requests:
            check_request(request, self.name, self.prompts)
        questions = self._prepare(requests, closer, draws)
        groups: dict[tuple[object, ...], list[int]] = {}
        for number, question in enumerate(questions):
            groups.setdefault(question.group, []).append(number)
        answers: dict[int, MaskPrediction] = {}
        for numbers in groups.values():
            for start in range(0, len(numbers), _MAX_AT_ONCE):
                some = numbers[start : start + _MAX_AT_ONCE]
                answers |= zip(some, self._answer([questions[i] for i in some]), strict=True)
        return [answers[number] for number in range(len(requests))]

    def prefetch(
        self,
        volume: Volume,
        planes: Sequence[PlaneRef],
        window: Window,
        cancel: Cancel | None = None,
        around: Box | None = None,
    ) -> None:
        """Encode planes that no cache holds yet, in order; stops quietly between planes when cancelled.

        Whole planes, wherever the object is expected; where that is not known, from afar as well.
        """
        sees_afar = self._spec.afar and around is None
        encoders = (self._encoder, self._far_encoder) if sees_afar else (self._encoder,)
        n_at_once = self._encoder.n_at_once
        for start in range(0, len(planes), n_at_once):
            if cancel is not None and cancel.requested:
                return
            some = [_plane_uint8(volume, plane, window) for plane in planes[start : start + n_at_once]]
            for encoder in encoders:
                encoder.embeddings(some)

    def is_encoded(self, volume: Volume, plane: PlaneRef, window: Window) -> bool:
        """Say whether a cache holds a plane, so that it need not be encoded before it is asked about."""
        return self._encoder.has(_plane_uint8(volume, plane, window))

    def still_there(self, view: EndView) -> float | None:
        """Look at where an object may have ended, as `core.ending_view.EndTeller` has it."""
        return None if self._eye is None else still_there(self._eye, view)

    def _prepare(self, requests: Sequence[SegmentRequest], closer: bool, draws: bool) -> list[Question]:
        """Find or make each request's embedding, once a plane, and turn its prompts into model pixels."""
        places = [(id(request.volume), request.plane, request.window) for request in requests]
        planes = {
            place: _plane_uint8(request.volume, request.plane, request.window)
            for place, request in dict(zip(places, requests, strict=True)).items()
        }
        found = self._encoder.embeddings(list(planes.values()))
        embeddings = dict(zip(planes, found, strict=True))
        questions = []
        for place, request in zip(places, requests, strict=True):
            embedding = embeddings[place]
            frame = frame_of(self._spec, embedding.plane_hw)
            height, width = embedding.features[IMAGE_EMBEDDING].shape[-2:]
            prompts = to_model_prompts(request, frame, (4 * height, 4 * width), self._spec.max_points)
            questions.append(Question(request, planes[place], embedding, frame, prompts, draws))
        asked = [i for i, q in enumerate(questions) if self._spec.afar and q.prompts.asks_from_afar(closer)]
        afar = self._far_encoder.embeddings([planes[places[i]] for i in asked])
        for i, embedding in zip(asked, afar, strict=True):
            questions[i] = replace(questions[i], afar=embedding)
        return questions

    def _answer(self, questions: Sequence[Question]) -> list[MaskPrediction]:
        """Decode questions of one group, and bring three candidates of each to its plane."""
        started = time.perf_counter()
        with self._decoding, torch.inference_mode():
            points_xy, labels, mask_inputs = batch_prompts([q.prompts for q in questions], self.device)
            features = self._at_hand.of([q.embedding for q in questions])
            afar = [q.afar for q in questions if q.afar is not None]
            features.far = self._far_at_hand.of(afar) if afar else None  # all of a group, or none
            logits, scores, presence = self._model.answer(features, points_xy, labels, mask_inputs)
            all_scores: NDArray[np.float32] = scores.float().cpu().numpy()
            choices = [q.choice(own, self._spec) for q, own in zip(questions, all_scores, strict=True)]
            if self._refiner is not None and questions[0].is_refined:  # or none of a group
                logits, scores = self._refined(self._refiner, questions, choices, logits, scores)
                all_scores = scores.cpu().numpy()
            there = torch.ones(len(questions)) if presence is None else presence.float().sigmoid()
            answers = [
                _tidied(
                    _prediction(question, choice, logits[row].float(), all_scores[row], float(there[row])),
                    question.request,
                    self._spec.tidy,
                )
                for row, (question, choice) in enumerate(zip(questions, choices, strict=True))
            ]
            self._n_decoded += len(questions)
            self._decode_s += time.perf_counter() - started
        return answers

    def _refined(
        self,
        refiner: Refiners,
        questions: Sequence[Question],
        choices: Sequence[Choice],
        logits: Tensor,
        scores: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Draw the answers anew: ``logits (N, 4, 4h, 4w)`` and ``scores (N, 4)`` with those."""
        rows = torch.arange(len(questions), device=logits.device)
        order = torch.tensor([choice.in_order for choice in choices], device=logits.device)
        candidates, known = logits[rows[:, None], order].float(), scores.gather(1, order).float()
        squares, seen = self._seen(questions, candidates, known)
        drawn, likely = refine(refiner, squares, seen, candidates[:, 0])
        drawn = obeying(drawn, [q.frame for q in questions], [q.prompts for q in questions])
        return (
            logits.float().index_put((rows, order[:, 0]), drawn),
            scores.float().index_put((rows, order[:, 0]), likely),
        )

    def _seen(
        self, questions: Sequence[Question], candidates: Tensor, scores: Tensor
    ) -> tuple[list[Square], Seen]:
        """Say where the refiner looks, and what it sees there."""
        asked = [question.prompts for question in questions]
        planes, frames = [question.plane for question in questions], [q.frame for q in questions]
        return see(planes, frames, asked, candidates, scores)


def _prediction(
    question: Question, choice: Choice, logits: Tensor, scores: NDArray[np.float32], presence: float
) -> MaskPrediction:
    """Make an answer of one prompt's ``logits (4, 4h, 4w)`` and ``scores (4,)``."""
    plane, frame, kept = question.request.plane, question.frame, list(choice.kept)
    low_logits = logits[kept].cpu()
    parts = (above_in_plane(frame, low, 0.0) for low in low_logits if question.draws)
    masks = tuple(BoxedMask.of_part(part > 0, plane, (row0, col0)) for part, row0, col0 in parts)
    hints = frame.to_hint(low_logits).clamp(-_HALF_MAX, _HALF_MAX).half().numpy()
    return MaskPrediction(plane, masks, scores[kept], hints, preferred=choice.preferred, presence=presence)


def _tidied(answer: MaskPrediction, request: SegmentRequest, least: float) -> MaskPrediction:
    """Take specks and small holes off the masks, but for those that a person clicked on."""
    if not least:
        return answer
    clicked = [prompt.at for prompt in request.prompts if isinstance(prompt, PointPrompt)]
    return replace(answer, masks=tuple(mask.without_specks(least, clicked) for mask in answer.masks))


def _plane_uint8(volume: Volume, plane: PlaneRef, window: Window) -> NDArray[np.uint8]:
    return window.to_uint8(np.asarray(plane.take(volume.data)))
