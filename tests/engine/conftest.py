"""A small volume and a tiny model for it; a module that needs others makes its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_sam.engine.loading import load_segmenter
from napari_sam.engine.sam_segmenter import SamSegmenter
from napari_sam.settings import Settings
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
def make_segmenter(tmp_path: Path) -> Callable[[], SamSegmenter]:
    """Make segmenters of the model that ships, each with a cache of its own."""
    folders = itertools.count()
    return lambda: load_segmenter(
        "default", "cpu", settings=Settings.resolve(cache_dir=tmp_path / str(next(folders)))
    )


@pytest.fixture
def volume() -> Volume:
    """An ellipsoid, (5, 41, 39)."""
    return labelled_volume(ellipsoid_labels((5, 41, 39)))
