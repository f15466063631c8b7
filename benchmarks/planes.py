"""Mean IoU from one box and from one point, by kind of image, beside classical methods.

``python -m benchmarks.planes --data DIR``, where DIR has an ``INDEX.tsv`` (see ``benchmarks/README.md``).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from benchmarks._machine import load_average, machine
from benchmarks._scores import kind_table
from benchmarks._tasks import Task, make_tasks
from napari_sam.core.classical_box import BOX_METHODS
from napari_sam.core.classical_point import POINT_METHODS
from napari_sam.core.scores import mask_iou
from napari_sam.nodes.tables import format_table, round_floats

DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "data" / "eval"
VERSION = 3
"""Of the classical methods and the tasks; cached results of another one are not used."""
Scores = dict[str, float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the tasks, score the methods, print the tables; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        tasks = make_tasks(
            options.data, per_kind=options.per_kind, per_item=options.per_item, jitter=options.jitter
        )
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    peers = [] if options.no_classical else score_classical(tasks, options.classical_cache)
    ours, name = ([], "") if options.no_ours else _score_ours(tasks, options)
    columns = {f"{name} {key}".strip(): [score[key] for score in ours] for key in (ours[0] if ours else {})}
    columns |= {key: [score[key] for score in peers] for key in (peers[0] if peers else {})}
    kinds = [task.kind for task in tasks]
    for title, names in _tables(list(columns), best_of_3=options.best_of_3):
        if names:
            heads, rows = kind_table(kinds, {key: columns[key] for key in names})
            print(f"\n{title}\n")
            print(format_table(heads, rows, markdown=options.markdown))
    if options.json:
        _write_json(options, tasks, columns)
    return 0


def score_classical(tasks: Sequence[Task], cache: Path | None = None) -> list[Scores]:
    """IoU of every classical method on every task; what is in the cache file is not computed again."""
    known: dict[str, Scores] = {}
    if cache is not None and cache.is_file():
        known = json.loads(cache.read_text(encoding="utf-8"))
    try:
        for task in tqdm(tasks, desc="classical", file=sys.stderr):
            scores = known.setdefault(_fingerprint(task), {})
            scores |= _classical(task, {*BOX_METHODS, *POINT_METHODS} - set(scores))
    finally:
        if cache is not None:
            cache.write_text(json.dumps(round_floats(known, 5), indent=0), encoding="utf-8")
    return [known[_fingerprint(task)] for task in tasks]


def _classical(task: Task, wanted: set[str]) -> Scores:
    from_box = {name: method for name, method in BOX_METHODS.items() if name in wanted}
    from_point = {name: method for name, method in POINT_METHODS.items() if name in wanted}
    masks = {name: method(task.image, task.box) for name, method in from_box.items()}
    masks |= {name: method(task.image, task.point) for name, method in from_point.items()}
    return {name: mask_iou(mask, task.mask) for name, mask in masks.items()}


def _fingerprint(task: Task) -> str:
    pixels = zlib.crc32(task.mask.tobytes(), zlib.crc32(task.image.tobytes()))
    return f"v{VERSION} {task.id} {task.box} {task.point} {pixels:08x}"


def _score_ours(tasks: Sequence[Task], options: argparse.Namespace) -> tuple[list[Scores], str]:
    from benchmarks import _ours
    from napari_sam.nodes.measured import count_work

    segmenter = _ours.load(options.model, options.weights, options.device)
    started_s = time.perf_counter()
    scores = [_ours.score_task(segmenter, task) for task in tqdm(tasks, desc=segmenter.name, file=sys.stderr)]
    seconds, work = time.perf_counter() - started_s, count_work(segmenter)
    print(f"{segmenter.name} on {machine()} (load {load_average() or 0:.1f})")
    print(
        f"{len(tasks)} tasks in {seconds:.0f} s; a plane encodes in "
        f"{work.encode_s / max(1, work.cache.n_encoded):.3f} s, a prompt decodes in "
        f"{work.decode_s / max(1, 2 * len(tasks)):.3f} s"
    )
    return scores, "" if options.model == "default" else segmenter.name


def _tables(columns: Sequence[str], *, best_of_3: bool) -> list[tuple[str, list[str]]]:
    """Titles and columns of the two tables: with a box, with a point."""
    shown = [name for name in columns if best_of_3 or not name.endswith("best of 3")]
    with_point = [name for name in shown if ", point" in name or name in POINT_METHODS]
    with_box = [name for name in shown if name not in with_point]
    return [("Mean IoU with one box", with_box), ("Mean IoU with one point", with_point)]


def _write_json(options: argparse.Namespace, tasks: Sequence[Task], columns: dict[str, list[float]]) -> None:
    heads, rows = kind_table([task.kind for task in tasks], dict(columns))
    content = {
        "benchmark": "planes",
        "version": VERSION,
        "machine": machine(),
        "jitter": options.jitter,
        "table": {"heads": heads, "rows": rows},
        "tasks": [
            {
                "id": task.id,
                "kind": task.kind,
                "group": task.group,
                "area_px": int(task.mask.sum()),
                "box": task.box,
                "point": task.point,
                "iou": {name: values[i] for name, values in columns.items()},
            }
            for i, task in enumerate(tasks)
        ],
    }
    options.json.write_text(json.dumps(round_floats(content), indent=1), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planes", description=__doc__)
    add: Callable[..., argparse.Action] = parser.add_argument
    add("--data", type=Path, default=DEFAULT_DATA, help="folder with an INDEX.tsv")
    add("--per-kind", type=int, default=48, help="most tasks a kind of image")
    add("--per-item", type=int, default=8, help="most tasks an image (twice that for a volume)")
    add("--jitter", type=float, default=0.0, help="move each side of a box by up to this share, e.g. 0.08")
    add("--model", default="default", help="name of a model of the package")
    add("--weights", type=Path, help="weights to use instead of the model's own")
    add("--device", default="auto", help="auto, cpu, cuda or mps")
    add("--no-ours", action="store_true", help="classical methods alone")
    add("--no-classical", action="store_true", help="the package's model alone")
    add("--classical-cache", type=Path, help="JSON file that keeps classical results")
    add("--best-of-3", action="store_true", help="also show the best of the model's three candidates")
    add("--markdown", action="store_true", help="print Markdown tables")
    add("--json", type=Path, help="write every task's IoU to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
