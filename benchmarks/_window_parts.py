"""Where the time of a click goes: the parts of the window's thread, each without the parts inside it."""

from __future__ import annotations

import statistics
import threading
import time
from collections import defaultdict
from typing import Any

from napari._qt.qt_main_window import _QtMainWindow
from qtpy.QtTest import QTest
from vispy.app.backends._qt import CanvasBackendDesktop

from napari_sam.core.session import Session
from napari_sam.plugin._asking import Asking
from napari_sam.plugin._layers import SessionLayers
from napari_sam.plugin._worker import Worker
from napari_sam.plugin.controller import Controller
from napari_sam.plugin.widget import SamWidget

__all__ = ["Parts", "parts_of_a_click"]

WAITING = "nothing: what is asked for happens elsewhere"


def parts_of_a_click() -> list[tuple[Any, str, str]]:
    """Name the parts of a click; the frame's are vispy's, and napari's and Qt's own."""
    return [
        (QTest, "mouseClick", "press and release, from Qt through napari to us"),
        (Session, "prompt", "the prompt in the session, and in its journal"),
        (Asking, "ask", "the question to the worker"),
        (Worker, "leave_to", "waiting for the answer, with nothing else in its way"),
        (Asking, "prefetch", "what to prepare next"),
        (Session, "apply", "the answer in the session, and in its journal"),
        (SessionLayers, "redraw", "the labels' layer"),
        (SessionLayers, "show_prompts", "the marks of the prompts"),
        (SessionLayers, "show_colours", "the labels' colours"),
        (Controller, "show", "the panels' state"),
        (SamWidget, "_draw", "the panels"),
        (CanvasBackendDesktop, "paintGL", "drawing the canvas"),
        (_QtMainWindow, "event", "putting the window together, by Qt"),
    ]


class Parts:
    """Times some methods of classes from now on, each call without the timed calls inside it.

    Parameters
    ----------
    methods : list of (type, str, str)
        The class, the method's name, and what it is called in the table. Two may have one name.
    """

    def __init__(self, methods: list[tuple[Any, str, str]]) -> None:
        self._thread = threading.get_ident()
        self._inner: list[list[float]] = []
        self._now: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
        self._all: list[dict[str, list[float]]] = []
        self._names = list(dict.fromkeys(name for *_, name in methods))
        for owner, method, name in methods:
            self._wrap(owner, method, name)

    def forget(self) -> None:
        """Forget the clicks so far."""
        self._all.clear()

    def begin(self) -> None:
        """Begin with a click."""
        self._now.clear()

    def end(self, wall_s: float) -> None:
        """End a click that took so many seconds; the rest of them was spent waiting."""
        parts = {name: list(values) for name, values in self._now.items()}
        parts[WAITING] = [wall_s - sum(part[0] for part in parts.values()), 0.0, 1.0]
        self._all.append(parts)

    def lines(self) -> list[str]:
        """Return the table: means of a click, in milliseconds on the clock and on the processor."""
        lines = [f"{'clock':>8} {'processor':>9} {'calls':>6}   of the window's thread, a click, ms"]
        for name in (*self._names, WAITING):
            rows = [click.get(name, [0.0, 0.0, 0.0]) for click in self._all]
            wall, cpu, calls = (statistics.mean(column) for column in zip(*rows, strict=True))
            lines.append(f"{1e3 * wall:8.1f} {1e3 * cpu:9.1f} {calls:6.1f}   {name}")
        return lines

    def _wrap(self, owner: Any, method: str, name: str) -> None:
        plain = getattr(owner, method)

        def timed(*arguments: Any, **options: Any) -> Any:
            if threading.get_ident() != self._thread:
                return plain(*arguments, **options)
            self._inner.append([0.0, 0.0])
            started = time.perf_counter(), time.thread_time()
            try:
                return plain(*arguments, **options)
            finally:
                spent = time.perf_counter() - started[0], time.thread_time() - started[1]
                inner = self._inner.pop()
                for one in self._inner[-1:]:
                    one[0], one[1] = one[0] + spent[0], one[1] + spent[1]
                part = self._now[name]
                part[0] += spent[0] - inner[0]
                part[1] += spent[1] - inner[1]
                part[2] += 1

        setattr(owner, method, timed)
