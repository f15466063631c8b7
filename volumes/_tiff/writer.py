"""Write labels and images as OME-TIFF."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes._replacing import replacing
from volumes._tiff.reader import TiffReader
from volumes.errors import UnwritableOutput
from volumes.geometry import Geometry
from volumes.segments import Segment
from volumes.volume import Volume

__all__ = ["TiffWriter"]

_ASSUMED_MM = (1.0, 1.0, 1.0)
_BIG_BYTES = 1 << 31


@dataclass(frozen=True)
class TiffWriter:
    """OME-TIFF, planes as pages, deflated, with the voxel size where it is known."""

    suffixes: tuple[str, ...] = (".tif", ".tiff")

    def write(self, path: Path, labels: NDArray[Any], like: Volume, segments: Sequence[Segment]) -> None:
        """Write labels (P, R, C); position and direction have no place in TIFF and are left out."""
        _write(path, labels, like.geometry)

    def write_image(self, path: Path, volume: Volume) -> None:
        """Write an image plane by plane; position and direction have no place in TIFF and are left out."""
        _write(path, volume.data, volume.geometry)


def _write(path: Path, data: Any, geometry: Geometry) -> None:
    import tifffile

    metadata: dict[str, Any] = {"axes": "ZYXS" if data.ndim == 4 else "ZYX"}
    if geometry.spacing_mm != _ASSUMED_MM:
        for letter, size_mm in zip("ZYX", geometry.spacing_mm, strict=True):
            metadata[f"PhysicalSize{letter}"] = size_mm
            metadata[f"PhysicalSize{letter}Unit"] = "mm"
    with replacing(path, ".ome.tif") as temporary:
        tifffile.imwrite(
            temporary,
            _planes(data),
            shape=data.shape,
            dtype=data.dtype,
            ome=True,
            bigtiff=data.nbytes > _BIG_BYTES,
            metadata=metadata,
            compression="zlib",
            photometric="rgb" if data.ndim == 4 else "minisblack",
        )
        _check(temporary, path, data, geometry)


def _planes(data: Any) -> Iterator[NDArray[Any]]:
    for index in range(data.shape[0]):
        yield np.ascontiguousarray(data[index])


def _check(written: Path, path: Path, data: Any, geometry: Geometry) -> None:
    """Raise UnwritableOutput unless what was written has the shape and voxel size it should."""
    with written.open("rb") as stream:
        found = TiffReader().list_series(written, stream.read(16))
    sizes = TiffReader().spacing_mm(written)
    wanted = np.asarray(geometry.spacing_mm)
    if [one.shape for one in found] != [tuple(data.shape[:3])] or not np.allclose(sizes, wanted, rtol=1e-6):
        raise UnwritableOutput(f"cannot write {path}: it came back with another size; write to .nii.gz")
