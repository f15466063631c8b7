"""One box, one point or three boxes, and the object through the volume: our propagation beside other rules.

``python -m benchmarks.propagation [--data DIR] [--shown box point three] [--methods NAME …] [--json FILE]``.
All methods ask the same model, by default the one in the package; region growing asks none. Objects and
volumes are those of ``napari-sam evaluate``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks._machine import load_average, machine
from benchmarks._propagation_methods import METHODS, Shown
from benchmarks.planes import DEFAULT_DATA
from napari_sam.core.labelled_folder import list_labelled
from napari_sam.core.masks import innermost_point, tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt
from napari_sam.core.segmenter import Segmenter
from napari_sam.core.window import resolve_window
from napari_sam.nodes.kinds import kind_of
from napari_sam.nodes.tables import Cell, format_table, round_floats
from napari_sam.nodes.tasks import TaskLimits, read_volume
from napari_sam.nodes.volume_objects import VolumeObject, choose_volume_objects
from napari_sam.nodes.volume_scores import VolumeScore, dice_by_distance, distance_names, score_volume
from volumes import Volume

SHOWN = {
    "box": "one box on the middle plane",
    "point": "one point on the middle plane",
    "three": "three boxes",
}
_NEEDS_SEVERAL = frozenset({"shapes between anchors"})


@dataclass(frozen=True)
class Outcome:
    """One object by one method."""

    method: str
    shown: str
    kind: str
    id: str
    score: VolumeScore
    seconds: float

    @property
    def ends_right(self) -> float:
        """Share of the object's two ends that were found within one plane."""
        off = [many + few for many, few in zip(self.score.too_many, self.score.too_few, strict=True)]
        return float(np.mean([one <= 1 for one in off]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the methods over the objects, print the tables; returns the exit code."""
    options = _parser().parse_args(arguments)
    from napari_sam import load_segmenter

    try:
        items = list_labelled(options.data)
        objects = choose_volume_objects(options.data, items, TaskLimits())
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{machine()} (load {load_average():.1f}); {len(objects)} objects")
    segmenter = load_segmenter(options.model, weights=options.weights, device="cpu")
    outcomes = run(segmenter, objects, options.shown, options.methods)
    for way in options.shown:
        print(f"\n{SHOWN[way]}\n")
        print(format_table(*_table([one for one in outcomes if one.shown == way]), markdown=True))
    if options.json:
        options.json.write_text(json.dumps(round_floats([_record(one) for one in outcomes]), indent=1))
    return 0


def run(
    segmenter: Segmenter, objects: Sequence[VolumeObject], ways: Sequence[str], methods: Sequence[str]
) -> list[Outcome]:
    """Follow every object with every method from everything that is shown."""
    outcomes = []
    volume: Volume | None = None
    place = None
    for one in tqdm(sorted(objects, key=lambda one: str(one.item.image)), disable=None):
        if volume is None or place != one.item.image:
            (volume, labels), place = read_volume(one.item), one.item.image
        truth = one.truth(labels)
        planes = np.flatnonzero(truth.any(axis=(1, 2)))
        for way in ways:
            shown = show(volume, truth, way)
            for name in methods:
                if name in _NEEDS_SEVERAL and way != "three":
                    continue
                started_s = time.perf_counter()
                found = METHODS[name](segmenter, shown)
                seconds = time.perf_counter() - started_s
                score = score_volume(found, truth, int(planes[len(planes) // 2]))
                outcomes.append(Outcome(name, way, kind_of(one.item), one.id, score, seconds))
    return outcomes


def show(volume: Volume, truth: np.ndarray, way: str) -> Shown:
    """Make the prompts: tight boxes, or the innermost point, from the true mask."""
    planes = np.flatnonzero(truth.any(axis=(1, 2)))
    n_planes = len(planes)
    middle = int(planes[n_planes // 2])
    indices = (
        {middle} if way != "three" else {int(planes[n_planes // 6]), middle, int(planes[-1 - n_planes // 6])}
    )
    prompts = {}
    for index in sorted(indices):
        plane = PlaneRef(0, index)
        if way == "point":
            prompts[index] = (PointPrompt(plane.at(*innermost_point(truth[index]))),)
        else:
            prompts[index] = (BoxPrompt(plane.box_of(tight_box(truth[index]) or (0, 0, 1, 1))),)
    return Shown(volume, resolve_window(volume), prompts, (int(planes[0]), int(planes[-1])))


def _table(outcomes: Sequence[Outcome]) -> tuple[list[str], list[list[Cell]]]:
    kinds = list(dict.fromkeys(one.kind for one in outcomes))
    heads = ["method", "Dice", "median", *kinds, "ends within 1", "too many", "too few", "s an object"]
    heads += [f"at {name}" for name in distance_names()]
    rows: list[list[Cell]] = []
    for name in dict.fromkeys(one.method for one in outcomes):
        own = [one for one in outcomes if one.method == name]
        dice = [one.score.dice for one in own]
        row: list[Cell] = [name, float(np.mean(dice)), float(np.median(dice))]
        row += [float(np.mean([one.score.dice for one in own if one.kind == kind])) for kind in kinds]
        row += [
            float(np.mean([one.ends_right for one in own])),
            float(np.mean([sum(one.score.too_many) for one in own])),
            float(np.mean([sum(one.score.too_few) for one in own])),
            float(np.mean([one.seconds for one in own])),
        ]
        rows.append([*row, *dice_by_distance([one.score for one in own])])
    return heads, rows


def _record(one: Outcome) -> dict[str, object]:
    return {
        "method": one.method, "shown": one.shown, "kind": one.kind, "id": one.id, "dice": one.score.dice,
        "too_many": list(one.score.too_many), "too_few": list(one.score.too_few), "seconds": one.seconds,
    }  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.propagation", description=__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--model", default="default")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--shown", nargs="+", choices=SHOWN, default=list(SHOWN))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--json", type=Path, help="each object's figures")
    return parser


if __name__ == "__main__":
    sys.exit(main())
