"""Starting a session, or going on with one that lies in a folder."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import replace

import numpy as np

from napari_sam.core.labels import label_values
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.nodes.image_input import ImageInput
from napari_sam.nodes.label_files import read_labels
from napari_sam.store.session_file import SessionFolder
from volumes import Segment, Volume

__all__ = ["adopt_labels", "open_session"]

_MANIFEST = "session.json"
_logger = logging.getLogger(__name__)


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
        Objects that are to start anew: their old voxels and prompts are dropped, which can be undone.

    Raises
    ------
    StoreError
        The folder holds something else, the session of another image, or is damaged.
    """
    if folder is None or not (folder.path / _MANIFEST).exists():
        session = Session(volume, window=window)
    else:
        session = folder.open(volume, window)
        for object_id in sorted(set(fresh_ids) & set(session.objects)):
            if session.objects[object_id].locked:
                session.lock(object_id, False)
            session.delete(object_id)
    if folder is not None:
        folder.save(session)  # refuses a folder that holds something else, before any model is loaded
    return session


def adopt_labels(session: Session, source: ImageInput, fresh_ids: Collection[int] = ()) -> dict[int, Segment]:
    """Take the objects of a label file into a session, named and locked.

    Parameters
    ----------
    session : Session
        Of the image that the labels belong to; they are read onto its grid.
    source : ImageInput
        The file.
    fresh_ids : collection of int
        Values to leave out.

    Returns
    -------
    dict of int to Segment
        What the file says of each object, by the object's id.

    Raises
    ------
    VolumeError
        The file cannot be read, or belongs to another image.
    InvalidPrompt
        Values that the session's labels cannot hold.
    """
    found = read_labels(source, session.volume)
    for note in found.notes:
        _logger.warning(note)
    labels = found.data
    replaced = sorted(set(label_values(labels).tolist()) & set(fresh_ids))
    if replaced:
        told = ", ".join(map(str, replaced))
        _logger.warning(f"object {told} of {source.place} is left out, as it is prompted anew")
        labels = np.where(np.isin(labels, list(fresh_ids)), labels.dtype.type(0), labels)
    named = {one.value: one for one in found.segments}
    ids = session.adopt(labels, named)
    return {ids[value]: replace(one, value=ids[value]) for value, one in named.items() if value in ids}
