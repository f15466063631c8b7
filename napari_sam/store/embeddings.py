"""What an embedding is, and the key it is kept under."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_sam.errors import StoreError


@dataclass(frozen=True)
class Embedding:
    """The features an image encoder made of one plane.

    Attributes
    ----------
    key
        Digest of the plane, the weights and the pre-processing (see :func:`embedding_key`).
    plane_hw
        Height and width of the plane, in voxels.
    features
        Named arrays, each (C, h, w) float16; ``image_embedding`` is always among them.
    """

    key: str
    plane_hw: tuple[int, int]
    features: Mapping[str, NDArray[np.float16]]


def embedding_key(plane_uint8: NDArray[np.uint8], weights_sha256: str, preprocessing_version: str) -> str:
    """Return the key of a plane's embedding: a sha256 in hex, of content alone.

    No file name and no patient data go in, and nothing in it can go stale: another window gives another
    uint8 plane, another checkpoint another digest.

    Parameters
    ----------
    plane_uint8
        (H, W) or (H, W, 3) uint8: what the encoder sees, after the window.
    weights_sha256
        Digest of the weights' file, in hex.
    preprocessing_version
        Names everything between the uint8 plane and the encoder (size, scaling, padding).

    Raises
    ------
    StoreError
        The plane is not uint8, or not of one of the two shapes.
    """
    if plane_uint8.dtype != np.uint8 or not _is_plane_shape(plane_uint8.shape):
        raise StoreError(
            f"an embedding's key needs a uint8 plane of shape (H, W) or (H, W, 3), not {plane_uint8.dtype} "
            f"{plane_uint8.shape}; apply the window (Window.to_uint8) first"
        )
    head = f"napari-sam embedding\n{preprocessing_version}\n{weights_sha256}\n{plane_uint8.shape}\n"
    digest = hashlib.sha256(head.encode())
    digest.update(np.ascontiguousarray(plane_uint8).data)
    return digest.hexdigest()


def _is_plane_shape(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)
