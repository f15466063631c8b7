"""Work for the window that waits a moment, because what comes meanwhile may make it needless."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QTimer

__all__ = ["Moment"]

MOMENT_MS = 80
"""Shorter than a person notices, longer than a model takes on a plane that it has seen."""


def _nothing() -> None:
    """Do nothing."""


class Moment:
    """Calls what it was given last, a moment after it was given something first.

    It owns nothing of Qt, which may be gone when the window stops.
    """

    def __init__(self) -> None:
        self._call = _nothing
        self._is_waiting = False

    def wait(self, call: Callable[[], None]) -> None:
        """Call this in a moment; nothing that it was given before and has not called yet."""
        self._call = call
        if not self._is_waiting:
            self._is_waiting = True
            QTimer.singleShot(MOMENT_MS, self._over)

    def stop(self) -> None:
        """Call nothing that it was given so far."""
        self._call = _nothing

    def _over(self) -> None:
        call, self._call, self._is_waiting = self._call, _nothing, False
        call()
