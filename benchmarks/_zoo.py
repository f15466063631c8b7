"""Read every file and series of the zoos, and say of each what was made of it."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import volumes
from volumes import Geometry, LabelVolume, SeriesInfo, Volume

ZOOS = ("dicom_zoo", "format_zoo")
COLUMNS = ("path", "key", "outcome", "shape", "dtype", "spacing_mm", "corner_mm", "modality", "voxels")
_LOSSY = ("JPEG Baseline", "JPEG Extended", "JPEG 2000 Image Compression", "Near-Lossless", "High-Throughput")


@dataclass(frozen=True)
class Reading:
    """One volume of a file or folder of a zoo, or why there is none.

    ``line`` is the refusal's message without folders of this machine; ``index`` the zoo's line on the file.
    """

    zoo: str
    index: dict[str, str]
    path: Path
    series: SeriesInfo | None
    volume: Volume | None
    outcome: str
    line: str = ""
    labels: LabelVolume | None = None

    @property
    def name(self) -> str:
        """Zoo and path."""
        return f"{self.zoo}/{self.index['path']}"


def readings(data: Path, zoo: str) -> Iterator[Reading]:
    """Read all that a zoo holds, in its index's order; every volume of what holds several."""
    with (data / zoo / "INDEX.tsv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    for row in rows:
        path = data / zoo / row["path"]
        try:
            found = volumes.list_series(path)
        except volumes.VolumeError as error:
            line, labels = without_folders(error, path), _labels(path)
            outcome = type(error).__name__ if labels is None else "labels"
            yield Reading(zoo, row, path, None, None, outcome, line, labels)
            continue
        for one in found:
            try:
                volume = volumes.read(path, series=one.key if len(found) > 1 else None)
            except volumes.VolumeError as error:
                yield Reading(zoo, row, path, one, None, type(error).__name__, without_folders(error, path))
            else:
                yield Reading(zoo, row, path, one, volume, "read")


def _labels(path: Path) -> LabelVolume | None:
    """Read what is no image as labels; None where it is none either, or needs its image."""
    try:
        return volumes.read_labels(path)
    except volumes.VolumeError:
        return None


def without_folders(error: volumes.VolumeError, path: Path) -> str:
    """Return a message with the last part of the path alone."""
    return str(error).replace(str(path), path.name).replace(str(path.parent), path.parent.name)


def expectation(reading: Reading) -> tuple[str, ...]:
    """Return a reading as the columns of the table of expectations.

    Voxels are given by the start of their SHA-256; what a decoder may round differently, and fractions, by
    mean and standard deviation.
    """
    key = reading.series.key if reading.series is not None else ""
    volume, labels = reading.volume, reading.labels
    if labels is not None:
        names = ";".join(f"{one.value}:{one.name}" for one in labels.segments)
        return (
            reading.name, key, "labels", *_grid(labels.data, labels.geometry), names, _voxels(labels.data, "")
        )  # fmt: skip
    if volume is None:
        return reading.name, key, reading.outcome, "", "", "", "", "", reading.line
    grid, modality = _grid(volume.data, volume.geometry), volume.provenance.modality or ""
    syntax = reading.index.get("transfer_syntax", "")
    return reading.name, key, "read", *grid, modality, _voxels(np.asarray(volume.data), syntax)


def _grid(data: Any, geometry: Geometry) -> tuple[str, str, str, str]:
    """Return shape, type, spacing and the first voxel's place."""
    spacing = " ".join(f"{length:.4g}" for length in geometry.spacing_mm)
    corner = " ".join(f"{round(number, 2) + 0.0:.2f}" for number in geometry.index_to_mm((0, 0, 0)))
    return "x".join(map(str, data.shape)), str(data.dtype), spacing, corner


def _voxels(data: NDArray[Any], syntax: str) -> str:
    is_lossy = ("Lossless" not in syntax and any(name in syntax for name in _LOSSY)) or "Near" in syntax
    if is_lossy or data.dtype.kind == "f":
        return f"mean {data.mean(dtype=np.float64):.4g} deviation {data.std(dtype=np.float64):.4g}"
    little = np.ascontiguousarray(data.astype(data.dtype.newbyteorder("<")))
    return hashlib.sha256(little.tobytes()).hexdigest()[:16]
