"""Write labels and images as OME-Zarr: 0.4 in a folder of its own, the image's version inside an image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volumes._replacing import replacing_folder
from volumes._zarr.metadata import image_metadata, label_metadata, placed
from volumes._zarr.reader import ZarrFolderReader
from volumes._zarr.store import MARKERS, open_place, speaking
from volumes.errors import UnwritableOutput
from volumes.geometry import Geometry
from volumes.segments import Segment
from volumes.series import ReadOptions
from volumes.volume import Volume

if TYPE_CHECKING:
    import zarr

__all__ = ["OmeZarrWriter", "is_label_place"]

_SUFFIXES = (".ome.zarr", ".zarr")
_CHUNK = (32, 256, 256)
_BUFFER_BYTES = 1 << 26
_SMALLEST_SIDE = 256
_MOST_LEVELS = 8


@dataclass(frozen=True)
class OmeZarrWriter:
    """OME-Zarr with a pyramid: every second row and column for labels, means of four pixels for images."""

    suffixes: tuple[str, ...] = _SUFFIXES

    def write(self, path: Path, labels: NDArray[Any], like: Volume, segments: Sequence[Segment]) -> None:
        """Write labels (P, R, C) as a label image, with names and colours.

        A path ``IMAGE.zarr/labels/NAME`` puts them into that image, where other programs show them on it, and
        changes nothing else but the list of its labels.

        Raises
        ------
        UnwritableOutput
            If something other than a label image lies there, or the system refuses it.
        """
        inside = is_label_place(path)
        if path.is_dir() and "image-label" not in _attributes(path):
            raise UnwritableOutput(f"cannot write {path}: it is a folder, and no label image; name a new one")
        group = path.parent.parent if inside else None
        version = _version_of(group) if group is not None else "0.4"
        if inside:
            _prepare_labels_group(path.parent, version)
        metadata = label_metadata(like.geometry, _n_levels(labels.shape), segments, version, inside=inside)
        with replacing_folder(path) as temporary:
            levels = _Levels(temporary, like.geometry, labels.dtype, version, metadata)
            for low, part in _slabs(labels, levels.thickness):
                levels.put(low, part, _decimated)
            _check(temporary, path, like.geometry)
        if inside:
            _list_label(path.parent, path.name, version)

    def write_image(self, path: Path, volume: Volume) -> None:
        """Write an image, a few planes at a time; colour as three channels called red, green and blue.

        Raises
        ------
        UnwritableOutput
            If something other than an image without labels lies there, or the system refuses it.
        """
        if path.is_dir() and ("multiscales" not in _attributes(path) or (path / "labels").exists()):
            raise UnwritableOutput(
                f"cannot write {path}: it is a folder, and no image without labels; name a new one"
            )
        metadata = image_metadata(volume.geometry, _n_levels(volume.shape), volume.is_rgb)
        with replacing_folder(path) as temporary:
            levels = _Levels(
                temporary, volume.geometry, volume.data.dtype, "0.4", metadata, 3 if volume.is_rgb else 0
            )
            for low, part in _slabs(volume.data, levels.thickness):
                levels.put(low, part, _mean)
            _check(temporary, path, volume.geometry)


def is_label_place(path: Path) -> bool:
    """Whether a path means labels inside an OME-Zarr image: ``IMAGE/labels/NAME``."""
    image = path.parent.parent
    return path.parent.name == "labels" and any((image / marker).is_file() for marker in MARKERS)


class _Levels:
    """The arrays of a pyramid while they are written.

    Parameters
    ----------
    folder : Path
        An empty folder.
    geometry : Geometry
        Of the finest level.
    dtype : numpy.dtype
        Of the voxels.
    version : str
        ``"0.4"`` or ``"0.5"``.
    metadata : dict
        Attributes of the group.
    n_channels : int
        Number of colours; 0 for none.
    """

    def __init__(
        self,
        folder: Path,
        geometry: Geometry,
        dtype: np.dtype[Any],
        version: str,
        metadata: dict[str, Any],
        n_channels: int = 0,
    ) -> None:
        import zarr

        self._group = zarr.open_group(folder, mode="w", zarr_format=2 if version == "0.4" else 3)
        self._group.attrs.update(metadata)
        self._colour = bool(n_channels)
        _, rows, columns = geometry.shape
        plane_bytes = rows * columns * dtype.itemsize * max(1, n_channels)
        self.thickness = max(1, min(_CHUNK[0], geometry.shape[0], _BUFFER_BYTES // plane_bytes))
        self.arrays = []
        for level, shape in enumerate(placed(geometry.shape, _n_levels(geometry.shape))):
            chunks = (self.thickness, min(_CHUNK[1], shape[1]), min(_CHUNK[2], shape[2]))
            full = (n_channels, *shape) if n_channels else shape
            self.arrays.append(
                _create(self._group, str(level), full, (1, *chunks) if n_channels else chunks, dtype)
            )

    def put(self, low: int, part: NDArray[Any], coarser: Any) -> None:
        """Write some planes to all levels.

        Parameters
        ----------
        low : int
            The first plane.
        part : ndarray of shape (N, R, C) or (N, R, C, 3)
            The planes.
        coarser : callable
            Makes the planes of a level from those of the level before.
        """
        for array in self.arrays:
            high = low + part.shape[0]
            if self._colour:
                array[:, low:high] = np.moveaxis(part, -1, 0)
            else:
                array[low:high] = part
            part = coarser(part)


def _create(
    group: zarr.Group, name: str, shape: tuple[int, ...], chunks: tuple[int, ...], dtype: np.dtype[Any]
) -> zarr.Array[Any]:
    """Create an array whose chunks lie in folders, compressed with blosc's zstd."""
    import numcodecs
    from zarr.codecs import BloscCodec

    is_old = group.metadata.zarr_format == 2
    return group.create_array(
        name,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        compressors=numcodecs.Blosc("zstd", shuffle=1) if is_old else BloscCodec(cname="zstd"),
        chunk_key_encoding={"name": "v2" if is_old else "default", "separator": "/"},
    )


