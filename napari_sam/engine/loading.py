"""From a model's name to a segmenter that is ready to use."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path

from napari_sam import zoo
from napari_sam.engine.device import choose_device
from napari_sam.engine.precision import at_side, choose_precision, in_precision
from napari_sam.engine.sam_segmenter import SamSegmenter
from napari_sam.engine.square_pixels import SquarePixelSegmenter
from napari_sam.settings import Settings
from napari_sam.store.cache import EmbeddingStore
from napari_sam.store.digests import DigestCache, file_digest
from napari_sam.zoo.weights import find_weights, load_model

__all__ = ["load_segmenter"]

_logger = logging.getLogger(__name__)


def load_segmenter(
    name: str = "default",
    device: str = "auto",
    weights: str | os.PathLike[str] | None = None,
    settings: Settings | None = None,
    precision: str = "auto",
    side: int | None = None,
) -> SamSegmenter:
    """Load a model.

    Parameters
    ----------
    name : str
        A model's name, such as ``"sam_vit_b.meta"``; ``"default"`` takes the one of the settings, which is
        the model that ships with the package unless they say otherwise.
    device : str
        ``"cpu"``, ``"cuda"``, ``"mps"``; ``"auto"`` takes that of the settings, or else the fastest there is.
    weights : path, optional
        A file of weights of that architecture; without it the embedded one, or the one in the cache folder.
    settings : Settings, optional
        Resolved from environment and settings file where None.
    precision : str
        ``"float32"``, exact; ``"bfloat16"``, faster on processors and GPUs that multiply in it; ``"auto"``
        takes that of the settings, or else bfloat16 only where the model's embeddings were measured to stay
        within `napari_sam.engine.precision.MIN_COSINE` of their cosine.
    side : int, optional
        Side in pixels at which planes are seen, such as 512 or 768, where it is not to be the model's own:
        faster, and an approximation, since position embeddings are interpolated.

    Returns
    -------
    SamSegmenter
        With an embedding cache in ``settings.cache_dir``.

    Raises
    ------
    UnknownModel, MissingWeights, WeightsError, DeviceUnavailable, SettingsError
        What their names say; each message has the value and a remedy.
    """
    settings = Settings.resolve() if settings is None else settings
    spec = zoo.get(settings.model if name == "default" else name)
    chosen_device = choose_device(settings.device if device == "auto" else device)
    chosen_precision = choose_precision(
        settings.precision if precision == "auto" else precision, spec, chosen_device
    )
    path = find_weights(spec, None if weights is None else Path(weights), settings.cache_dir)
    keeps_on_disk = settings.disk_budget_bytes > 0
    digest_of = DigestCache(settings.cache_dir).get if keeps_on_disk else file_digest
    model, loaded = load_model(spec, path, digest_of)
    if loaded.left_out:
        _logger.warning(
            "%s: left out %d entries that %s does not use: %s",
            path.name,
            len(loaded.left_out),
            spec.name,
            ", ".join(loaded.left_out[:6]) + (" …" if len(loaded.left_out) > 6 else ""),
        )
    if path != spec.weights.embedded:
        spec = replace(spec, refiner=None)
    model, spec = at_side(model, spec, side or spec.side)
    model, spec = in_precision(model.to(chosen_device), spec, chosen_precision)
    if settings.compile:
        model.image_encoder.compile()
    store = EmbeddingStore(settings.cache_dir, settings.ram_budget_bytes, settings.disk_budget_bytes)
    makes = spec.segmenter or (SquarePixelSegmenter if spec.zoom else SamSegmenter)
    segmenter: SamSegmenter = makes(model, spec, loaded.sha256, store, chosen_device)
    return segmenter
