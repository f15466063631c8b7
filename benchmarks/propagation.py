"""One box, one point or three boxes, and the object through the volume: our propagation beside other rules.

``python -m benchmarks.propagation [--data DIR] [--shown box point three] [--methods NAME …] [--correct]
[--jobs N] [--keep FILE] [--plot FILE] [--markdown PAGE] [--json FILE]``. All methods ask the same model, by
default the one in the package; growing asks none. Objects and volumes are those of ``napari-sam evaluate``,
or drawn by numbers with ``--made``. ``--model stub-mild`` and ``stub-rough`` know the drawn objects and
answer with worn masks: what is lost then, and what is saved, is the rules' own doing. With ``--keep`` a run
that was cut off goes on where it was, as long as model, rules and images are the same.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks._machine import load_average, machine
from benchmarks._propagation_cases import Cases, DataCases, MadeCases
from benchmarks._propagation_kept import PERSON, Kept, Row, digest_of
from benchmarks._propagation_methods import METHODS, available
from benchmarks._propagation_run import Model, run
from benchmarks._propagation_table import Corrected, Outcome, parted_at_marks, sections, write_between_marks
from benchmarks._shown import SHOWN
from benchmarks._worn_truth import WEAR
from benchmarks.planes import DEFAULT_DATA
from napari_sam.core.labelled_folder import list_labelled
from napari_sam.errors import SamError
from napari_sam.nodes.tables import round_floats
from napari_sam.nodes.tasks import TaskLimits
from napari_sam.nodes.volume_objects import choose_volume_objects

_NEEDS_SEVERAL = frozenset({"shapes between anchors"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the methods over the objects, print and write what was asked for; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return _measure(options)
    except (OSError, ValueError, SamError, BrokenExecutor) as error:
        print(error, file=sys.stderr)
        return 2


def _measure(options: argparse.Namespace) -> int:
    if options.markdown:
        parted_at_marks(options.markdown, _marks(options))
    cases = _cases(options)
    model = Model(options.model, options.weights).named()
    index = None if isinstance(cases, MadeCases) else options.data / "INDEX.tsv"
    kept = Kept(options.keep, digest_of(model.name, model.digest, index))
    load = load_average()
    weights = "" if model.name in WEAR else f" (weights {model.digest[:12]})"
    title = f"{model.name}{weights} on {machine()}, one thread a process"
    title += f"{'' if load is None else f' (load {load:.1f})'}; {len(cases.ids)} objects"
    print(title)
    results = run(model, cases, _rows(options), kept, options.jobs)
    outcomes = [one for one in results if isinstance(one, Outcome)]
    corrected = [one for one in results if isinstance(one, Corrected)]
    text = sections(outcomes, corrected)
    print(f"\n{text}")
    _write(options, title, text, outcomes, corrected)
    return 0


def _rows(options: argparse.Namespace) -> list[Row]:
    """List from what, and by which methods, every object is followed."""
    methods = available() if options.methods is None else options.methods
    rows = [
        (way, name)
        for way, name in itertools.product(options.shown, methods)
        if name not in _NEEDS_SEVERAL or way == "three"
    ]
    return [*rows, PERSON] if options.correct else rows


def _cases(options: argparse.Namespace) -> Cases:
    if options.made or options.model in WEAR:
        return MadeCases(options.limit)
    objects = choose_volume_objects(options.data, list_labelled(options.data), TaskLimits())
    if options.limit is not None:
        objects = objects[:: max(1, len(objects) // options.limit)][: options.limit]
    return DataCases(objects)


def _marks(options: argparse.Namespace) -> str:
    """Name the part of the page that is written anew."""
    return str(options.model) if options.model in WEAR else "data"


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
        write_between_marks(options.markdown, _marks(options), f"{title}.\n\n{text}")


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
    parser.add_argument(
        "--jobs", type=int, default=1, help="processes, of one thread each; 0 works in this one (%(default)s)"
    )
    parser.add_argument("--keep", type=Path, help="JSON lines of results: what is there is not done again")
    parser.add_argument("--plot", type=Path, help="a picture of the figures, such as FILE.png")
    parser.add_argument("--markdown", type=Path, help="a page; its part between the marks is written anew")
    parser.add_argument("--json", type=Path, help="each object's figures")
    return parser


if __name__ == "__main__":
    sys.exit(main())
