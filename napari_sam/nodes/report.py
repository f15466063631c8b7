"""What a segmentation has to say of itself: objects, planes, scores, stops, times; and the same as JSON."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from napari_sam.core.window import Window
from volumes import Geometry, Volume

__all__ = [
    "SCHEMA_VERSION",
    "CacheCounts",
    "ModelRecord",
    "ObjectReport",
    "PlaneReport",
    "RunReport",
    "StageTimes",
    "StopReport",
    "geometry_record",
    "report_to_json",
]

SCHEMA_VERSION = 1
_NAME = "napari-sam report"


@dataclass(frozen=True)
class PlaneReport:
    """One plane of one object.

    Attributes
    ----------
    plane : int
        Index along the report's axis.
    state : str
        ``"anchor"`` (prompted), ``"propagated"``, ``"repaired"`` (asked for again from both
        sides), ``"interpolated"`` (drawn from the shapes beside it because the model had lost the object), or
        ``"stopped"`` (looked at, not written).
    reason : str
        Why a direction ended here; empty where it went on.
    score : float
        The model's own estimate of the mask's IoU, 0 to 1.
    overlap : float
        IoU with the mask of the plane before it; 1 for an anchor.
    area_px, area_mm2 : int, float
        Of the voxels that the object has in this plane; for a stopped plane, of the mask that was refused.
    seconds : float
        Time that the model took.
    candidate : int
        Which of the model's masks was taken, from 0.
    candidate_scores : tuple of float
        The scores of all of them.
    """

    plane: int
    state: str
    reason: str
    score: float
    overlap: float
    area_px: int
    area_mm2: float
    seconds: float
    candidate: int
    candidate_scores: tuple[float, ...]


@dataclass(frozen=True)
class StopReport:
    """Where and why one direction ended; the plane is None where there was none to look at."""

    reason: str
    plane: int | None


@dataclass(frozen=True)
class ObjectReport:
    """One object: its size, its planes in order of their index, and why both directions ended.

    `size` is its volume or, in a single plane, its area, as people read it: in mm, µm or pixels.
    `held_by` are the objects that have all of it in a prompted plane: it gets free voxels only.
    """

    id: int
    name: str
    voxels: int
    volume_ml: float
    size: str
    n_planes: int
    planes: tuple[PlaneReport, ...]
    towards_first: StopReport
    towards_last: StopReport
    held_by: tuple[int, ...] = ()


@dataclass(frozen=True)
class StageTimes:
    """Seconds by stage.

    Attributes
    ----------
    read_s, load_model_s, write_s : float
        Reading the image, loading the model, writing labels and preview.
    first_mask_s : float
        From the first question to the model until the first mask is in the labels, encoding included.
    encode_s, decode_s : float
        In the image encoder and in the mask decoder, over the whole run: parts of `first_mask_s` and
        `propagate_s`, not beside them.
    propagate_s : float
        Following the objects through the planes, all objects together.
    total_s : float
        From the beginning to the end of the run.
    """

    read_s: float = 0.0
    load_model_s: float = 0.0
    first_mask_s: float = 0.0
    encode_s: float = 0.0
    decode_s: float = 0.0
    propagate_s: float = 0.0
    write_s: float = 0.0
    total_s: float = 0.0


@dataclass(frozen=True)
class CacheCounts:
    """Planes encoded in this run, and embeddings found in memory and on disk instead."""

    n_encoded: int = 0
    ram_hits: int = 0
    disk_hits: int = 0


@dataclass(frozen=True)
class ModelRecord:
    """Which model answered, on which device; the digest is empty where the segmenter does not tell."""

    name: str
    weights_sha256: str
    device: str


@dataclass(frozen=True)
class RunReport:
    """Everything that ``--report`` writes."""

    model: ModelRecord
    window: Window
    volume: Volume
    axis: int
    times: StageTimes
    cache: CacheCounts
    objects: tuple[ObjectReport, ...]


def report_to_json(report: RunReport) -> bytes:
    """Turn a report into JSON text; numbers that JSON does not know become null.

    Nothing in it names a person, a file or a place on this machine.
    """
    content = {
        "report": _NAME,
        "version": SCHEMA_VERSION,
        "model": asdict(report.model),
        "device": report.model.device,
        "window": [report.window.low, report.window.high],
        "geometry": geometry_record(report.volume.geometry),
        "modality": report.volume.provenance.modality,
        "format": report.volume.provenance.format,
        "axis": report.axis,
        "times": {name: round(seconds, 6) for name, seconds in asdict(report.times).items()},
        "cache": asdict(report.cache),
        "objects": [asdict(one) for one in report.objects],
    }
    return json.dumps(_finite(content), indent=1, allow_nan=False).encode()


def geometry_record(geometry: Geometry) -> dict[str, Any]:
    """Return a geometry as plain numbers, in index order (plane, row, column) and LPS mm."""
    return {
        "shape": list(geometry.shape),
        "spacing_mm": list(geometry.spacing_mm),
        "origin_lps_mm": geometry.affine[:3, 3].tolist(),
        "affine_lps_mm": geometry.affine.tolist(),
    }


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
