"""One box on a middle plane, the object through the volume: Dice, ends, time by stage, cold and cached.

``python -m benchmarks.volume --data DIR``; each object is a job of its own, as in ``napari-sam segment``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks._machine import load_average, machine
from benchmarks._reading import Row, read_index, read_labels
from benchmarks.planes import DEFAULT_DATA
from napari_sam.core.masks import tight_box
from napari_sam.nodes.tables import Cell, format_table, round_floats
from napari_sam.nodes.volume_scores import (
    VolumeScore,
    choose_anchor,
    dice_by_distance,
    distance_names,
    score_volume,
)

if TYPE_CHECKING:
    from napari_sam.nodes.report import RunReport

ABDOMEN = "ct3d/ts_ct_abdomen.nii.gz"
DEFAULT_CASES: tuple[tuple[str, tuple[int, ...]], ...] = (
    (ABDOMEN, (5, 1, 2, 3)),
    ("ct3d/deeplesion_000001_02_01_008_023.nii.gz", (1,)),
    ("ct3d/deeplesion_000009_03_01_036_048.nii.gz", (1,)),
    ("dicom_series/sunnybrook_SCD0000101_ED", (1,)),
    ("dicom_series/sunnybrook_SCD0000301_ED", (1,)),
    ("mr3d/hippocampus/images/hippocampus_133.nii.gz", (1, 2)),
    ("mr3d/pyrad_brain1.nrrd", (1,)),
    ("mr3d/sct_t2.nii.gz", (1,)),
    ("mr3d/sct_t1w.nii.gz", (1,)),
    ("video/blackswan/frames", (1,)),
    ("video/car-roundabout/frames", (1,)),
    ("micro3d/embryo_16_cell_stage.tif", (4, 9)),
    ("micro3d/plant_nuclei_1135.ome.tif", (20,)),
)
STAGES = ("read", "load_model", "first_mask", "encode", "decode", "propagate", "write", "total")


@dataclass(frozen=True)
class Case:
    """One object of one volume."""

    row: Row
    label: int

    @property
    def name(self) -> str:
        """File and object, for the tables."""
        parts = [part for part in Path(self.row.path).parts if part != "frames"]
        return f"{parts[-1].split('.')[0]}: {self.row.names.get(self.label, self.label)}"


@dataclass(frozen=True)
class Outcome:
    """What a case gave: scores, and the reports of the cold and of the cached run."""

    case: Case
    anchor: int
    score: VolumeScore
    cold: RunReport
    cached: RunReport | None

    @property
    def stops(self) -> str:
        """Why propagation ended, towards the first plane and towards the last."""
        report = self.cold.objects[0]
        return f"{report.towards_first.reason} / {report.towards_last.reason}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases and print the tables; returns the exit code."""
    options = _parser().parse_args(arguments)
    from napari_sam.errors import SamError
    from volumes import VolumeError

    try:
        cases = choose_cases(read_index(options.data), options.only)
        print(f"{machine()} (load {load_average() or 0:.1f})")
        with tempfile.TemporaryDirectory() as folder:
            _warm_up(options, Path(folder))
            outcomes = [
                run_case(case, options, Path(folder) / str(number))
                for number, case in enumerate(tqdm(cases, desc="volumes", file=sys.stderr))
            ]
    except (OSError, ValueError, SamError, VolumeError) as error:
        print(error, file=sys.stderr)
        return 2
    for title, (heads, rows) in _tables(outcomes):
        print(f"\n{title}\n")
        print(format_table(heads, rows, markdown=options.markdown))
    if options.json:
        _write_json(options.json, outcomes)
    return 0


def choose_cases(rows: Sequence[Row], only: str | None) -> list[Case]:
    """List the default cases that the index has and whose name contains `only`."""
    by_path = {row.path: row for row in rows}
    listed = [
        Case(by_path[path], label) for path, labels in DEFAULT_CASES if path in by_path for label in labels
    ]
    cases = [case for case in listed if not case.row.names or case.label in case.row.names]
    chosen = [case for case in cases if only is None or only in case.name]
    if not chosen:
        raise ValueError(f"no case with {only!r} in its name; there are {[case.name for case in cases]}")
    return chosen


def run_case(case: Case, options: argparse.Namespace, folder: Path) -> Outcome:
    """Segment one object with an empty cache, and, unless told otherwise, once more with the filled one."""
    truth = read_labels(options.data / case.row.mask_path) == case.label
    anchor = choose_anchor(truth, options.anchor)
    folder.mkdir()
    box = tight_box(truth[anchor])
    if box is None:
        raise ValueError(f"{case.name}: plane {anchor} holds nothing of it; give --anchor largest")
    cold, found = _segment(case, options, folder, (anchor, box))
    if found.shape != truth.shape:
        raise ValueError(f"{case.name}: labels are {found.shape}, the truth {truth.shape}; they must agree")
    cached = None
    if not options.no_cached:
        cached, _ = _segment(case, options, folder, (anchor, box))
    return Outcome(case, anchor, score_volume(found, truth, anchor), cold, cached)


