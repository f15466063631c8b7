"""Reads damaged files of every format, and counts crashes, hangs, tracebacks and runaway memory.

``python -m benchmarks.fuzz [--data DIR] [--files 10000] [--seed 1] [--replay N] [--keep DIR]``. A file may be
read, or refused with one line; all else is a failure. Files are numbered: the same seed gives the same ones.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._fuzz_cases import FAILED, READ, REFUSED, Outcome, judge_case, make_case, reference_of
from benchmarks._fuzz_seeds import Seed, make_seeds
from benchmarks._machine import load_average, machine

_LIMIT_BYTES = 3 << 29  # 1.5 GiB
_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Found:
    """What became of one numbered file."""

    number: int
    format: str
    case: str
    outcome: Outcome


class Worker:
    """A process that reads many files, and is started anew after it died or was stopped."""

    def __init__(self, arguments: Sequence[str], limit_s: float) -> None:
        self._arguments, self._limit_s = list(arguments), limit_s
        self._process: Any = None
        self._printed = tempfile.NamedTemporaryFile(prefix="fuzz-stderr-")  # noqa: SIM115 - until `stop`

    def judge(self, number: int) -> Found:
        """Have one file made, read and judged."""
        process = self._process or self._start()
        printed_bytes = Path(self._printed.name).stat().st_size
        process.stdin.write(f"{number}\n")
        process.stdin.flush()
        watch = threading.Timer(self._limit_s, process.kill)
        watch.start()
        began = time.monotonic()
        made, answer = process.stdout.readline(), process.stdout.readline()
        watch.cancel()
        case = json.loads(made) if made else {"format": "?", "case": f"{number} (could not be made)"}
        if answer:
            outcome = Outcome(**json.loads(answer))
        else:
            code = self._end()
            is_hang = time.monotonic() - began >= self._limit_s
            words = f"no end after {self._limit_s:g} s" if is_hang else f"the process died with {code}"
            outcome = Outcome(FAILED, f"{words}; it printed {self._printed_since(printed_bytes)!r}")
        return Found(number, case["format"], case["case"], outcome)

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._end()
        self._printed.close()

    def _end(self) -> int:
        """Close the pipes, and return the code with which the process ends then."""
        process, self._process = self._process, None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()
        return process.wait()

    def _start(self) -> Any:
        command = [sys.executable, "-X", "faulthandler", "-m", "benchmarks._fuzz_worker", *self._arguments]
        process = self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._printed, text=True, cwd=_ROOT
        )
        process.stdout.readline()  # it says that its libraries are loaded: what follows is timed
        return process

    def _printed_since(self, start: int) -> str:
        """Return what the process printed, from the last fatal error on where there was one."""
        content = Path(self._printed.name).read_bytes()[start:].decode(errors="replace")
        return " ".join(content[max(content.rfind("Fatal Python error"), 0) :].split())[:600]


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the damaged files and print the table; 1 where something failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--data", type=Path, help="folder with dicom_zoo and format_zoo, whose small files are taken too"
    )
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="FORMAT", help="seeds of these formats; numbers change"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limit-s", type=float, default=30.0, help="a file that takes longer hangs")
    parser.add_argument(
        "--cli", type=float, default=0.05, help="share that goes through `napari-sam info` too"
    )
    parser.add_argument("--keep", type=Path, help="folder for the files that failed")
    parser.add_argument("--replay", type=int, nargs="+", help="read these numbers only, in this process")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="fuzz-seeds-") as folder:
        seeds = make_seeds(Path(folder) / "seeds", options.data, options.only)
        if options.replay:
            return replay(seeds, options)
        print(
            f"{machine()} (load {load_average() or 0:.1f}); "
            f"{options.files} files of {len(seeds)} seeds, seed {options.seed}"
        )
        worker = [str(Path(folder) / "seeds"), str(options.seed), str(options.cli), str(_LIMIT_BYTES)]
        if options.keep is not None:
            options.keep.mkdir(parents=True, exist_ok=True)
            worker.append(str(options.keep.resolve()))
        began = time.monotonic()
        counts: Counter[tuple[str, str]] = Counter()
        for found in judged(options.files, options.workers, worker, options.limit_s):
            counts[found.format, found.outcome.kind] += 1
            if found.outcome.kind == FAILED:
                print(f"FAILED {found.case}\n    {found.outcome.words}", flush=True)
        print(table(counts))
        print(f"{time.monotonic() - began:.0f} s, {options.workers} processes")
    return 1 if any(kind == FAILED for _, kind in counts) else 0


def judged(n_files: int, n_workers: int, arguments: Sequence[str], limit_s: float) -> Iterator[Found]:
    """Judge the files with several processes, each watched by a thread; in no order."""
    numbers: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    results: queue.SimpleQueue[Found | None] = queue.SimpleQueue()
    for number in [*range(n_files), *[None] * n_workers]:
        numbers.put(number)

    def work() -> None:
        worker = Worker(arguments, limit_s)
        while (number := numbers.get()) is not None:
            results.put(worker.judge(number))
        worker.stop()
        results.put(None)

    for _ in range(n_workers):
        threading.Thread(target=work, daemon=True).start()
    n_running = n_workers
    while n_running:
        found = results.get()
        if found is None:
            n_running -= 1
        else:
            yield found


def replay(seeds: Sequence[Seed], options: argparse.Namespace) -> int:
    """Read numbered files here and show what happens, errors in full."""
    like = reference_of(seeds)
    for number in options.replay:
        with tempfile.TemporaryDirectory(prefix="fuzz-case-") as folder:
            case = make_case(seeds, options.seed, number, Path(folder))
            print(case.words, flush=True)
            outcome = judge_case(case, like, with_cli=True)
            print(f"    {outcome.kind} {outcome.words}")
            if options.keep is not None:
                shutil.copytree(folder, options.keep / str(number), dirs_exist_ok=True)
    return 0


def table(counts: Counter[tuple[str, str]]) -> str:
    """Lay the counts out, one format a line."""
    lines = ["| format | files | read | refused | failed |", "|---|---|---|---|---|"]
    for format_ in sorted({format_ for format_, _ in counts}):
        kinds = [counts[format_, kind] for kind in (READ, REFUSED, FAILED)]
        lines.append(f"| {format_} | {sum(kinds)} | {' | '.join(map(str, kinds))} |")
    total = [
        sum(count for (_, its), count in counts.items() if its == kind) for kind in (READ, REFUSED, FAILED)
    ]
    lines.append(f"| all | {sum(total)} | {' | '.join(map(str, total))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
