"""Embeddings as the decoder takes them: float32 on the device, of one plane or of one a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_sam.models.sam import FINE_FULL, FINE_HALF, IMAGE_EMBEDDING, PlaneFeatures
from napari_sam.store.embeddings import Embedding

__all__ = ["FeaturesAtHand", "batch_place"]

PLANES_AT_HAND = 3
"""Planes whose features stay on the device; about 20 MB each for the published models."""

_PICTURES = (IMAGE_EMBEDDING, FINE_HALF, FINE_FULL)
"""Levels that a small decoder lays out for its convolutions; see `napari_sam.models.convolutions`."""

SMALL = 2**19
"""Numbers of an embedding below which prompts on different planes are worth a batch."""


def batch_place(embedding: Embedding) -> object:
    """Say with which other embeddings one can be decoded: small ones with those of their size, others alone.

    What prompts have in common is more than the copy that puts small embeddings side by side.
    """
    n_numbers = sum(level.size for level in embedding.features.values())
    if n_numbers >= SMALL:
        return embedding.key
    return tuple((name, level.shape) for name, level in embedding.features.items())


class FeaturesAtHand:
    """Keeps the last few planes' features with what the decoder made of them: clicks come in series.

    Parameters
    ----------
    device : torch.device
        Where the model is.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._planes: dict[str, PlaneFeatures] = {}
        self._latest: PlaneFeatures | None = None

    def __len__(self) -> int:
        return len(self._planes)

    def of(self, embeddings: Sequence[Embedding]) -> PlaneFeatures:
        """Turn stored features into float32 tensors on the device.

        Parameters
        ----------
        embeddings : sequence of Embedding
            One for each prompt, alike in `batch_place`; often all the same.

        Returns
        -------
        PlaneFeatures
            ``(1, C, h, w)`` where all are the same, otherwise ``(N, C, h, w)``.
        """
        first = embeddings[0]
        if any(embedding.key != first.key for embedding in embeddings):
            return self._made([embedding.features for embedding in embeddings])
        known = self._planes.pop(first.key, None) or self._made([first.features])
        self._planes[first.key] = known
        while len(self._planes) > PLANES_AT_HAND:
            del self._planes[next(iter(self._planes))]
        return known

    def _made(self, planes: Sequence[Mapping[str, NDArray[np.float16]]]) -> PlaneFeatures:
        """Stack planes; the position encoding is that of the planes before, for all have the same grid."""
        laid_out = _PICTURES if FINE_FULL in planes[0] and self._device.type == "cpu" else ()
        made = PlaneFeatures(
            (name, self._stacked([plane[name] for plane in planes], name in laid_out)) for name in planes[0]
        )
        made.image_pe = None if self._latest is None else self._latest.image_pe
        self._latest = made
        return made

    def _stacked(self, levels: Sequence[NDArray[np.float16]], is_laid_out: bool) -> Tensor:
        """Stack a level of planes as float32, with the channels last if it is laid out for convolutions."""
        stacked = torch.from_numpy(np.stack(levels))
        if not is_laid_out:
            return stacked.to(self._device).float()
        return torch.empty(stacked.shape, memory_format=torch.channels_last).copy_(stacked)
