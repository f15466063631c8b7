"""Makes docs/failures.png: where the embedded model does worst on openly licensed pictures.

Run on a folder with an ``INDEX.tsv`` whose pictures may be shown. Of the training folder only the
held-out tenth of each kind is asked::

    python docs/make_failures.py FOLDER

Each column is an object. The picture is cut around it, with the true outline (green) and the model's
(red): above from one box, below from one click on the white cross. The first half are the worst with a
box, the second with a click.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.segmentation import find_boundaries

from napari_sam.core.labelled_folder import LabelledItem, list_labelled
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt, Prompt
from napari_sam.core.scores import mask_iou
from napari_sam.core.segmenter import Segmenter, SegmentRequest
from napari_sam.core.window import Window
from napari_sam.engine.loading import load_segmenter
from napari_sam.nodes.tasks import Task, TaskLimits, make_tasks
from volumes import Geometry, Provenance, Volume

CELL_PX, GAP_PX = 220, 4
N_EACH = 4
TRUTH, OURS, CROSS = (60, 220, 90), (240, 60, 60), (255, 255, 255)
PLANE = PlaneRef(0, 0)
Mask = NDArray[np.bool_]


def main() -> None:
    """Ask for every object, and draw the worst, each from a picture of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("failures.png"))
    arguments = parser.parse_args()
    items = every_tenth(list_labelled(arguments.folder))
    tasks = make_tasks(arguments.folder, items, TaskLimits(per_kind=120, per_item=3))
    segmenter = load_segmenter()
    answers = [
        (task, answer(segmenter, task, box_of(task)), answer(segmenter, task, click_of(task)))
        for task in tasks
    ]
    columns = [draw(*chosen) for which in (1, 2) for chosen in worst(answers, which)]
    Image.fromarray(np.concatenate(columns, axis=1)).save(arguments.output, optimize=True)


def every_tenth(items: Sequence[LabelledItem]) -> list[LabelledItem]:
    """Keep what training holds out: every tenth picture of a kind."""
    seen: dict[str, int] = {}
    kept = []
    for item in items:
        seen[item.kind] = seen.get(item.kind, 0) + 1
        if seen[item.kind] % 10 == 0:
            kept.append(item)
    return kept


def box_of(task: Task) -> Prompt:
    """Draw a tight box."""
    return BoxPrompt(PLANE.box_of(task.box))


def click_of(task: Task) -> Prompt:
    """Click on the innermost point."""
    return PointPrompt((0.0, float(task.point[0]), float(task.point[1])), True)


def answer(segmenter: Segmenter, task: Task, prompt: Prompt) -> Mask:
    """Ask for one object."""
    volume = Volume(task.image[None], Geometry.from_spacing((1, *task.mask.shape)), Provenance("card"))
    found = segmenter.segment(SegmentRequest(volume, PLANE, Window(0, 255), (prompt,)))
    return found.masks[found.best].to_plane(PLANE, volume.shape)


def worst(answers: Sequence[tuple[Task, Mask, Mask]], which: int) -> list[tuple[Task, Mask, Mask]]:
    """Choose the answers of lowest IoU, one a picture and at most two a kind."""
    chosen: list[tuple[Task, Mask, Mask]] = []
    for some in sorted(answers, key=lambda one: mask_iou(one[which], one[0].mask)):
        same_picture = any(one[0].id.split("#")[0] == some[0].id.split("#")[0] for one in chosen)
        same_kind = sum(one[0].kind == some[0].kind for one in chosen)
        if not same_picture and same_kind < N_EACH // 2:
            chosen.append(some)
    return chosen[:N_EACH]


def draw(task: Task, from_box: Mask, from_click: Mask) -> NDArray[np.uint8]:
    """Draw one object's column."""
    everything = task.mask | from_box | from_click
    rows, columns = np.nonzero(everything)
    half = max(int(max(np.ptp(rows), np.ptp(columns)) * 0.6), 24)
    middle = (int(rows.min() + rows.max()) // 2, int(columns.min() + columns.max()) // 2)
    cut = tuple(slice(max(m - half, 0), m + half) for m in middle)
    cells = []
    for found, cross in ((from_box, None), (from_click, task.point)):
        image = task.image if task.image.ndim == 3 else np.repeat(task.image[..., None], 3, axis=2)
        enlarged = [enlarge(array[cut], Image.Resampling.NEAREST) for array in (task.mask, found)]
        cell = enlarge(image[cut], Image.Resampling.BILINEAR).copy()
        cell[find_boundaries(enlarged[0] > 0)] = TRUTH
        cell[find_boundaries(enlarged[1] > 0)] = OURS
        if cross is not None:
            scale = CELL_PX / max(image[cut].shape[:2])
            row, column = (int((cross[axis] - cut[axis].start + 0.5) * scale) for axis in (0, 1))
            cell[row - 1 : row + 2, max(column - 6, 0) : column + 7] = CROSS
            cell[max(row - 6, 0) : row + 7, column - 1 : column + 2] = CROSS
        cells.append(np.pad(cell, ((0, GAP_PX), (0, GAP_PX), (0, 0)), constant_values=255))
    return np.concatenate(cells)


def enlarge(array: NDArray[np.generic], how: Image.Resampling) -> NDArray[np.uint8]:
    """Bring a cut to the cell, its longer side filling it."""
    picture = Image.fromarray(array.astype(np.uint8))
    scale = CELL_PX / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    found = np.array(picture.resize(size, how))
    pad = [(0, CELL_PX - found.shape[0]), (0, CELL_PX - found.shape[1])] + [(0, 0)] * (found.ndim - 2)
    return np.pad(found, pad)


if __name__ == "__main__":
    main()
