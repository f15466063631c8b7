"""One box, one point or three boxes, and the object through the volume: our propagation beside other rules.

``python -m benchmarks.propagation [--data DIR] [--shown box point three] [--methods NAME …] [--correct]
[--plot FILE] [--markdown PAGE] [--json FILE]``. All methods ask the same model, by default the one in the
package; growing asks none. Objects and volumes are those of ``napari-sam evaluate``, or drawn by numbers
with ``--made``. ``--model stub-mild`` and ``stub-rough`` know the drawn objects and answer with worn masks:
what is lost then, and what is saved, is the rules' own doing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks._correcting import plane_by_plane, with_propagation
from benchmarks._machine import load_average, machine
from benchmarks._propagation_cases import Case, data_cases, made_cases
from benchmarks._propagation_methods import METHODS, available
from benchmarks._propagation_table import Corrected, Outcome, sections, write_between_marks
from benchmarks._shown import SHOWN, show
from benchmarks._worn_truth import WEAR, WornTruth
from benchmarks.planes import DEFAULT_DATA
from napari_sam.core.labelled_folder import list_labelled
from napari_sam.core.scores import surface_distance
from napari_sam.core.segmenter import Segmenter
from napari_sam.core.window import resolve_window
from napari_sam.nodes.tables import round_floats
from napari_sam.nodes.tasks import TaskLimits
from napari_sam.nodes.volume_objects import choose_volume_objects
from napari_sam.nodes.volume_scores import planes_to_correct, score_volume

_NEEDS_SEVERAL = frozenset({"shapes between anchors"})

Ask = Callable[[Case], Segmenter]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the methods over the objects, print and write what was asked for; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        cases, n_cases = _cases(options)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    methods = available() if options.methods is None else options.methods
    load = load_average()
    title = (
        f"{options.model} on {machine()}{'' if load is None else f' (load {load:.1f})'}; {n_cases} objects"
    )
    print(title)
    outcomes, corrected = run(
        _ask(options), cases, options.shown, methods, corrects=options.correct, n=n_cases
    )
    text = sections(outcomes, corrected)
    print(f"\n{text}")
    try:
        _write(options, title, text, outcomes, corrected)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def run(
    ask: Ask, cases: Iterable[Case], ways: Sequence[str], methods: Sequence[str], *, corrects: bool, n: int
) -> tuple[list[Outcome], list[Corrected]]:
    """Follow every object with every method from everything that is shown, and correct it by hand."""
    outcomes: list[Outcome] = []
    corrected: list[Corrected] = []
    for case in tqdm(cases, total=n, disable=None):
        segmenter = ask(case)
        for way, name in itertools.product(ways, methods):
            if name not in _NEEDS_SEVERAL or way == "three":
                outcomes.append(follow_one(segmenter, case, way, name))
        if corrects:
            seen = (segmenter, case.volume, resolve_window(case.volume), case.truth)
            n_planes = int(case.truth.any(axis=(1, 2)).sum())
            carried = with_propagation(*seen, is_film=case.is_film)
            corrected.append(Corrected(case.kind, case.id, n_planes, carried, plane_by_plane(*seen)))
    return outcomes, corrected


def follow_one(segmenter: Segmenter, case: Case, way: str, name: str) -> Outcome:
    """Follow one object with one method from one way of showing it, and judge what comes out."""
    planes = np.flatnonzero(case.truth.any(axis=(1, 2)))
    shown = show(case.volume, case.truth, way, case.is_film)
    started_s = time.perf_counter()
    found = METHODS[name](segmenter, shown)
    seconds = time.perf_counter() - started_s
    score = score_volume(found, case.truth, int(planes[len(planes) // 2]))
    spacing_mm = case.volume.geometry.spacing_mm
    surface = None if case.is_film else surface_distance(found, case.truth, spacing_mm)
    n_wrong = planes_to_correct(found, case.truth)
    return Outcome(name, way, case.kind, case.id, score, surface, n_wrong, seconds)


def _cases(options: argparse.Namespace) -> tuple[Iterable[Case], int]:
    if options.made or options.model in WEAR:
        made = list(made_cases())[: options.limit]
        return made, len(made)
    objects = choose_volume_objects(options.data, list_labelled(options.data), TaskLimits())
    if options.limit is not None:
        objects = objects[:: max(1, len(objects) // options.limit)][: options.limit]
    return data_cases(objects), len(objects)


def _ask(options: argparse.Namespace) -> Ask:
    if options.model in WEAR:
        return lambda case: WornTruth(case.labels, WEAR[options.model])
    from napari_sam import load_segmenter

    segmenter = load_segmenter(options.model, weights=options.weights, device="cpu")
    return lambda _: segmenter


def _write(
    options: argparse.Namespace,
    title: str,
    text: str,
    outcomes: Sequence[Outcome],
    corrected: Sequence[Corrected],
) -> None:
    if options.json:
        found = {
            "outcomes": [_record(one) for one in outcomes],
            "corrected": [asdict(one) for one in corrected],
        }
        options.json.write_text(json.dumps(round_floats(found), indent=1))
    if options.plot:
        from benchmarks._propagation_plot import write_plot

        write_plot(outcomes, options.plot)
    if options.markdown:
        write_between_marks(
            options.markdown, options.model if options.model in WEAR else "data", f"{title}.\n\n{text}"
        )


def _record(one: Outcome) -> dict[str, object]:
    surface = None if one.surface is None or np.isinf(one.surface.mean_mm) else asdict(one.surface)
    return {
        "method": one.method, "shown": one.shown, "kind": one.kind, "id": one.id, "dice": one.score.dice,
        "too_many": list(one.score.too_many), "too_few": list(one.score.too_few), "surface": surface,
        "to_correct": one.n_to_correct, "n_planes": one.score.n_planes, "seconds": one.seconds,
    }  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.propagation", description=__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--made", action="store_true", help="objects drawn by numbers, in place of --data")
    parser.add_argument("--limit", type=int, help="so many objects, spread over all")
    parser.add_argument("--model", default="default", help=f"a model, or one of {', '.join(WEAR)}")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--shown", nargs="*", choices=SHOWN, default=list(SHOWN))
    parser.add_argument("--methods", nargs="+", choices=METHODS, help="all that can run here where left out")
    parser.add_argument("--correct", action="store_true", help="count a person's work until Dice 0.95, too")
    parser.add_argument("--plot", type=Path, help="a picture of the figures, such as FILE.png")
    parser.add_argument("--markdown", type=Path, help="a page; its part between the marks is written anew")
    parser.add_argument("--json", type=Path, help="each object's figures")
    return parser


if __name__ == "__main__":
    sys.exit(main())
