"""Starting a session, or going on with one that lies in a folder."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.store.session_file import SessionFolder
from volumes import Volume

__all__ = ["open_session"]

_MANIFEST = "session.json"


def open_session(
    volume: Volume, window: Window, folder: SessionFolder | None, fresh_ids: Collection[int]
) -> Session:
    """Start a session, with what a session folder of the same image holds.

    Parameters
    ----------
    volume : Volume
        The image.
    window : Window
        The window from now on, whatever the folder says.
    folder : SessionFolder or None
        Where the session is kept; None, or a folder without a session, starts with empty labels.
    fresh_ids : collection of int
        Objects that are to start anew: their old voxels and prompts are dropped.

    Raises
    ------
    StoreError
        The folder holds something else, the session of another image, or is damaged.
    """
    if folder is None or not (folder.path / _MANIFEST).exists():
        session = Session(volume, window=window)
    else:
        saved = folder.load()
        if saved.volume_sha256 != volume.digest():
            session = Session(volume, window=window)
        else:
            labels = saved.labels.astype(np.uint32 if saved.labels.dtype.itemsize > 2 else np.uint16)
            for edit in saved.edits_after():
                labels[edit.box.slices()] = edit.after
            labels[np.isin(labels, list(fresh_ids))] = 0
            kept = {number: state for number, state in saved.objects.items() if number not in fresh_ids}
            session = Session(volume, labels, window=window, objects=kept)
    if folder is not None:
        folder.save(session)  # refuses a folder that holds something else, before any model is loaded
    return session
