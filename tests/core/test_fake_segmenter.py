"""The fake keeps the contract that the real segmenters keep, so tests that use it prove something."""

from __future__ import annotations

import numpy as np
import pytest

from tests.contracts import SegmenterContract
from tests.fakes import FakeSegmenter, GlancingFake


class TestThresholdFake(SegmenterContract):
    min_iou = 0.99

    @pytest.fixture
    def segmenter(self) -> FakeSegmenter:
        return FakeSegmenter()


class TestTruthFake(SegmenterContract):
    min_iou = 0.7

    @pytest.fixture
    def segmenter(self, truth: np.ndarray) -> FakeSegmenter:
        return FakeSegmenter(truth)

    def test_takes_one_pixel_thin_planes(self) -> None:
        pytest.skip("the truth is of another volume")


class TestFakeWithoutMasks(SegmenterContract):
    min_iou = 0.99

    @pytest.fixture
    def segmenter(self) -> FakeSegmenter:
        return FakeSegmenter(prompts=frozenset({"point", "box"}))


class TestGlancingFake(SegmenterContract):
    min_iou = 0.99

    @pytest.fixture
    def segmenter(self) -> GlancingFake:
        return GlancingFake()
