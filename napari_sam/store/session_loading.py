"""Reading a session folder, of this version or an older one, whatever a crash left of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import volumes
from napari_sam.core.history import History
from napari_sam.core.labels import object_extents
from napari_sam.core.objects import SessionState
from napari_sam.errors import InvalidClass, InvalidPrompt, InvalidWindow, StoreError
from napari_sam.store.session_codec import Json, edit_from_json
from napari_sam.store.session_log import LoggedSession, first_entry_is_known, read_lines
from napari_sam.store.session_manifest import FORMAT, FORMAT_VERSION, Manifest, manifest_from_json

__all__ = ["JSON_NAME", "LABELS_NAME", "LOG_NAME", "load_folder", "read_manifest"]

JSON_NAME, LABELS_NAME, LOG_NAME = "session.json", "labels.nii.gz", "log.jsonl"
_DAMAGE = (KeyError, TypeError, IndexError, ValueError, InvalidPrompt, InvalidWindow, InvalidClass)


def load_folder(folder: Path) -> tuple[Manifest, LoggedSession, list[Json], bool, list[str]]:
    """Read a folder; returns what its files say, and what was left out.

    Returns
    -------
    Manifest, LoggedSession, list of dict, bool, list of str
        What the manifest says; labels, objects and history; the log's lines but the first; whether the log
        can be gone on with; notes.
    """
    content = read_manifest(folder)
    version = content.get("version")
    if content.get("format") != FORMAT or version not in (1, FORMAT_VERSION):
        raise StoreError(
            f"{folder / JSON_NAME} is not a session of version {FORMAT_VERSION} "
            f"(it says {content.get('format')!r}, version {version!r}); open it with a newer napari-sam"
        )
    try:
        manifest = manifest_from_json(content)
    except _DAMAGE as error:
        raise StoreError(f"{folder / JSON_NAME} is damaged ({error}); restore a copy") from error
    raw = _read_log(folder)
    lines, n_bytes = read_lines(raw)
    notes = []
    n_left_out = raw[n_bytes:].count(b"\n")
    if n_left_out:
        notes.append(f"line {len(lines) + 1} of the log is damaged; with it {n_left_out} are left out")
    if version == 1:
        return manifest, _of_version_1(folder, manifest, lines), lines, False, notes
    if not first_entry_is_known(lines):
        notes.append(
            "the log is missing; the session is as it was when its labels were written, without undo"
        )
        return manifest, _from_files(folder, manifest), [], False, notes
    n_saved = manifest.n_saved_actions if first_entry_is_known(lines, manifest.log_id) else None
    if n_saved is not None and len(lines) - 1 < n_saved:
        notes.append(
            "the log is shorter than it was; the session is as its labels were written, without undo"
        )
        return manifest, _from_files(folder, manifest), [], False, notes
    made = LoggedSession.begun(lines[0], manifest.volume_shape, draws=n_saved is None)
    if n_saved is not None:
        made.labels = _fitted(_read_labels(folder, manifest), made.labels.dtype)
    made.go_on(lines[1:], n_saved or 0)
    return (
        replace(manifest, log_id=lines[0]["id"], n_saved_actions=n_saved),
        made,
        lines[1:],
        not notes,
        notes,
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read ``session.json`` as it stands; raises StoreError."""
    path = folder / JSON_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StoreError(f"{folder} holds no session ({JSON_NAME} is missing); check the path") from error
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read ({error}); restore a copy, or start anew") from error
    if not isinstance(content, dict):
        raise StoreError(f"{path} holds no session; restore a copy, or start anew")
    return content


def _read_log(folder: Path) -> bytes:
    path = folder / LOG_NAME
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}); check its permissions") from error


def _read_labels(folder: Path, manifest: Manifest) -> NDArray[Any]:
    labels = np.asarray(volumes.read(folder / LABELS_NAME).data)
    if labels.shape != manifest.volume_shape:
        raise StoreError(
            f"{folder / LABELS_NAME} has shape {labels.shape}, the session's image {manifest.volume_shape}; "
            "restore a copy"
        )
    return labels


def _fitted(labels: NDArray[Any], dtype: np.dtype[Any] | None = None) -> NDArray[Any]:
    wanted = dtype or np.dtype(np.uint32 if labels.dtype.itemsize > 2 else np.uint16)
    return labels.astype(wanted)


def _from_files(folder: Path, manifest: Manifest) -> LoggedSession:
    """Make what the labels and the manifest say, without history."""
    return _without_history(_fitted(_read_labels(folder, manifest)), manifest)


def _of_version_1(folder: Path, manifest: Manifest, lines: list[Json]) -> LoggedSession:
    """Make what a folder of version 1 holds: later edits are in its log, objects only in its manifest."""
    labels = _fitted(_read_labels(folder, manifest))
    for number, line in enumerate(lines[manifest.n_saved_actions or 0 :], start=1):
        if line["action"] == "edit":
            try:
                edit = edit_from_json(line)
                labels[edit.box.slices()] = edit.after
            except _DAMAGE as error:
                raise StoreError(
                    f"line {number} of {LOG_NAME} is damaged ({error}); restore a copy"
                ) from error
    return _without_history(labels, manifest)


def _without_history(labels: NDArray[Any], manifest: Manifest) -> LoggedSession:
    extents = object_extents(labels)
    state = SessionState(manifest.objects)
    for number in sorted({*manifest.objects, *extents}):
        state = state.with_object(replace(state.object_or_new(number), extent=extents.get(number)))
    return LoggedSession(labels, replace(state, current_id=state.free_id), History())
