"""A small volume and a tiny model for it; a module that needs others makes its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_sam.engine.sam_segmenter import SamSegmenter
from napari_sam.store.cache import EmbeddingStore
from tests.engine.tiny_segmenter import segmenter_with
from tests.fakes import ellipsoid_labels, labelled_volume
from volumes import Volume


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    """A store in memory and in a throw-away folder."""
    return EmbeddingStore(tmp_path, 2**24, 2**24)


@pytest.fixture
def segmenter(store: EmbeddingStore) -> SamSegmenter:
    """A tiny convolutional model."""
    return segmenter_with(store)


@pytest.fixture
def volume() -> Volume:
    """An ellipsoid, (5, 41, 39)."""
    return labelled_volume(ellipsoid_labels((5, 41, 39)))
