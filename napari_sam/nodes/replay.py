"""Sessions done again: exactly, from their logs, or anew with a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import volumes
from napari_sam.core.again import do_again
from napari_sam.core.jobs import Cancel
from napari_sam.core.naming import algorithm_name, object_segments
from napari_sam.core.objects import SessionState
from napari_sam.core.scores import dice
from napari_sam.core.segmenter import Segmenter
from napari_sam.core.session import Session
from napari_sam.errors import StoreError
from napari_sam.nodes.outputs import check_label_suffix, check_outputs
from napari_sam.store import SavedSession, SessionFolder
from napari_sam.store.session_loading import JSON_NAME
from napari_sam.store.session_log import LoggedSession, deeds_of, first_line
from volumes import Geometry, Provenance, Volume

__all__ = ["ReplayReport", "ReplayedObject", "is_session", "replay_session", "sessions_in"]


@dataclass(frozen=True)
class ReplayedObject:
    """One object: its voxels in the replay, and in the session as it was kept, and how far they agree."""

    id: int
    name: str
    voxels: int
    voxels_kept: int
    dice: float


@dataclass(frozen=True)
class ReplayReport:
    """What a replay gave.

    Attributes
    ----------
    session : Path
        The folder.
    n_actions : int
        How many lines its log has.
    model : str
        What answered; empty where the log alone was replayed.
    objects : tuple of ReplayedObject
        By id, those of the replay and of the kept session.
    is_same : bool
        Whether all labels are those that the session keeps.
    notes : tuple of str
        What was left out.
    """

    session: Path
    n_actions: int
    model: str
    objects: tuple[ReplayedObject, ...]
    is_same: bool
    notes: tuple[str, ...]


def is_session(path: Path) -> bool:
    """Return whether a folder holds a session."""
    return (path / JSON_NAME).is_file()


def sessions_in(path: Path) -> tuple[Path, ...]:
    """Return a session, or those that lie in a folder, by name; none where there are none."""
    if is_session(path):
        return (path,)
    return tuple(sorted(one for one in path.iterdir() if is_session(one))) if path.is_dir() else ()


def replay_session(
    path: Path,
    out: Path | None = None,
    *,
    volume: Volume | None = None,
    segmenter: Segmenter | None = None,
    cancel: Cancel | None = None,
) -> ReplayReport:
    """Make a session's labels from its log, and compare them with those that it keeps.

    Parameters
    ----------
    path : Path
        The session's folder; it is not changed.
    out : Path, optional
        Where the labels go, in the geometry of the image.
    volume : Volume, optional
        The image; needed to ask a model, and for formats that refer to the image's files.
    segmenter : Segmenter, optional
        Answers all prompts and propagations anew. None replays the log, which needs no model.
    cancel : Cancel, optional
        Looked at before each action.

    Raises
    ------
    StoreError
        No session, another image's, a damaged one, or one without a log that begins at the beginning.
    VolumeError
        The labels cannot be written.
    """
    if out is not None:
        check_label_suffix(out)
        check_outputs([path], [out])
    saved = SessionFolder(path).load()
    if volume is not None and not saved.belongs_to(volume):
        raise StoreError(f"{path} is the session of another image; give the image that it was made on")
    notes, model = saved.notes, ""
    if segmenter is None:
        labels, state = _replayed(path, saved)
    else:
        if volume is None:
            raise StoreError(f"no image is given to do {path} again on; give the one that it was made on")
        labels, state, left_out = _anew(path, saved, volume, segmenter, cancel)
        notes, model = (*notes, *left_out), segmenter.name
    if out is not None:
        drawn_by = model or ("" if saved.model is None else saved.model.name)
        segments = object_segments(state.objects.values(), algorithm_name(drawn_by))
        volumes.write(out, labels, like=volume or _empty_image(saved), segments=segments)
    objects = _compared(labels, state, saved)
    is_same = bool(np.array_equal(labels, saved.labels))
    return ReplayReport(path, len(saved.actions), model, objects, is_same, notes)


def _replayed(path: Path, saved: SavedSession) -> tuple[NDArray[Any], SessionState]:
    """Replay a log; a session of version 1, which has no beginning, is as it was kept."""
    first = first_line(path)
    if first is None or not saved.is_whole:
        return saved.labels, saved.state
    made = LoggedSession.begun(first, saved.volume_shape)
    made.go_on(saved.actions, checks=True)
    return made.labels, made.state


def _anew(
    path: Path, saved: SavedSession, volume: Volume, segmenter: Segmenter, cancel: Cancel | None
) -> tuple[NDArray[Any], SessionState, Sequence[str]]:
    first = first_line(path)
    if first is None:
        raise StoreError(f"{path} has no log that begins at its beginning; replay it without --again")
    begun = LoggedSession.begun(first, saved.volume_shape)
    session = Session.resumed(volume, begun.labels, begun.state, begun.history, saved.window)
    left_out = do_again(session, deeds_of(saved.actions), segmenter, cancel)
    return session.labels, session.state, left_out


def _compared(labels: NDArray[Any], state: SessionState, saved: SavedSession) -> tuple[ReplayedObject, ...]:
    found = []
    for number in sorted({*state.objects, *saved.objects}):
        one = state.objects.get(number) or saved.objects[number]
        replayed, kept = labels == number, saved.labels == number
        n_replayed, n_kept = int(np.count_nonzero(replayed)), int(np.count_nonzero(kept))
        found.append(ReplayedObject(number, one.name, n_replayed, n_kept, dice(replayed, kept)))
    return tuple(found)


def _empty_image(saved: SavedSession) -> Volume:
    """Return an image without voxels in the session's geometry, to write labels like."""
    shape = saved.volume_shape
    geometry = Geometry(shape, np.asarray(saved.manifest.affine_lps_mm, dtype=np.float64))
    return Volume(np.broadcast_to(np.zeros((), np.uint8), shape), geometry, Provenance("session"))
