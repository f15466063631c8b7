"""Outputs: looked at before the work starts, and written whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np

import volumes
from volumes import Box, UnknownFormat, UnwritableOutput, Volume, VolumeError

__all__ = [
    "check_label_format",
    "check_label_suffix",
    "check_outputs",
    "check_suffix",
    "is_in_zarr",
    "output_caveats",
    "write_bytes",
]

_CORNER_VOXELS = 4


def check_outputs(inputs: Sequence[Path], outputs: Sequence[Path]) -> None:
    """Check that files can be written where they are wanted, before any work is done.

    Parameters
    ----------
    inputs : sequence of Path
        Files and folders that must not be written over.
    outputs : sequence of Path
        Files to be written.

    Raises
    ------
    UnwritableOutput
        A missing or read-only folder, a folder in the file's place, one file for two outputs, or an input.
    """
    taken = {path.resolve(): "is the input" for path in inputs}
    for path in outputs:
        place = path.resolve()
        if place in taken:
            raise UnwritableOutput(f"cannot write {path}: it {taken[place]}; choose another name")
        if any(place in one.resolve().parents for one in inputs):
            raise UnwritableOutput(f"cannot write {path}: the input lies in it; choose another name")
        taken[place] = "is named for two outputs"
        _check_writable(path)


def check_label_format(path: Path, volume: Volume, n_objects: int = 1) -> None:
    """Check that a label file of that name can hold a volume's geometry, by writing a piece and dropping it.

    No voxel of the volume is read.

    Parameters
    ----------
    path : Path
        The output.
    volume : Volume
        The image.
    n_objects : int
        How many objects there will be at least: some formats hold one.

    Raises
    ------
    VolumeError
        An unknown suffix, more planes, objects or another geometry than the format can hold, or no place to
        write.
    """
    like = _corner_of(volume)
    labels = np.zeros(like.shape, dtype=np.uint8)
    rows, columns = (slice(n // 4, n - n // 4) for n in like.shape[1:])
    labels[:, rows, columns] = 1
    if n_objects > 1:
        labels[:, rows, columns.start : (columns.start + columns.stop) // 2] = 2
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / (f"{path.name}.ome.zarr" if is_in_zarr(path) else path.name)
        try:
            volumes.write(trial, labels, like=like)
        except VolumeError as error:
            raise type(error)(str(error).replace(str(trial), str(path))) from error


def output_caveats(path: Path, like: Volume) -> tuple[str, ...]:
    """Say what a file of that name will not hold of a volume's geometry, one sentence each."""
    return volumes.caveats(path, like)


def _corner_of(volume: Volume) -> Volume:
    """Return the first planes of a volume without their values, cut to a corner.

    Planes that are known to come from DICOM instances stay whole, for labels are written beside those.
    """
    provenance, (n_planes, n_rows, n_columns) = volume.provenance, volume.shape
    n_planes = min(2, n_planes)
    if provenance.sources:
        provenance = replace(provenance, sources=provenance.sources[:n_planes])
    else:
        n_rows, n_columns = min(_CORNER_VOXELS, n_rows), min(_CORNER_VOXELS, n_columns)
    corner = Box((0, 0, 0), (n_planes, n_rows, n_columns))
    nothing = np.broadcast_to(np.zeros((), volume.data.dtype), (*corner.shape, *volume.data.shape[3:]))
    return Volume(nothing, volume.geometry.crop(corner), provenance)


def check_label_suffix(path: Path) -> None:
    """Check that some writer takes a label file of that name.

    Raises
    ------
    UnknownFormat
        An unknown suffix.
    """
    if not is_in_zarr(path):
        check_suffix(path, volumes.label_suffixes(), "labels")


def check_suffix(path: Path, suffixes: Sequence[str], what: str) -> None:
    """Check that a file's name ends as its format asks for.

    Raises
    ------
    UnknownFormat
        Another suffix.
    """
    if not path.name.lower().endswith(tuple(suffixes)):
        raise UnknownFormat(
            f"cannot write the {what} to {path}: give a name that ends in {', '.join(suffixes)}"
        )


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file by way of a temporary one beside it, which takes its place when complete.

    Raises
    ------
    UnwritableOutput
        The system refuses; nothing is left behind.
    """
    temporary = path.with_name(f".{uuid4().hex[:12]}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise UnwritableOutput(
            f"cannot write {path}: {error.strerror}; choose an existing, writable folder"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def is_in_zarr(path: Path) -> bool:
    """Return whether a path means labels inside an OME-Zarr image: ``IMAGE.ome.zarr/labels/NAME``."""
    return path.parent.name == "labels" and _is_zarr(path.parent.parent)


def _check_writable(path: Path) -> None:
    folder = path.parent.parent if is_in_zarr(path) else path.parent  # "labels" need not be there yet
    if path.is_dir() and not _is_zarr(path):
        raise UnwritableOutput(f"cannot write {path}: it is a folder; name a file in it")
    if not folder.is_dir():
        raise UnwritableOutput(f"cannot write {path}: there is no folder {folder}; make it first")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UnwritableOutput(
            f"cannot write {path}: {error.strerror} in {folder}; choose a writable folder"
        ) from error


def _is_zarr(path: Path) -> bool:
    """Return whether a folder is a file in all but name: a Zarr that was written before."""
    inside = (path / name for name in (".zgroup", ".zattrs", ".zarray", "zarr.json"))
    return any(one.is_file() for one in inside)
