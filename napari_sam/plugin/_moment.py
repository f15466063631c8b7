"""Work for the window that waits a moment, because what comes meanwhile may make it needless."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QTimer

__all__ = ["Moment"]

MOMENT_MS = 80
"""Shorter than a person notices, longer than a model takes on a plane that it has seen."""


class Moment:
    """Calls what it was given last, a moment after it was given something first."""

    def __init__(self) -> None:
        self._call: Callable[[], None] = lambda: None
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._over)

    def wait(self, call: Callable[[], None]) -> None:
        """Call this in a moment; nothing that it was given before and has not called yet."""
        self._call = call
        if not self._timer.isActive():
            self._timer.start(MOMENT_MS)

    def stop(self) -> None:
        """Call nothing any more."""
        self._timer.stop()

    def _over(self) -> None:
        self._call()
