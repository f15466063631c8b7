"""Read NRRD: images, and the segmentations of 3D Slicer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from volumes._nrrd.header import NrrdHeader, is_nrrd, read_header, stored_array
from volumes._nrrd.place import axes_of, geometry_of
from volumes._nrrd.segments import joined, segments_in
from volumes._stored_images import Opened, StoredImages
from volumes.errors import UnsupportedImage
from volumes.segments import LabelVolume
from volumes.series import ReadOptions, SeriesInfo
from volumes.volume import Provenance, Volume

__all__ = ["NrrdReader", "open_nrrd", "read_segmentation"]


@dataclass(frozen=True)
class NrrdReader:
    """NRRD: ``.nrrd``, and ``.nhdr`` with its files beside it. Large uncompressed volumes stay in their file."""

    name: str = "NRRD"

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether the first bytes are NRRD's."""
        return is_nrrd(head)

    def list_series(self, path: Path, head: bytes) -> tuple[SeriesInfo, ...]:
        """List its volumes; reads no voxels."""
        return open_nrrd(path)[0].images.list_series()

    def read(self, path: Path, head: bytes, options: ReadOptions) -> Volume:
        """Read one of its volumes."""
        return open_nrrd(path)[0].read(options)


def open_nrrd(path: Path) -> tuple[Opened, NrrdHeader]:
    """Read the header."""
    header = read_header(path)
    stored = stored_array(header)
    axes = axes_of(header, stored.dtype.kind == "u" and stored.dtype.itemsize <= 2)
    geometry, notes = geometry_of(header, axes)
    images = StoredImages(replace(stored, shape=axes.shape), axes.letters)
    return Opened(images, geometry, Provenance("NRRD", notes=(*images.notes, *notes))), header


def read_segmentation(path: Path) -> LabelVolume:
    """Read labels with the names, colours and codes that 3D Slicer keeps in the file.

    Parameters
    ----------
    path : Path
        A NRRD file, ``.seg.nrrd`` or any other of integers.

    Returns
    -------
    LabelVolume
        The layers of the file joined into one array; segments empty where the file names none.

    Raises
    ------
    UnsupportedImage
        If segments overlap, or the voxels are no labels.
    VolumeError
        As `volumes.read`.
    """
    opened, header = open_nrrd(path)
    found = segments_in(header.keys)
    keys = [info.key for info in opened.images.list_series()]
    n_layers = 1 + max((one.layer for one in found), default=0)
    if len(keys) > 1 and not found:
        opened.images.take(ReadOptions())  # refuses, and names the volumes
    layers = [np.asarray(opened.images.take(ReadOptions(key))) for key in keys[:n_layers]]
    if layers[0].ndim != 3 or layers[0].dtype.kind not in "iu" or min(int(one.min()) for one in layers) < 0:
        raise UnsupportedImage(f"{path} holds no labels; pass a file of whole numbers from 0 on")
    notes = opened.provenance.notes
    if not found:
        return LabelVolume(layers[0], opened.geometry, notes=notes)
    labels, segments, more = joined(layers, found, path)
    return LabelVolume(labels, opened.geometry, segments, (*notes, *more))
