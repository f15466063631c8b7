"""Planes to embeddings: from RAM, from disk, or from the image encoder."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from napari_sam.engine.stretched import pixels_for
from napari_sam.models.far_look import farther
from napari_sam.models.sam import Sam
from napari_sam.store.cache import EmbeddingStore, Features
from napari_sam.store.embeddings import Embedding, embedding_key
from napari_sam.zoo.spec import ModelSpec

__all__ = ["PlaneEncoder", "Timings"]

PLANES_AT_ONCE = {"cuda": 4}
"""Planes that are encoded together, by kind of device; elsewhere one, but see `LIGHT_AT_ONCE`."""

LIGHT_SIDE, LIGHT_AT_ONCE = 512, 2
"""Inputs of up to so many pixels leave some of a processor idle, unless so many are encoded together."""


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

    A plane that is seen from afar as well counts once.
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
    afar : bool
        Whether planes are seen at half their size; see `napari_sam.models.far_look`.
    """

    def __init__(
        self,
        model: Sam,
        spec: ModelSpec,
        weights_sha256: str,
        store: EmbeddingStore,
        device: torch.device,
        afar: bool = False,
    ) -> None:
        self._model = model
        self._spec = spec
        self._afar = afar
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

    def has(self, plane: NDArray[np.uint8]) -> bool:
        """Say whether a cache holds the embedding of a plane (H, W) or (H, W, 3)."""
        return self._key(plane) in self._store

    @property
    def n_at_once(self) -> int:
        """How many planes are best encoded together."""
        is_light = self._device.type == "cpu" and self._spec.side <= LIGHT_SIDE
        return PLANES_AT_ONCE.get(self._device.type, LIGHT_AT_ONCE if is_light else 1)

    def embeddings(self, planes: Sequence[NDArray[np.uint8]]) -> list[Embedding]:
        """Return the embeddings of planes in their order; those that no cache has are encoded together.

        Parameters
        ----------
        planes : sequence of NDArray[uint8], each of shape (H, W) or (H, W, 3)
            After the window; the same one may come more than once.
        """
        keys = [self._key(plane) for plane in planes]
        by_key = dict(zip(keys, planes, strict=True))
        features = {key: known for key in by_key if (known := self._kept(key)) is not None}
        missing = [key for key in by_key if key not in features]
        for start in range(0, len(missing), self.n_at_once):
            features |= self._made({key: by_key[key] for key in missing[start : start + self.n_at_once]})
        return [
            Embedding(key, (plane.shape[0], plane.shape[1]), features[key])
            for key, plane in zip(keys, planes, strict=True)
        ]

    def _made(self, planes: Mapping[str, NDArray[np.uint8]]) -> dict[str, Features]:
        """Encode planes by their keys and keep what comes, unless another thread has just done so."""
        with self._encoding:
            made = {
                key: known for key in planes if key in self._store and (known := self._kept(key)) is not None
            }
            missing = {key: plane for key, plane in planes.items() if key not in made}
            if missing:
                for key, features in zip(missing, self._encode(list(missing.values())), strict=True):
                    self._store.put(key, features)
                    made[key] = features
        return made

    def _kept(self, key: str) -> Features | None:
        return self._store.get(key, counts=not self._afar)

    def _key(self, plane: NDArray[np.uint8]) -> str:
        version = self._spec.preprocessing_version + (" from afar" if self._afar else "")
        return embedding_key(plane, self._weights_sha256, version)

    def _encode(self, planes: Sequence[NDArray[np.uint8]]) -> list[Features]:
        started = time.perf_counter()
        with torch.inference_mode():
            pixels = torch.stack([pixels_for(self._spec, plane) for plane in planes])
            seen = _to_device(pixels, self._device)
            encoded = self._model.encode(farther(seen) if self._afar else seen)
            features = _to_arrays(encoded)
        elapsed_s = time.perf_counter() - started
        with self._counting:
            counts = self._counts
            self._counts = replace(
                counts, encode_s=counts.encode_s + elapsed_s, n_encoded=counts.n_encoded + len(planes)
            )
        return features


def _to_device(pixels: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Bring pixels to where the model is; to CUDA from pinned memory, which need not be waited for."""
    if device.type == "cuda":
        return pixels.pin_memory().to(device, non_blocking=True)
    return pixels.to(device)


def _to_arrays(features: Mapping[str, torch.Tensor]) -> list[Features]:
    """Part the planes and round to float16; what float16 cannot hold is clipped to its range."""
    limit = torch.finfo(torch.float16).max
    arrays = {name: tensor.clamp(-limit, limit).half().cpu().numpy() for name, tensor in features.items()}
    n_planes = len(next(iter(arrays.values())))
    return [{name: np.ascontiguousarray(array[i]) for name, array in arrays.items()} for i in range(n_planes)]
