"""The sessions that keep themselves: which there are, how large, and taking some away when asked to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_sam.errors import SettingsError
from napari_sam.settings import Settings
from napari_sam.store import PendingSession, pending_sessions
from napari_sam.store.journal import discard

__all__ = ["KeptSession", "list_kept", "remove_kept"]

_DAY_S = 86_400.0


@dataclass(frozen=True)
class KeptSession:
    """A kept session that no program works on now.

    Attributes
    ----------
    name : str
        Name of its folder, which says nothing of the image or of whom it shows.
    changed_s : float
        When something was done last, in seconds since the epoch.
    shape : tuple of int
        (P, R, C) of its image.
    n_objects : int
        Objects when it was last saved whole.
    n_bytes : int
        What it takes on the disk.
    was_closed : bool
        Whether work ended in good order; otherwise it is offered as work that was cut off.
    path : Path
        Its folder.
    """

    name: str
    changed_s: float
    shape: tuple[int, int, int]
    n_objects: int
    n_bytes: int
    was_closed: bool
    path: Path


def list_kept(settings: Settings | None = None) -> tuple[KeptSession, ...]:
    """List the kept sessions, those changed last first.

    Parameters
    ----------
    settings : Settings, optional
        Says where they are (`Settings.sessions_dir`); resolved where None.
    """
    folder = (settings or Settings.resolve()).sessions_dir
    return tuple(_described(one) for one in pending_sessions(folder))


def remove_kept(
    names: Sequence[str] = (), older_than_days: float | None = None, settings: Settings | None = None
) -> tuple[KeptSession, ...]:
    """Delete kept sessions for good: those named, and those not changed for so many days.

    Parameters
    ----------
    names : sequence of str
        As `list_kept` gives them.
    older_than_days : float, optional
        None takes no session for its age.
    settings : Settings, optional
        As for `list_kept`.

    Returns
    -------
    tuple of KeptSession
        What was deleted.

    Raises
    ------
    SettingsError
        A name that is not there, or that a program works on now; an age below 0. Nothing is deleted then.
    """
    if older_than_days is not None and not older_than_days >= 0:
        raise SettingsError(f"an age in days is 0 or more, not {older_than_days:g}; give such a number")
    kept = list_kept(settings)
    missing = [name for name in names if name not in {one.name for one in kept}]
    if missing:
        raise SettingsError(
            f"no session {missing[0]!r} can be removed: it is not there, or a program works on it; "
            "`napari-sam sessions list` shows those that can"
        )
    latest = None if older_than_days is None else time.time() - older_than_days * _DAY_S
    chosen = [one for one in kept if one.name in names or (latest is not None and one.changed_s < latest)]
    for one in chosen:
        discard(one.path)
    return tuple(chosen)


def _described(found: PendingSession) -> KeptSession:
    manifest = found.manifest
    n_bytes = sum(file.stat().st_size for file in found.path.rglob("*") if file.is_file())
    return KeptSession(
        found.path.name,
        found.changed_s,
        manifest.volume_shape,
        len(manifest.objects),
        n_bytes,
        not found.has_crashed,
        found.path,
    )
