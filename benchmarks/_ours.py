"""Ask a segmenter of the package for the tasks' objects."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks._tasks import Task
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt, Prompt
from napari_sam.core.scores import mask_iou
from napari_sam.core.segmenter import Segmenter, SegmentRequest
from napari_sam.core.window import Window
from napari_sam.settings import Settings
from volumes import Geometry, Provenance, Volume

if TYPE_CHECKING:
    from napari_sam.engine.sam_segmenter import SamSegmenter

_PLANE = PlaneRef(0, 0)


def load(
    model: str, weights: Path | None, device: str, cache: Path | None = None, ram_bytes: int = 0
) -> SamSegmenter:
    """Load a model; without a cache folder nothing is kept on disk.

    Parameters
    ----------
    model : str
        Its name.
    weights : Path or None
        A file of weights instead of the model's own.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    cache : Path, optional
        Folder of the embedding cache.
    ram_bytes : int
        Budget of the embeddings in memory; at least one plane's is kept.
    """
    from napari_sam.engine.loading import load_segmenter

    if cache is None:
        folder = Path(tempfile.gettempdir()) / "napari-sam-benchmarks"
        settings = Settings.resolve(cache_dir=folder, disk_budget_bytes=0, ram_budget_bytes=64 * 2**20)
    else:
        settings = Settings.resolve(cache_dir=cache, ram_budget_bytes=ram_bytes or 512 * 2**20)
    return load_segmenter(model, device=device, weights=weights, settings=settings)


def score_task(segmenter: Segmenter, task: Task) -> dict[str, float]:
    """IoU of the model's own first choice from the box and from the point, and of the best of three."""
    r0, c0, r1, c1 = task.box
    box = BoxPrompt(_PLANE.box_of((r0, c0, r1, c1)))
    point = PointPrompt((0.0, float(task.point[0]), float(task.point[1])), True)
    first_box, best_box = _overlaps(segmenter, task, box)
    first_point, best_point = _overlaps(segmenter, task, point)
    return {
        "ours, box": first_box,
        "ours, box, best of 3": best_box,
        "ours, point": first_point,
        "ours, point, best of 3": best_point,
    }


def _overlaps(segmenter: Segmenter, task: Task, prompt: Prompt) -> tuple[float, float]:
    volume = Volume(task.image[None], Geometry.from_spacing((1, *task.mask.shape)), Provenance("benchmark"))
    prediction = segmenter.segment(SegmentRequest(volume, _PLANE, Window(0, 255), (prompt,)))
    overlaps = [mask_iou(mask.to_plane(_PLANE, volume.shape), task.mask) for mask in prediction.masks]
    return overlaps[prediction.best], float(np.max(overlaps))
