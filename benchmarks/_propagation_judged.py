"""One object by one row of `benchmarks.propagation`: followed or corrected, timed and judged."""

from __future__ import annotations

import time

import numpy as np

from benchmarks._correcting import plane_by_plane, with_propagation
from benchmarks._propagation_cases import Case
from benchmarks._propagation_methods import METHODS
from benchmarks._propagation_table import Corrected, Outcome
from benchmarks._remembered import Remembered
from benchmarks._shown import BoolVolume, Shown
from napari_sam.core.masks import tight_box
from napari_sam.core.scores import surface_distance
from napari_sam.core.segmenter import Segmenter
from napari_sam.core.window import Window
from napari_sam.nodes.volume_scores import planes_to_correct, score_volume


def follow_one(segmenter: Segmenter, case: Case, shown: Shown, way: str, name: str) -> Outcome:
    """Follow one object with one method from one way of showing it, and judge what comes out.

    The seconds are without those in the model's image encoder: planes are encoded once for all methods.
    """
    encoded_s, started_s = _encode_s(segmenter), time.perf_counter()
    found = METHODS[name](segmenter, shown)
    seconds = time.perf_counter() - started_s - (_encode_s(segmenter) - encoded_s)
    return judge(found, case, way, name, seconds)


def judge(found: BoolVolume, case: Case, way: str, name: str, seconds: float) -> Outcome:
    """Measure a mask (P, R, C), in the rows and columns that it or the truth reaches: no others count."""
    planes = np.flatnonzero(case.truth.any(axis=(1, 2)))
    row0, col0, row1, col1 = tight_box((found | case.truth).any(axis=0)) or (0, 0, 0, 0)
    inside = (slice(None), slice(row0, row1), slice(col0, col1))
    mask, truth = (np.ascontiguousarray(one[inside]) for one in (found, case.truth))
    score = score_volume(mask, truth, int(planes[len(planes) // 2]))
    surface = None if case.is_film else surface_distance(mask, truth, case.volume.geometry.spacing_mm)
    return Outcome(name, way, case.kind, case.id, score, surface, planes_to_correct(mask, truth), seconds)


def correct_one(segmenter: Segmenter, case: Case, window: Window) -> Corrected:
    """Count a person's work on one object, with propagation and plane by plane."""
    seen = (Remembered(segmenter), case.volume, window, case.truth)
    n_planes = int(case.truth.any(axis=(1, 2)).sum())
    carried = with_propagation(*seen, is_film=case.is_film)
    return Corrected(case.kind, case.id, n_planes, carried, plane_by_plane(*seen))


def _encode_s(segmenter: Segmenter) -> float:
    """Seconds that a model has spent in its image encoder; stubs have none."""
    timings = getattr(segmenter, "timings", None)
    return 0.0 if timings is None else float(timings.encode_s)
