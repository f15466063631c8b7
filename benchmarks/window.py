"""How long a click takes until its mask is on the screen, and what five hundred clicks cost in memory.

``xvfb-run -a -s "-screen 0 1600x1000x24" python -m benchmarks.window`` (on a desktop without ``xvfb-run``). A
real window, real mouse events, the embedded model, and a volume of 60 planes of 512 x 512 pixels with bright
ellipsoids. The clicks go to planes that the model has seen before, five for each object. A frame without any
click is timed too, for without a GPU most of the time is drawing. Of the memory, what the history of undo
holds and what the cache of embeddings holds (a click may ask for a closer look, which is kept) are counted by
themselves: each ends at its limit, while what is left must not grow.
"""

from __future__ import annotations

import argparse
import inspect
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Neither the settings nor the cache of the person who runs this take part.
_FOLDER = Path(tempfile.mkdtemp(prefix="napari-sam-window-"))
os.environ["NAPARI_CONFIG"] = str(_FOLDER / "settings.yaml")
os.environ["NAPARI_SAM_CACHE_DIR"] = str(_FOLDER / "cache")
os.environ["NAPARI_SAM_SESSIONS_DIR"] = str(_FOLDER / "sessions")
RAM_BUDGET = 2_000_000_000
os.environ["NAPARI_SAM_RAM_BUDGET_BYTES"] = str(RAM_BUDGET)

import napari
import numpy as np
import qtpy

from benchmarks._machine import load_average, machine
from benchmarks._window_desk import Click, Desk, in_event_loop
from benchmarks._window_parts import Parts, parts_of_a_click
from napari_sam.core.history import History

LIMIT_S, LIMIT_MB = 0.100, 5.0
"""Bars: from the press to the mask on the screen; memory beside the history, per 100 clicks."""

WARM_UP = 20


def main() -> int:
    """Measure and print; always 0, since a time is no test."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.window", description=__doc__)
    parser.add_argument("--clicks", type=int, default=500)
    parser.add_argument("--trim", action="store_true", help="first let glibc give back what is free")
    parser.add_argument("--parts", action="store_true", help="say where the time of a click goes")
    parser.add_argument("--preparing", action="store_true", help="click while other planes are encoded")
    parser.add_argument("--answer-ms", type=float, default=0.0, help="make each answer take at least so long")
    options = parser.parse_args()
    return in_event_loop(lambda: _measure(options))


def _measure(options: argparse.Namespace) -> int:
    print(f"{machine()} (load {load_average() or 0:.1f}), napari {napari.__version__}, {qtpy.API_NAME}")
    parts = Parts(parts_of_a_click()) if options.parts else None
    desk = Desk(parts)
    desk.trims = options.trim
    desk.get_ready()
    print(f"drawn by {desk.renderer()}")
    desk.prepares_meanwhile, desk.least_answer_s = options.preparing, options.answer_ms / 1e3
    for _ in range(WARM_UP):
        desk.click()
    frames_s = [desk.frame() for _ in range(20)]
    if parts is not None:
        parts.forget()
    clicks, seen = _clicks(desk, options.clicks)
    _tell_times(clicks, frames_s, desk.model_s[-len(clicks) :])
    for line in [] if parts is None else parts.lines():
        print(line)
    _tell_growth(seen, desk.control.session.history)
    desk.viewer.close()
    return 0


def _clicks(desk: Desk, n_clicks: int) -> tuple[list[Click], list[tuple[int, ...]]]:
    """Click; returns each one's times, and (clicks, memory, history, embeddings in bytes) each hundred."""
    clicks: list[Click] = []
    seen: list[tuple[int, ...]] = [(0, *desk.memory_bytes())]
    _tell_memory(*seen[-1])
    for number in range(1, n_clicks + 1):
        clicks.append(desk.click())
        if number % 100 == 0 or number == n_clicks:
            seen.append((number, *desk.memory_bytes()))
            _tell_memory(*seen[-1])
    return clicks, seen


def _tell_times(clicks: Sequence[Click], frames_s: list[float], model_s: list[float]) -> None:
    frame_s, answer_s = statistics.median(frames_s), statistics.median(model_s)
    print(f"a frame without a click: {1e3 * frame_s:.0f} ms; the model's answer: {1e3 * answer_s:.0f} ms")
    twice = [click for click in clicks if click.n_answers > 1]
    n_first = sum(click.is_first for click in twice)
    print(
        f"{len(twice)} clicks of {len(clicks)} got a glance first, {n_first} of them the first on an object"
    )
    _tell("the mask in the labels", [click.written_s for click in clicks])
    _tell("the mask on the screen", [click.drawn_s for click in clicks])
    _tell("the mask that stays on the screen", [click.last_drawn_s for click in clicks])
    for what, some in (
        ("a first click", [click for click in clicks if click.is_first]),
        ("what followed a glance", twice),
    ):
        if some:
            drawn_s = statistics.median(click.drawn_s for click in some)
            last_s = statistics.median(click.last_drawn_s for click in some)
            print(f"of {what}, medians: {1e3 * drawn_s:.0f} ms to a mask, {1e3 * last_s:.0f} ms to the last")


def _tell(what: str, some: Sequence[float]) -> None:
    middle, late = statistics.median(some), float(np.quantile(some, 0.95))
    print(
        f"press of the mouse to {what}: median {1e3 * middle:.0f} ms, 95 % within {1e3 * late:.0f} ms, all "
        f"within {1e3 * max(some):.0f} ms: {middle / LIMIT_S:.2f}, {late / LIMIT_S:.2f} and "
        f"{max(some) / LIMIT_S:.2f} times the bar of {1e3 * LIMIT_S:.0f} ms"
    )


def _tell_memory(n_clicks: int, whole: int, kept: int, cached: int) -> None:
    parts = f"history {kept / 1e6:.1f} MB, embeddings {cached / 1e6:.1f} MB"
    print(f"after {n_clicks} clicks: {whole / 1e6:.1f} MB, of which {parts}", flush=True)


def _tell_growth(seen: list[tuple[int, ...]], history: History[Any]) -> None:
    hundreds = (seen[-1][0] - seen[0][0]) / 100
    whole, kept, cached = ((seen[-1][part] - seen[0][part]) / 1e6 / hundreds for part in (1, 2, 3))
    limit = inspect.signature(History).parameters["limit"].default
    a_step = seen[-1][2] / 1e6 / max(len(history.done), 1)
    print(
        f"{whole:.2f} MB per 100 clicks, {kept:.2f} of them history ({len(history.done)} steps of "
        f"{1e3 * a_step:.0f} kB; it keeps {limit}, which is {limit * a_step:.0f} MB at most)"
    )
    print(f"{cached:.2f} of them embeddings of closer looks, up to the cache's {RAM_BUDGET / 1e9:.0f} GB")
    rest = whole - kept - cached
    print(f"beside these {rest:.2f} MB per 100 clicks, {rest / LIMIT_MB:.2f} times the bar")


if __name__ == "__main__":
    sys.exit(main())
