"""Planes to embeddings: from RAM, from disk, or from the image encoder."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from napari_sam.engine.stretched import pixels_for
from napari_sam.models.sam import Sam
from napari_sam.store.cache import EmbeddingStore
from napari_sam.store.embeddings import Embedding, embedding_key
from napari_sam.zoo.spec import ModelSpec

__all__ = ["PlaneEncoder", "Timings"]


@dataclass(frozen=True)
class Timings:
    """What a segmenter did since it was made, and how long it took.

    Attributes
    ----------
    encode_s, decode_s : float
        Seconds in the image encoder, and in the decoder with all that follows it to the masks.
    n_encoded, n_decoded : int
        Planes encoded, and prompts decoded.
    ram_hits, disk_hits : int
        Planes whose embedding was found in memory and on disk.
    """

    encode_s: float = 0.0
    decode_s: float = 0.0
    n_encoded: int = 0
    n_decoded: int = 0
    ram_hits: int = 0
    disk_hits: int = 0


class PlaneEncoder:
    """Encodes a plane once, however often and from however many threads it is asked for.

    Features are rounded to float16 before their first use, so that an answer does not depend on whether its
    embedding came from the encoder or from the cache.

    Parameters
    ----------
    model : Sam
        In evaluation mode, on `device`.
    spec : ModelSpec
        How planes are fed to it.
    weights_sha256 : str
        Digest of its weights, part of each embedding's key.
    store : EmbeddingStore
        Where embeddings are kept.
    device : torch.device
        Where the model is.
    """

    def __init__(
        self, model: Sam, spec: ModelSpec, weights_sha256: str, store: EmbeddingStore, device: torch.device
    ) -> None:
        self._model = model
        self._spec = spec
        self._weights_sha256 = weights_sha256
        self._store = store
        self._device = device
        self._encoding = threading.Lock()
        self._counting = threading.Lock()
        self._counts = Timings()

    @property
    def timings(self) -> Timings:
        """Encoding time and counts; decoding is counted elsewhere."""
        stats = self._store.stats
        with self._counting:
            return replace(self._counts, ram_hits=stats.ram_hits, disk_hits=stats.disk_hits)

    def embedding(self, plane: NDArray[np.uint8]) -> Embedding:
        """Return the embedding of a plane, encoding it where no cache has it.

        Parameters
        ----------
        plane : NDArray[uint8], shape (H, W) or (H, W, 3)
            After the window.
        """
        key = embedding_key(plane, self._weights_sha256, self._spec.preprocessing_version)
        plane_hw = (plane.shape[0], plane.shape[1])
        features = self._store.get(key)
        if features is not None:
            return Embedding(key, plane_hw, features)
        with self._encoding:
            if key not in self._store:  # unless another thread has just encoded it
                self._store.put(key, encoded := self._encode(plane))
                return Embedding(key, plane_hw, encoded)
        return self.embedding(plane)

    def _encode(self, plane: NDArray[np.uint8]) -> dict[str, NDArray[np.float16]]:
        started = time.perf_counter()
        with torch.inference_mode():
            pixels = pixels_for(self._spec, plane)[None].to(self._device)
            encoded = self._model.encode(pixels)
            features = _to_arrays(encoded)
        elapsed_s = time.perf_counter() - started
        with self._counting:
            counts = self._counts
            self._counts = replace(
                counts, encode_s=counts.encode_s + elapsed_s, n_encoded=counts.n_encoded + 1
            )
        return features


def _to_arrays(features: Mapping[str, torch.Tensor]) -> dict[str, NDArray[np.float16]]:
    """Drop the batch axis and round to float16; what float16 cannot hold is clipped to its range."""
    limit = torch.finfo(torch.float16).max
    return {
        name: tensor[0].clamp(-limit, limit).half().cpu().contiguous().numpy()
        for name, tensor in features.items()
    }
