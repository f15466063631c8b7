"""Keep what C libraries print off stderr."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2
_one_at_a_time = threading.Lock()


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send the process's stderr nowhere for a moment.

    The decoders inside GDCM print to it directly while they try one codec after another, and have no switch.
    What other threads print meanwhile is lost too, so keep the body to the one call.
    """
    with _one_at_a_time:
        try:
            kept = os.dup(_STDERR)
        except OSError:  # a program without a console has no stderr
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STDERR)
        os.close(nowhere)
        try:
            yield
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)


@contextmanager
def quiet_sitk() -> Iterator[None]:
    """Keep ITK's warnings off stderr."""
    import SimpleITK

    before = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(before)