def _segment(
    case: Case, options: argparse.Namespace, folder: Path, prompt: tuple[int, tuple[int, int, int, int]]
) -> tuple[RunReport, NDArray[np.bool_]]:
    """Run the node behind ``napari-sam segment`` with its embedding cache in `folder`."""
    from napari_sam.nodes.models import ModelChoice
    from napari_sam.nodes.object_prompts import box_in_plane, group_prompts
    from napari_sam.nodes.segment_file import SegmentJob, segment_file

    os.environ["NAPARI_SAM_CACHE_DIR"] = str(folder / "cache")
    labels = folder / "labels.nii.gz"
    job = SegmentJob(
        image=options.data / case.row.path,
        labels=labels,
        objects=(group_prompts(1, case.name, [box_in_plane(0, *prompt)]),),
        model=ModelChoice(options.model, options.weights, options.device),
    )
    return segment_file(job), read_labels(labels) == 1


def _warm_up(options: argparse.Namespace, folder: Path) -> None:
    """Import and initialise everything, so that the first case does not pay for it."""
    from PIL import Image

    rng = np.random.default_rng(0)
    image = folder / "warm-up.png"
    Image.fromarray(rng.integers(0, 256, (64, 64), dtype=np.uint8)).save(image)
    row = Row(image.name, image.name, "", "", "instance")
    (folder / "warm-up").mkdir()
    options = argparse.Namespace(**{**vars(options), "data": folder})
    _segment(Case(row, 1), options, folder / "warm-up", (0, (10, 10, 50, 50)))


def _tables(outcomes: Sequence[Outcome]) -> list[tuple[str, tuple[list[str], list[list[Cell]]]]]:
    return [
        ("Dice and ends (planes too many, too few; at the first end / at the last)", _quality(outcomes)),
        ("Dice by distance from the prompted plane, in planes", _decay(outcomes)),
        ("Seconds by stage (encode and decode are parts of first mask and propagate)", _times(outcomes)),
        ("Cold run over cached run", _ratios(outcomes)),
    ]


def _quality(outcomes: Sequence[Outcome]) -> tuple[list[str], list[list[Cell]]]:
    rows: list[list[Cell]] = []
    for outcome in outcomes:
        score = outcome.score
        rows.append(
            [
                outcome.case.name, score.dice, score.anchor_dice, outcome.anchor, score.n_planes,
                "{} / {}".format(*score.too_many), "{} / {}".format(*score.too_few), outcome.stops,
            ]
        )  # fmt: skip
    dices = [outcome.score.dice for outcome in outcomes]
    anchors = [outcome.score.anchor_dice for outcome in outcomes]
    rows.append(["mean", float(np.mean(dices)), float(np.mean(anchors)), *[None] * 5])
    return ["object", "Dice", "on anchor", "anchor", "planes", "too many", "too few", "stopped by"], rows


def _decay(outcomes: Sequence[Outcome]) -> tuple[list[str], list[list[Cell]]]:
    heads = ["object", *distance_names()]
    rows: list[list[Cell]] = [[outcome.case.name, *dice_by_distance([outcome.score])] for outcome in outcomes]
    return heads, [*rows, ["mean", *dice_by_distance([outcome.score for outcome in outcomes])]]


def _times(outcomes: Sequence[Outcome]) -> tuple[list[str], list[list[Cell]]]:
    rows: list[list[Cell]] = []
    for outcome in outcomes:
        for name, report in (("cold", outcome.cold), ("cached", outcome.cached)):
            if report is not None:
                seconds = [float(getattr(report.times, f"{stage}_s")) for stage in STAGES]
                rows.append([f"{outcome.case.name}, {name}", *seconds, report.cache.n_encoded])
    heads = ["run", *(stage.replace("_", " ") for stage in STAGES), "planes encoded"]
    return heads, rows


def _ratios(outcomes: Sequence[Outcome]) -> tuple[list[str], list[list[Cell]]]:
    rows: list[list[Cell]] = []
    for outcome in outcomes:
        if outcome.cached is not None:
            cold, cached = outcome.cold.times, outcome.cached.times
            work = [times.first_mask_s + times.propagate_s for times in (cold, cached)]
            rows.append(
                [
                    outcome.case.name,
                    cold.first_mask_s / max(cached.first_mask_s, 1e-9),
                    work[0] / max(work[1], 1e-9),
                    cold.total_s / max(cached.total_s, 1e-9),
                ]
            )
    return ["object", "to first mask", "first mask + propagate", "whole run"], rows


def _write_json(path: Path, outcomes: Sequence[Outcome]) -> None:
    content = {
        "benchmark": "volume",
        "machine": machine(),
        "objects": [
            {
                "name": outcome.case.name,
                "anchor": outcome.anchor,
                "score": asdict(outcome.score),
                "stops": outcome.stops,
                "cold_s": asdict(outcome.cold.times),
                "cached_s": None if outcome.cached is None else asdict(outcome.cached.times),
            }
            for outcome in outcomes
        ],
    }
    path.write_text(json.dumps(round_floats(content), indent=1), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.volume", description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, default=DEFAULT_DATA, help="folder with an INDEX.tsv")
    add("--only", help="cases whose name contains this text, e.g. ts_ct or liver")
    add("--anchor", choices=("middle", "largest"), default="middle", help="plane that gets the box")
    add("--model", default="default", help="name of a model of the package")
    add("--weights", type=Path, help="weights to use instead of the model's own")
    add("--device", default="auto", help="auto, cpu, cuda or mps")
    add("--no-cached", action="store_true", help="leave out the second run")
    add("--markdown", action="store_true", help="print Markdown tables")
    add("--json", type=Path, help="write everything measured to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
