"""Which of the open images a saved session belongs to, and what it says of the image it wants."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from napari_sam.errors import SamError, StoreError
from napari_sam.nodes.amounts import units_in
from napari_sam.plugin._cases import ImageSource
from napari_sam.store import SavedSession
from volumes import Geometry, Volume, VolumeError

__all__ = ["image_of", "wanted"]


def image_of(saved: SavedSession, sources: Iterable[ImageSource]) -> tuple[ImageSource, Volume]:
    """Return the first image that a session was made on, by its digest, and its volume.

    Reads images until one fits, so it is called on another thread. One that cannot be read is left out.

    Raises
    ------
    StoreError
        None of them is; it says what the session's image is like, for a session names no file.
    """
    for source in sources:
        try:
            volume = source.read()
            if saved.belongs_to(volume):
                return source, volume
        except (SamError, VolumeError, OSError):
            continue
    raise StoreError(f"the session is of another image, which is not open: {wanted(saved)}; open it first")


def wanted(saved: SavedSession) -> str:
    """Say what a session's image is like: ``"30 × 208 × 176 voxels of 4 × 1 × 1 mm, sha256 8f0e…"``."""
    shape = saved.volume_shape
    geometry = Geometry(shape, np.asarray(saved.manifest.affine_lps_mm, dtype=np.float64))
    to = units_in(geometry)
    voxels, sizes = (
        " × ".join(f"{one:.4g}" for one in numbers)
        for numbers in (shape, (step * to.per_mm for step in geometry.spacing_mm))
    )
    digest = saved.volume_sha256
    return f"{voxels} voxels of {sizes} {to.length}" + (f", sha256 {digest[:12]}…" if digest else "")
