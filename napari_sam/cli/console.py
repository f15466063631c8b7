"""What the terminal shows: results on stdout, progress and failures on stderr; and Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_sam.core.jobs import Cancel

__all__ = ["ProgressBar", "cancel_on_interrupt", "say", "shown_progress", "tell"]


def say(line: str) -> None:
    """Write a line of results."""
    sys.stdout.write(line + "\n")


def tell(line: str) -> None:
    """Write a line for the person, beside the results."""
    sys.stderr.write(f"napari-sam: {line}\n")


class ProgressBar:
    """Shows the stage that is under way as one bar on stderr, where that is a terminal; nothing elsewhere.

    Parameters
    ----------
    counts_bytes : bool
        Whether what is counted are bytes.
    """

    def __init__(self, counts_bytes: bool = False) -> None:
        self._unit = {"unit": "B", "unit_scale": True} if counts_bytes else {}
        self._bar: Any = None
        self._stage = ""

    def __call__(self, stage: str, n_done: int, n_total: int) -> None:
        """Show how far a stage is; see `napari_sam.nodes.progress.Progress`."""
        if stage != self._stage or self._bar is None or self._bar.total != n_total:
            self._start(stage, n_done, n_total)
        self._bar.update(n_done - self._bar.n)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _start(self, stage: str, n_done: int, n_total: int) -> None:
        from tqdm import tqdm

        self.close()
        self._stage = stage
        self._bar = tqdm(
            total=n_total,
            initial=n_done,
            desc=stage,
            file=sys.stderr,
            disable=None,
            leave=False,
            **self._unit,
        )


@contextmanager
def shown_progress(counts_bytes: bool = False) -> Iterator[ProgressBar]:
    """Give a progress bar, and take it away at the end."""
    bar = ProgressBar(counts_bytes)
    try:
        yield bar
    finally:
        bar.close()


@contextmanager
def cancel_on_interrupt() -> Iterator[Cancel]:
    """Give a `Cancel` that Ctrl-C sets, so that work stops where it can be kept; the second stops at once."""
    from napari_sam.core.jobs import Cancel

    cancel = Cancel()
    if threading.current_thread() is not threading.main_thread():
        yield cancel
        return

    def on_interrupt(*_: object) -> None:
        if cancel.requested:
            raise KeyboardInterrupt
        cancel.cancel()

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield cancel
    finally:
        signal.signal(signal.SIGINT, before)
