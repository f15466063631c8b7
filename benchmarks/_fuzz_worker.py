"""Reads damaged files whose numbers come on stdin, and answers each with a line of JSON on stdout."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks._fuzz_cases import (
    FAILED,
    Case,
    Outcome,
    flush_streams,
    judge_case,
    make_case,
    reference_of,
    size_words,
)
from benchmarks._fuzz_seeds import load_seeds
from benchmarks._machine import FORGET_PEAK, STATUS, own_memory_bytes
from volumes import Volume

_ADDRESSES_BYTES = 3 << 30


def main() -> int:
    """Answer until stdin ends."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks._fuzz_worker", description=__doc__)
    parser.add_argument("seeds", type=Path)
    parser.add_argument("seed", type=int)
    parser.add_argument("cli_share", type=float)
    parser.add_argument("limit_bytes", type=int)
    parser.add_argument("keep", nargs="?", type=Path)
    options = parser.parse_args()
    # Answers go where stdout led; what anybody prints goes to stderr, where it is noticed.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    seeds = load_seeds(options.seeds)
    like = reference_of(seeds)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        _warm_up(options.seeds)
        _limit_addresses(options.limit_bytes)
        print("ready", file=answers, flush=True)
        for line in sys.stdin:
            number, folder = int(line), Path(scratch) / line.strip()
            folder.mkdir()
            case = make_case(seeds, options.seed, number, folder)
            print(json.dumps({"case": case.words, "format": case.seed.format}), file=answers, flush=True)
            outcome = _watched(case, like, options)
            if outcome.kind == FAILED and options.keep is not None:
                shutil.copytree(folder, options.keep / str(number), dirs_exist_ok=True)
            shutil.rmtree(folder)
            print(json.dumps({"kind": outcome.kind, "words": outcome.words}), file=answers, flush=True)
    return 0


def _watched(case: Case, like: Volume, options: argparse.Namespace) -> Outcome:
    """Judge a case, with an eye on memory and on what is printed."""
    printed_bytes, before_bytes = os.fstat(2).st_size, own_memory_bytes("VmRSS")
    if FORGET_PEAK.exists():
        FORGET_PEAK.write_text("5")
    outcome = judge_case(case, like, with_cli=case.random.random() < options.cli_share)
    flush_streams()
    grown_bytes = own_memory_bytes("VmHWM") - before_bytes
    if grown_bytes > options.limit_bytes:
        return Outcome(
            FAILED, f"took {size_words(grown_bytes)} of memory; {outcome.kind} {outcome.words[:200]}"
        )
    if os.fstat(2).st_size > printed_bytes:
        return Outcome(
            FAILED, f"printed {_printed_since(printed_bytes)!r}; {outcome.kind} {outcome.words[:200]}"
        )
    return outcome


def _printed_since(start: int) -> str:
    """Return the first words that were printed to stderr, a file, after its first bytes."""
    place = Path("/proc/self/fd/2")
    if not place.exists():
        return "something"
    with place.open("rb") as stream:
        stream.seek(start)
        return " ".join(stream.read(300).decode(errors="replace").split())


def _warm_up(seeds: Path) -> None:
    """Read every sound seed once: what libraries load for good is not charged to a case."""
    import volumes

    for seed in load_seeds(seeds):
        try:
            volumes.read(seed.path)
        except volumes.VolumeError:
            continue


def _limit_addresses(limit_bytes: int) -> None:
    """Give the process that much more address space than it has, where the system can."""
    try:
        import resource
    except ImportError:
        return
    if STATUS.exists():
        top = own_memory_bytes("VmSize") + limit_bytes + _ADDRESSES_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (top, top))


if __name__ == "__main__":
    sys.exit(main())
