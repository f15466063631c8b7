"""Planes seen from afar: kept and found again, alike alone and in company, and worth it for large objects."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt
from napari_sam.core.scores import mask_iou
from napari_sam.engine.model_prompts import MAX_CLICKS_FROM_AFAR, ModelPrompts
from napari_sam.engine.sam_segmenter import SamSegmenter
from napari_sam.models.prompt_encoder import BOX_FIRST, BOX_SECOND, POSITIVE
from napari_sam.store.cache import EmbeddingStore
from tests.engine.asking import PLANE, WINDOW, ask, same
from volumes import Geometry, Provenance, Volume

HW = (256, 320)
ABOVE = PlaneRef(0, 2)
AROUND = 28, 50, 228, 270
BOX = BoxPrompt(PLANE.box_of(AROUND))
POINT = PointPrompt((1, 128, 160), True)


def large_thing() -> tuple[np.ndarray, np.ndarray]:
    """A blotched ellipse on a blotched ground, and where it is."""
    rows, cols = np.ogrid[: HW[0], : HW[1]]
    inside = ((rows - 127.5) / 100) ** 2 + ((cols - 159.5) / 110) ** 2 <= 1
    rng = np.random.default_rng(7)
    blotches = sum(
        amount * ndimage.gaussian_filter(rng.standard_normal(HW), size) * size
        for amount, size in ((60, 12), (30, 4), (15, 1))
    )
    return (115 + 22 * inside + blotches).clip(0, 255).astype(np.uint8), inside


@pytest.fixture(scope="module")
def volume() -> Volume:
    picture, _ = large_thing()
    return Volume(np.stack([picture] * 3), Geometry.from_spacing((3, *HW)), Provenance("test"))


@pytest.mark.parametrize(
    ("n_clicks", "box", "mask", "closer", "asked"),
    [
        (0, True, False, False, True),
        (1, True, False, True, True),
        (1, False, False, False, True),
        (MAX_CLICKS_FROM_AFAR, False, True, False, True),
        (MAX_CLICKS_FROM_AFAR + 1, False, True, False, False),
        (MAX_CLICKS_FROM_AFAR + 1, True, False, False, False),
        (1, False, False, True, False),
        (2, False, True, True, False),
        (0, True, True, False, False),
        (1, True, True, False, False),
    ],
)
def test_prompts_that_say_how_large_the_object_is_are_not_asked_from_afar(
    n_clicks: int, box: bool, mask: bool, closer: bool, asked: bool
) -> None:
    labels = (POSITIVE,) * n_clicks + (BOX_FIRST, BOX_SECOND) * box
    prompts = ModelPrompts(((0.0, 0.0),) * len(labels), labels, torch.zeros(4, 4) if mask else None)
    assert prompts.asks_from_afar(closer) == asked


def test_what_was_asked_before_changes_no_answer(make_segmenter, volume: Volume) -> None:
    busy, fresh = make_segmenter(), make_segmenter()
    answer = busy.segment(ask(volume, BOX))
    hint = answer.hints[answer.best]
    for request in (ask(volume, BOX, POINT, hint=hint), ask(volume, POINT), ask(volume, BOX)):
        assert same(busy.segment(request), fresh.segment(request))


def test_in_company_each_prompt_is_asked_as_it_is_alone(make_segmenter, volume: Volume) -> None:
    segmenter = make_segmenter()
    first = segmenter.segment(ask(volume, BOX))
    requests = [
        ask(volume, BOX, POINT, hint=first.hints[first.best]),
        ask(volume, BOX),
        ask(volume, POINT),
        replace(ask(volume, BoxPrompt(ABOVE.box_of(AROUND))), plane=ABOVE),
    ]
    for together, request in zip(segmenter.segment_many(requests), requests, strict=True):
        alone = segmenter.segment(request)
        assert np.allclose(together.scores, alone.scores, atol=1e-4)
        assert together.plane == request.plane


def test_planes_that_were_prepared_are_prepared_from_afar_too(make_segmenter, volume: Volume) -> None:
    segmenter = make_segmenter()
    segmenter.prefetch(volume, [PLANE], WINDOW)
    before = segmenter.timings
    segmenter.segment(ask(volume, BOX))
    segmenter.segment(ask(volume, POINT))
    assert segmenter.timings.encode_s == before.encode_s
    assert segmenter.timings.n_encoded == before.n_encoded == 1
    assert segmenter.timings.ram_hits == 2


def test_a_large_object_is_answered_better_from_afar(make_segmenter, volume: Volume, tmp_path: Path) -> None:
    _, truth = large_thing()
    segmenter = make_segmenter()
    store = EmbeddingStore(tmp_path / "near", 2**28, 0)
    both = (
        SamSegmenter(
            segmenter.model,
            replace(segmenter.spec, afar=afar, refiner=None),
            segmenter.weights_sha256,
            store,
            segmenter.device,
        )
        for afar in (True, False)
    )
    found, without = (
        mask_iou(answer.masks[answer.best].to_plane(PLANE, volume.shape), truth)
        for answer in (one.segment(ask(volume, BOX)) for one in both)
    )
    assert found > without + 0.02
