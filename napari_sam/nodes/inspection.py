"""What ``info`` says of a file, as lines and as plain values: an image, a choice of series, or labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_sam.nodes.image_input import ImageInput
from napari_sam.nodes.info import (
    VolumeInfo,
    describe_volume,
    find_orientation,
    info_record,
    is_placed,
    read_for_info,
)
from napari_sam.nodes.label_files import label_kind, read_labels, roi_names
from napari_sam.nodes.patient import PATIENT_FIELDS, patient_record, source_file
from napari_sam.nodes.report import geometry_record
from volumes import Geometry, LabelVolume, MixedSeries, Segment, VolumeError

__all__ = ["Inspection", "inspect_file"]

_ASKED_FOR = "read from the file's header because it was asked for"


@dataclass(frozen=True)
class Inspection:
    """What there is to say of a file.

    Attributes
    ----------
    lines : tuple of str
        For people.
    record : dict
        The same in plain values, for JSON.
    """

    lines: tuple[str, ...]
    record: dict[str, Any]


def inspect_file(
    source: ImageInput, *, like: ImageInput | None = None, with_patient: bool = False
) -> Inspection:
    """Describe an image; the series to choose from where there are several; or a file of labels.

    Parameters
    ----------
    source : ImageInput
        What to describe.
    like : ImageInput, optional
        The image that a file of labels belongs to: they are described on its grid.
    with_patient : bool
        Add who was imaged and when, and UIDs, from the header of the file. They are nowhere else.

    Raises
    ------
    VolumeError
        What cannot be read, in one line that says what it is.
    """
    kind = label_kind(source.place)
    if kind or like is not None:
        return _inspect_labels(source, kind or "labels", like, with_patient)
    try:
        volume, irregular = read_for_info(source)
    except MixedSeries:
        return _inspect_series(source, with_patient)
    info = describe_volume(volume, irregular)
    rows, record = [*_image_rows(info)], info_record(info)
    if with_patient:
        rows += _add_patient(record, source_file(volume))
    return Inspection(_lines(rows), record)


def _lines(rows: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"{name:<14} {value}" for name, value in rows)


def _add_patient(record: dict[str, Any], path: Path | None) -> list[tuple[str, str]]:
    """Add who was imaged to a record, and give it as rows that say where they come from."""
    found = patient_record(path)
    record["patient"] = found
    if not found:
        return [("patient", "the file names none")]
    return [("patient", _ASKED_FOR), *((PATIENT_FIELDS[name], value) for name, value in found.items())]


def _inspect_series(source: ImageInput, with_patient: bool) -> Inspection:
    found, lines, rows = source.list_series(), [], []
    for one in found:
        shape = " × ".join(str(n) for n in one.shape)
        uid = f"series UID {one.series_uid}" if with_patient and one.series_uid else ""
        lines.append("  ".join(part for part in (one.key, one.modality, shape, one.description, uid) if part))
        row = {
            "key": one.key,
            "modality": one.modality,
            "shape": list(one.shape),
            "description": one.description,
        }
        rows.append({**row, "series_uid": one.series_uid} if with_patient else row)
    head = f"{len(found)} series; choose one with --series KEY"
    return Inspection((head, *lines), {"series": rows})


def _inspect_labels(source: ImageInput, kind: str, like: ImageInput | None, with_patient: bool) -> Inspection:
    path = Path(source.place)
    try:
        labels = read_labels(source, None if like is None else like.read())
    except VolumeError:
        names = roi_names(path) if kind == "DICOM RTSTRUCT" and like is None else ()
        if not names:
            raise
        record: dict[str, Any] = {"format": kind, "segments": [{"name": name} for name in names]}
        rows = [("format", kind), *(("region", name) for name in names)]
        rows.append(("note", "contours have no grid of their own; name their image with --like to see it"))
    else:
        rows, record = _label_rows(kind, labels), _label_record(kind, labels)
    if with_patient:
        rows += _add_patient(record, path if kind.startswith("DICOM") else None)
    return Inspection(_lines(rows), record)


def _segments(labels: LabelVolume) -> list[tuple[Segment, int]]:
    """Pair what the file says of each value with how many voxels have it."""
    counts: dict[int, int] = {}
    for plane in labels.data:
        values, n_voxels = np.unique(plane[plane > 0], return_counts=True)
        for value, n in zip(values.tolist(), n_voxels.tolist(), strict=True):
            counts[value] = counts.get(value, 0) + n
    named = {segment.value: segment for segment in labels.segments}
    return [(named.get(value, Segment(value)), counts.get(value, 0)) for value in sorted({*counts, *named})]


def _label_rows(kind: str, labels: LabelVolume) -> list[tuple[str, str]]:
    rows = [("format", kind), *_place_rows(labels.geometry), ("values", str(labels.data.dtype))]
    for segment, n_voxels in _segments(labels):
        known = [segment.title, f"{n_voxels} voxels", segment.kind.meaning, segment.algorithm]
        rows.append(("segment", f"{segment.value} " + ", ".join(text for text in known if text)))
    return rows + [("note", note) for note in labels.notes]


def _label_record(kind: str, labels: LabelVolume) -> dict[str, Any]:
    orientation = find_orientation(labels.geometry)
    segments = [
        {
            "value": segment.value,
            "name": segment.name,
            "voxels": n_voxels,
            "colour": None if segment.colour is None else list(segment.colour),
            "category": segment.category.meaning,
            "type": segment.kind.meaning,
            "algorithm": segment.algorithm,
        }
        for segment, n_voxels in _segments(labels)
    ]
    return {
        **geometry_record(labels.geometry),
        "orientation": orientation.code,
        "oblique_deg": round(orientation.oblique_deg, 3),
        "format": kind,
        "dtype": str(labels.data.dtype),
        "segments": segments,
        "notes": list(labels.notes),
    }


def _image_rows(info: VolumeInfo) -> Iterator[tuple[str, str]]:
    yield "format", info.format
    yield "modality", info.modality or "unknown"
    yield from _place_rows(info.geometry, info.is_rgb, is_placed(info.format, info.geometry))
    for sentence in info.irregular or ("regular",):
        yield "planes", sentence
    overview = " (of an overview; the voxels stay in the file)" if info.is_lazy else ""
    yield "values", f"{info.dtype}, {info.lowest:g} to {info.highest:g}{overview}"
    yield "voxels", "read from the file when they are looked at" if info.is_lazy else "in memory"
    yield "window", f"{info.window.low:g} to {info.window.high:g}"
    if info.suggested_window is not None:
        yield "", "the file suggests {:g} to {:g}".format(*info.suggested_window)
    for note in info.notes:
        yield "note", note


def _place_rows(geometry: Geometry, is_rgb: bool = False, is_known: bool = True) -> Iterator[tuple[str, str]]:
    orientation = find_orientation(geometry)
    extent_mm = [n * step for n, step in zip(geometry.shape, geometry.spacing_mm, strict=True)]
    tilt = f", oblique by {orientation.oblique_deg:.1f}°" if orientation.oblique_deg >= 0.05 else ""
    yield "shape", f"{_times(geometry.shape, 'd')} (planes, rows, columns){', RGB' if is_rgb else ''}"
    yield "spacing", f"{_times(geometry.spacing_mm, '.5g')} mm"
    yield "extent", f"{_times(extent_mm, '.5g')} mm"
    if not is_known:
        yield "orientation", "the file does not say how the image lies; SPL and the origin 0, 0, 0 are taken"
        return
    yield "origin", ", ".join(f"{mm:.6g}" for mm in geometry.affine[:3, 3]) + " mm (LPS)"
    yield "orientation", f"{orientation.code}: {orientation.words}{tilt}"


def _times(values: Iterable[Any], form: str) -> str:
    return " × ".join(format(value, form) for value in values)
