"""A segmenter with a tiny random network, and what it is asked."""

from __future__ import annotations

import torch

from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt
from napari_sam.core.segmenter import SegmentRequest
from napari_sam.core.window import Window
from napari_sam.engine.sam_segmenter import SamSegmenter
from napari_sam.models.sam import Sam
from napari_sam.store.cache import EmbeddingStore
from napari_sam.zoo.spec import ModelSpec
from tests.tiny_models import EFFICIENT, build_efficient_sam, random_sam, spec_of
from volumes import Box, Volume

SHA = "5" * 64
WINDOW = Window(-100, 900)
CPU = torch.device("cpu")
POINT = PointPrompt((2, 20, 19))
AWAY = PointPrompt((2, 3, 4), False)
BOX = BoxPrompt(Box((2, 8, 7), (3, 33, 32)))


def segmenter_with(
    store: EmbeddingStore, model: Sam | None = None, spec: ModelSpec | None = None
) -> SamSegmenter:
    """Make a segmenter of a tiny model, a convolutional one if nobody says otherwise, on the CPU."""
    return SamSegmenter(model or random_sam(), spec or spec_of(), SHA, store, CPU)


def efficient_with(store: EmbeddingStore) -> SamSegmenter:
    """Make one of the family that knows points and boxes only, and few of them."""
    spec = spec_of(build=build_efficient_sam, **EFFICIENT)
    return segmenter_with(store, random_sam(build=build_efficient_sam), spec)


def ask(volume: Volume, *prompts: object, plane: PlaneRef | None = None, **fields: object) -> SegmentRequest:
    """Ask about plane 2, if nobody says otherwise."""
    plane = plane or PlaneRef(0, 2)
    return SegmentRequest(volume, plane, WINDOW, prompts, **fields)  # type: ignore[arg-type]
