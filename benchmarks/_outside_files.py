"""What nibabel, SimpleITK, tifffile, Pillow and zarr make of a file that is no DICOM."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._outside import Seen, Verdict, compare, compare_values
from benchmarks._outside_dicom import seen_by_simpleitk
from volumes import SeriesInfo, Volume
from volumes._quiet import quiet_stderr

_WITHOUT_PLACE = (".tif", ".tiff", ".png", ".jpg", ".bmp")
_FLIP_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def by_nibabel(path: Path, volume: Volume, series: SeriesInfo) -> Verdict:
    """Compare a NIfTI, Analyze or MGH volume; of a 4-D file the time that the key names."""
    import nibabel

    image: Any = nibabel.load(path)
    data = np.asarray(image.dataobj)
    if data.dtype.fields:
        data = np.stack([data[name] for name in data.dtype.names or ()], axis=-1)[..., :3]
    elif data.ndim > 3:
        flat = data.reshape(*data.shape[:3], -1)
        data = flat[..., _number(series.key)]
    return compare(volume, Seen(data, _FLIP_RAS @ image.affine))


def by_simpleitk(path: Path, volume: Volume, series: SeriesInfo) -> Verdict:
    """Compare an image of at most three dimensions, or one time of four."""
    import SimpleITK

    with quiet_stderr():
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
        image = SimpleITK.ReadImage(str(path))
    if image.GetDimension() == 4:
        image = image[:, :, :, _number(series.key)]
    seen = seen_by_simpleitk(image)
    data = seen.data[..., :3] if volume.is_rgb else seen.data
    if path.suffix.lower() in _WITHOUT_PLACE:  # it takes their sizes for another unit, or for none
        chosen = dict(part_of(series.key)).get("c")
        is_stack = chosen is not None and volume.shape[0] == 1 and data.shape[0] > 1
        return compare_values(np.asarray(volume.data), data[[chosen]] if is_stack else data)
    return compare(volume, Seen(data, seen.affine_lps))


def by_tifffile(path: Path, volume: Volume, series: SeriesInfo) -> Verdict:
    """Compare voxels: ours are one stack of the file's first series."""
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        data, axes = tiff.series[0].asarray(), tiff.series[0].axes
    return _one_stack(volume, data, axes, series.key)


def by_pillow(path: Path, volume: Volume, series: SeriesInfo) -> Verdict:
    """Compare a picture's pixels, without alpha."""
    from PIL import Image

    with Image.open(path) as picture:
        data = np.asarray(picture)
    if volume.is_rgb:
        return compare_values(np.asarray(volume.data)[0], data[..., :3])
    return compare_values(np.asarray(volume.data)[0], data if data.ndim == 2 else data[..., 0])


def by_zarr(path: Path, volume: Volume, series: SeriesInfo) -> Verdict:
    """Compare the voxels of the finest level, or of a plain array."""
    import zarr

    opened: Any = zarr.open(str(path), mode="r")
    array = opened if hasattr(opened, "shape") else opened["0"]
    return _one_stack(volume, np.asarray(array[...]), "ZYX"[-array.ndim :].rjust(array.ndim, "C"), series.key)


def _one_stack(volume: Volume, data: NDArray[Any], axes: str, key: str) -> Verdict:
    """Take the channels and times that a key names out of an array, and compare."""
    ours = np.asarray(volume.data)
    chosen = dict(part_of(key))
    index: list[Any] = [chosen.get(axis.lower(), slice(None)) for axis in axes]
    data = data[tuple(index)]
    if data.ndim < ours.ndim:
        data = data.reshape(ours.shape) if data.size == ours.size else data
    return compare_values(ours, data[..., :3] if volume.is_rgb else data)


def part_of(key: str) -> list[tuple[str, int]]:
    """Read a key such as ``"c1/t3"``."""
    return [(part[0], int(part[1:])) for part in key.split("/") if part[:1].isalpha() and part[1:].isdigit()]


def _number(key: str) -> int:
    return next((number for _, number in part_of(key)), 0)
