"""Read NRRD: images, and the segmentations of 3D Slicer."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from volumes._nrrd.header import NrrdHeader, is_nrrd, read_header, stored_array
from volumes._nrrd.place import axes_of, geometry_of
from volumes._nrrd.segments import segments_in
from volumes._stored_images import Opened, StoredImages
from volumes.segments import Segment
from volumes.series import ReadOptions, SeriesInfo, choose_series
from volumes.volume import Provenance, Volume

__all__ = ["NrrdReader", "open_nrrd"]

_LONGEST_DESCRIPTION = 200


@dataclass(frozen=True)
class NrrdReader:
    """NRRD: ``.nrrd``, and ``.nhdr`` with its files. Large uncompressed volumes stay in their file."""

    name: str = "NRRD"

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether the first bytes are NRRD's."""
        return is_nrrd(head)

    def list_series(self, path: Path, head: bytes) -> tuple[SeriesInfo, ...]:
        """List its volumes; reads no voxels. A layer of segments is described by their names."""
        opened, header = open_nrrd(path)
        found = opened.images.list_series()
        names: defaultdict[int, list[str]] = defaultdict(list)
        for one in segments_in(header.keys):
            names[one.layer].append(one.segment.title)
        return tuple(
            replace(info, description=", ".join(names[layer])[:_LONGEST_DESCRIPTION])
            for layer, info in enumerate(found)
        )

    def read(self, path: Path, head: bytes, options: ReadOptions) -> Volume:
        """Read one of its volumes."""
        found = self.list_series(path, head)
        if len(found) > 1:
            choose_series(found, options.series, path)  # names the segments where none is chosen
        return open_nrrd(path)[0].read(options)

    def read_segments(self, path: Path, head: bytes) -> tuple[Segment, ...]:
        """Describe the values of a segmentation of 3D Slicer; empty for other files.

        A value that stands for different segments in different layers is left out.
        """
        segments = [one.segment for one in segments_in(open_nrrd(path)[1].keys)]
        counts = Counter(segment.value for segment in segments)
        return tuple(sorted((one for one in segments if counts[one.value] == 1), key=lambda one: one.value))


def open_nrrd(path: Path) -> tuple[Opened, NrrdHeader]:
    """Read the header."""
    header = read_header(path)
    stored = stored_array(header)
    axes = axes_of(header, stored.dtype.kind == "u" and stored.dtype.itemsize <= 2)
    geometry, notes = geometry_of(header, axes)
    images = StoredImages(replace(stored, shape=axes.shape), axes.letters)
    return Opened(images, geometry, Provenance("NRRD", notes=(*images.notes, *notes))), header
