"""Runs models for `napari_sam.core`: planes to pixels, prompts to masks."""

from __future__ import annotations

from napari_sam.engine.device import choose_device
from napari_sam.engine.embeddings import PlaneEncoder, Timings
from napari_sam.engine.frame import Frame
from napari_sam.engine.loading import load_segmenter
from napari_sam.engine.sam_segmenter import SamSegmenter

__all__ = ["Frame", "PlaneEncoder", "SamSegmenter", "Timings", "choose_device", "load_segmenter"]