def _slabs(data: Any, thickness: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """Give the planes a few at a time, from memory or from their file."""
    for low in range(0, data.shape[0], thickness):
        yield low, np.asarray(data[low : low + thickness])


def _decimated(planes: NDArray[Any]) -> NDArray[Any]:
    """Every second row and column: labels are never mixed, and the first voxel stays where it is."""
    rows, columns = planes.shape[1] // 2 * 2, planes.shape[2] // 2 * 2
    return planes[:, :rows:2, :columns:2]


def _mean(planes: NDArray[Any]) -> NDArray[Any]:
    """Mean of two rows and two columns; the last of an odd number is left out."""
    rows, columns = planes.shape[1] // 2 * 2, planes.shape[2] // 2 * 2
    even = planes[:, :rows, :columns]
    total = sum(even[:, row::2, column::2].astype(np.float32) for row in (0, 1) for column in (0, 1))
    mean = np.asarray(total) / np.float32(4)
    return (mean if planes.dtype.kind == "f" else np.rint(mean)).astype(planes.dtype)


def _n_levels(shape: Sequence[int]) -> int:
    """How many levels until a plane is small."""
    side, n_levels = min(shape[1:3]), 1
    while side >= 2 * _SMALLEST_SIDE and n_levels < _MOST_LEVELS:
        side, n_levels = side // 2, n_levels + 1
    return n_levels


def _attributes(folder: Path) -> dict[str, Any]:
    """Attributes of a group; none where it is no Zarr."""
    if not ZarrFolderReader().claims(folder):
        return {}
    return open_place(folder).attributes


def _version_of(image: Path) -> str:
    """Version of OME-NGFF that labels inside an image need: 0.5 for Zarr 3."""
    return "0.5" if (image / "zarr.json").is_file() else "0.4"


def _prepare_labels_group(folder: Path, version: str) -> None:
    """Make the group ``labels`` where the image has none."""
    import zarr

    if not any((folder / marker).is_file() for marker in MARKERS):
        with speaking(str(folder)):
            group = zarr.open_group(folder, mode="a", zarr_format=2 if version == "0.4" else 3)
            empty: dict[str, Any] = {"labels": []}
            group.attrs.update(empty if version == "0.4" else {"ome": {"version": version, **empty}})


def _list_label(folder: Path, name: str, version: str) -> None:
    """Add a name to the list of an image's labels."""
    import zarr

    with speaking(str(folder)):
        group = zarr.open_group(folder, mode="r+", use_consolidated=False)
        attributes: dict[str, Any] = dict(group.attrs)
        inner = attributes if version == "0.4" else attributes.get("ome", {})
        listed = [str(one) for one in inner.get("labels") or []]
        if name not in listed:
            inner["labels"] = [*listed, name]
            group.attrs.update(inner if version == "0.4" else {"ome": inner})


def _check(written: Path, path: Path, wanted: Geometry) -> None:
    """Raise UnwritableOutput unless what was written lies where it should."""
    found = ZarrFolderReader().read(written, ReadOptions()).geometry
    if not found.is_close(Geometry(wanted.shape, wanted.affine)):
        raise UnwritableOutput(f"cannot write {path}: it came back in another place; write to .nii.gz")
