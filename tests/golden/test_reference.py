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

from benchmarks._answers import Answer, Ask, Asked, ours
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt, Prompt
from napari_sam.core.segmenter import SegmentRequest
from napari_sam.core.window import Window
from napari_sam.engine.sam_segmenter import SamSegmenter
from napari_sam.models.sam import Sam
from napari_sam.store.cache import EmbeddingStore
from napari_sam.zoo.spec import ModelSpec
from tests.golden.recipe import CASES, PICTURES, SIZES, cases_of, mask_input, picture, sampled
from tests.golden.small_models import small_model, small_spec
from volumes import Geometry, Provenance, Volume

TOLERANCE = 1e-4
PLANE = PlaneRef(0, 0)
HALF_STEP = 0.02
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
def shown(family: str, picture_name: str) -> Ask:
    subject = subject_of(family)
    return ours(subject.model, subject.spec, picture(picture_name, *PICTURES[picture_name]))


@cache
def answer_of(family: str, name: str) -> Answer:
    picture_name, asked = CASES[name]
    given = mask_input(SIZES[family].side // 4) if asked.with_mask else None
    return shown(family, picture_name)(asked, given)


def difference(found: Tensor, expected: NDArray[np.generic]) -> float:
    thinned = found.numpy() if found.shape == expected.shape else sampled(found)
    assert thinned.shape == expected.shape
    return float(np.abs(thinned - expected).max(initial=0))


@pytest.mark.parametrize(("family", "name"), EACH)
def test_every_stage(family: str, name: str) -> None:
    expected, answer = subject_of(family).expected, answer_of(family, name)
    for stage, found in answer.items():
        theirs = expected[f"{CASES[name][0] if stage == 'embedding' else name}/{stage}"]
        assert difference(found, theirs) <= TOLERANCE, stage
        assert stage in ("sparse", "dense", "scores") or theirs.std() > 0.1


@pytest.mark.parametrize(("family", "name"), EACH)
def test_masks_on_the_picture(family: str, name: str) -> None:
    full = answer_of(family, name)["full"].numpy()
    theirs = masks_of(family, name, full.shape)
    assert 0 < theirs.sum() < theirs.size
    assert not ((full > 0) != theirs)[np.abs(full) > TOLERANCE].any()


def masks_of(family: str, name: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Give the reference's masks ``(N, 4, H, W)``."""
    bits = subject_of(family).expected[f"{name}/mask"]
    return np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape) > 0


@pytest.mark.parametrize(("family", "name"), EACH)
def test_masks_of_the_segmenter(family: str, name: str, tmp_path: Path) -> None:
    subject, (picture_name, asked) = subject_of(family), CASES[name]
    plane = picture(picture_name, *PICTURES[picture_name])
    volume = Volume(plane[None], Geometry.from_spacing((1, *plane.shape[:2])), Provenance("golden"))
    hint = mask_input(subject.spec.side // 4)[0, 0].numpy() if asked.with_mask else None
    store = EmbeddingStore(tmp_path, 2**26, 0)
    segmenter = SamSegmenter(subject.model, subject.spec, "5" * 64, store, torch.device("cpu"))
    requests = [
        SegmentRequest(volume, PLANE, Window(0, 255), _prompts(asked, i), hint=hint)
        for i in range(asked.n_prompts)
    ]
    full = answer_of(family, name)["full"].numpy()
    theirs, scores = masks_of(family, name, full.shape), subject.expected[f"{name}/scores"]
    for i, answer in enumerate(segmenter.segment_batch(requests)):
        order = [int(np.abs(scores[i] - score).argmin()) for score in answer.scores]
        assert np.abs(scores[i, order] - answer.scores).max() < 0.01
        masks = np.stack([mask.to_plane(PLANE, volume.shape) for mask in answer.masks])
        sure = np.abs(full[i, order]) > HALF_STEP
        assert sure.mean() > 0.9
        assert not (masks != theirs[i, order])[sure].any()


def _prompts(asked: Asked, number: int) -> tuple[Prompt, ...]:
    points = asked.points[number] if asked.points else ()
    boxes = asked.boxes[number : number + 1]
    return (
        *(PointPrompt((0.0, row, column), positive) for row, column, positive in points),
        *(BoxPrompt(PLANE.box_of(box)) for box in boxes),
    )
