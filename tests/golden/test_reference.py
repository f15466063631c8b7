"""Our networks, and the way to them and back, against stored answers of the reference implementations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt, Prompt
from napari_sam.core.segmenter import SegmentRequest
from napari_sam.core.window import Window
from napari_sam.engine.frame import Frame
from napari_sam.engine.sam_segmenter import SamSegmenter
from napari_sam.engine.stretched import frame_of
from napari_sam.models.sam import Sam
from napari_sam.store.cache import EmbeddingStore
from napari_sam.zoo.spec import ModelSpec
from tests.golden.recipe import CASES, PICTURES, SIZES, Case, cases_of, mask_input, picture, sampled
from tests.golden.small_models import small_model, small_spec
from volumes import Geometry, Provenance, Volume

TOLERANCE = 1e-4
PLANE = PlaneRef(0, 0)
HALF_STEP = 0.15
"""The segmenter keeps embeddings in half precision; logits nearer to 0 than this may change their sign."""

EACH = [(family, name) for family in SIZES for name in cases_of(family)]


@dataclass(frozen=True)
class Subject:
    """A family's small model, and what its reference answered."""

    model: Sam
    spec: ModelSpec
    expected: dict[str, NDArray[np.generic]]


@cache
def subject_of(family: str) -> Subject:
    with np.load(Path(__file__).parent / f"{family}.npz") as file:
        return Subject(small_model(family), small_spec(family), dict(file))


@cache
def encoded(family: str, picture_name: str) -> tuple[Frame, dict[str, Tensor]]:
    subject, plane = subject_of(family), picture(picture_name, *PICTURES[picture_name])
    frame = frame_of(subject.spec, plane.shape[:2])
    with torch.inference_mode():
        pixels = frame.pixels(plane, subject.spec.mean, subject.spec.std)
        return frame, subject.model.encode(pixels[None])


def difference(found: Tensor | NDArray[np.generic], expected: NDArray[np.generic]) -> float:
    thinned = sampled(found) if np.shape(found) != expected.shape else np.asarray(found)
    assert thinned.shape == expected.shape
    return float(np.abs(thinned - expected).max(initial=0))


def prompts_of(case: Case, frame: Frame) -> tuple[Tensor, Tensor]:
    """Points, then the corners of the box, in model pixels: ``(N, K, 2)`` and labels ``(N, K)``."""
    n_prompts = max(len(case.points), len(case.boxes), 1)
    xy: list[list[tuple[float, float]]] = [[] for _ in range(n_prompts)]
    labels: list[list[int]] = [[] for _ in range(n_prompts)]
    for i, points in enumerate(case.points):
        xy[i] += [frame.to_model_xy((row, column)) for row, column, _ in points]
        labels[i] += [int(positive) for *_, positive in points]
    for i, box in enumerate(case.boxes):
        xy[i] += frame.corners_xy(box)
        labels[i] += [2, 3]
    return torch.tensor(xy).reshape(n_prompts, -1, 2), torch.tensor(labels, dtype=torch.long)


@pytest.mark.parametrize("family", SIZES)
def test_image_embedding(family: str) -> None:
    for name in {picture_name for picture_name, _ in cases_of(family).values()}:
        _, features = encoded(family, name)
        expected = subject_of(family).expected[f"{name}/embedding"]
        assert expected.std() > 0.1
        assert difference(features["image_embedding"], expected) <= TOLERANCE


@pytest.mark.parametrize(("family", "name"), EACH)
def test_from_prompts_to_logits_on_the_picture(family: str, name: str) -> None:
    subject, (picture_name, case) = subject_of(family), CASES[name]
    expected = {stage: subject.expected[f"{name}/{stage}"] for stage in ("sparse", "low", "scores", "full")}
    frame, features = encoded(family, picture_name)
    side, grid_hw = subject.spec.side, features["image_embedding"].shape[-2:]
    points_xy, labels = prompts_of(case, frame)
    mask = torch.from_numpy(mask_input(side // 4))[None, None] if case.with_mask else None
    encoder = subject.model.prompt_encoder
    with torch.inference_mode():
        assert difference(encoder.sparse(points_xy, labels, (side, side)), expected["sparse"]) <= TOLERANCE
        if not family.startswith("efficient"):
            dense = encoder.dense(mask, len(points_xy), grid_hw)
            assert difference(dense, subject.expected[f"{name}/dense"]) <= TOLERANCE
        logits, scores, _ = subject.model.decode_all(features, points_xy, labels, mask)
        full = torch.stack([frame.plane_logits(each) for each in logits])
    assert min(expected["low"].std(), expected["full"].std()) > 0.1
    assert difference(logits, expected["low"]) <= TOLERANCE
    assert difference(scores, expected["scores"]) <= TOLERANCE
    assert difference(full, expected["full"]) <= TOLERANCE
    theirs = np.unpackbits(subject.expected[f"{name}/mask"], count=full.numel()).reshape(full.shape) > 0
    assert 0 < theirs.sum() < theirs.size
    assert not ((full.numpy() > 0) != theirs)[np.abs(full.numpy()) > TOLERANCE].any()


@pytest.mark.parametrize(("family", "name"), EACH)
def test_masks_of_the_segmenter(family: str, name: str, tmp_path: Path) -> None:
    subject, (picture_name, case) = subject_of(family), CASES[name]
    plane = picture(picture_name, *PICTURES[picture_name])
    volume = Volume(plane[None], Geometry.from_spacing((1, *plane.shape[:2])), Provenance("golden"))
    hint = mask_input(subject.spec.side // 4) if case.with_mask else None
    store = EmbeddingStore(tmp_path, 2**26, 0)
    segmenter = SamSegmenter(subject.model, subject.spec, "5" * 64, store, torch.device("cpu"))
    requests = [
        SegmentRequest(volume, PLANE, Window(0, 255), _prompts(case, i), hint=hint)
        for i in range(max(len(case.points), len(case.boxes), 1))
    ]
    answers = segmenter.segment_batch(requests)
    frame, features = encoded(family, picture_name)
    with torch.inference_mode():
        low = subject.model.decode_all(features, *prompts_of(case, frame), _as_input(hint)).mask_logits
    shape = (len(answers), 4, *plane.shape[:2])
    theirs = np.unpackbits(subject.expected[f"{name}/mask"], count=int(np.prod(shape))).reshape(shape) > 0
    scores = subject.expected[f"{name}/scores"]
    for i, answer in enumerate(answers):
        order = [int(np.abs(scores[i] - score).argmin()) for score in answer.scores]
        assert np.abs(scores[i, order] - answer.scores).max() < 0.02
        unsure = frame.plane_logits(low[i, order]).abs().numpy() < HALF_STEP
        masks = np.stack([mask.to_plane(PLANE, volume.shape) for mask in answer.masks])
        assert not ((masks != theirs[i, order]) & ~unsure).any()


def _prompts(case: Case, number: int) -> tuple[Prompt, ...]:
    points = case.points[number] if case.points else ()
    boxes = case.boxes[number : number + 1]
    return (
        *(PointPrompt((0.0, row, column), positive) for row, column, positive in points),
        *(BoxPrompt(PLANE.box_of(box)) for box in boxes),
    )


def _as_input(hint: NDArray[np.float32] | None) -> Tensor | None:
    return None if hint is None else torch.from_numpy(hint)[None, None]
