"""A session on disk: a folder of three files that a person can look into.

``session.json`` (what was segmented, with what model and prompts), ``labels.nii.gz`` (the label volume, in
the image's geometry) and ``log.jsonl`` (one line an action, flushed at once). Nothing in it says where the
image lies on this machine, what it is called, or whose it is: the image is known by its digest.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import volumes
from napari_sam.core.edits import Edit
from napari_sam.core.objects import ObjectState
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.errors import InvalidPrompt, InvalidWindow, StoreError
from napari_sam.store.session_codec import edit_from_json, edit_to_json, object_from_json, object_to_json

__all__ = ["FORMAT_VERSION", "ModelReference", "SavedSession", "SessionFolder"]

FORMAT_VERSION = 1

_FORMAT = "napari-sam session"
_JSON, _LABELS, _LOG = "session.json", "labels.nii.gz", "log.jsonl"


@dataclass(frozen=True)
class ModelReference:
    """Which model answered: its name, and the sha256 of its weights in hex."""

    name: str
    weights_sha256: str


@dataclass(frozen=True, eq=False)
class SavedSession:
    """What a session folder holds.

    Attributes
    ----------
    volume_sha256 : str
        `Volume.digest` of the image.
    volume_shape : tuple of int
        (P, R, C).
    model : ModelReference or None
        The model in use.
    window : Window
        The intensity window.
    objects : mapping of int to ObjectState
        The objects with their prompts.
    labels : NDArray, shape (P, R, C)
        The label volume as saved.
    actions : tuple of dict
        Every line of the log.
    n_saved_actions : int
        How many of these are in `labels` already; those that follow are to be done again.
    """

    volume_sha256: str
    volume_shape: tuple[int, int, int]
    model: ModelReference | None
    window: Window
    objects: Mapping[int, ObjectState]
    labels: NDArray[Any]
    actions: tuple[dict[str, Any], ...]
    n_saved_actions: int

    def edits_after(self) -> tuple[Edit, ...]:
        """Return the logged edits that `labels` does not hold yet, in order."""
        later = self.actions[self.n_saved_actions :]
        return tuple(edit_from_json(action) for action in later if action["action"] == "edit")


class SessionFolder:
    """A folder that one session is written to, by one thread.

    Parameters
    ----------
    path : path
        The folder, usually named ``*.samsession``; made when first written to.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._n_logged: int | None = None

    def save(self, session: Session, model: ModelReference | None = None) -> None:
        """Write labels and session; what was there of the same image is replaced.

        The labels are written first: a crash in between leaves a log that is done again over them, which
        changes nothing.

        Raises
        ------
        StoreError
            The folder holds something else, or the session of another image, or cannot be written to.
        VolumeError
            The labels cannot be written.
        """
        digest = session.volume.digest()
        self._claim(digest)
        volumes.write(self.path / _LABELS, session.labels, like=session.volume)
        self._replace(_JSON, _session_to_json(session, model, digest, self._count_logged()))

    def log(self, action: str, **fields: Any) -> None:
        """Add a line to the log, and hand it to the system before returning.

        Parameters
        ----------
        action : str
            What was done.
        **fields : JSON values
            Nothing that names a person or a place on this machine.

        Raises
        ------
        StoreError
            The log cannot be written to.
        """
        n_logged = self._count_logged()
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"action": action, "at": now, **fields}, separators=(",", ":"))
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with (self.path / _LOG).open("a", encoding="utf-8", newline="\n") as file:
                file.write(line + "\n")
        except OSError as error:
            raise _unwritable(self.path / _LOG, error) from error
        self._n_logged = n_logged + 1

    def log_edit(self, edit: Edit) -> None:
        """Log a change of the labels; may be put into `Session.on_edit`."""
        self.log("edit", **edit_to_json(edit))

    def load(self) -> SavedSession:
        """Read the folder.

        Raises
        ------
        StoreError
            There is no session, it is of a newer version, or it is damaged.
        VolumeError
            The labels cannot be read.
        """
        content = self._read_json()
        version = content.get("version")
        if content.get("format") != _FORMAT or version != FORMAT_VERSION:
            raise StoreError(
                f"{self.path / _JSON} is not a session of version {FORMAT_VERSION} "
                f"(it says {content.get('format')!r}, version {version!r}); open it with a newer napari-sam"
            )
        labels = np.asarray(volumes.read(self.path / _LABELS).data)
        try:
            return _session_from_json(content, labels, self._read_log())
        except (KeyError, TypeError, IndexError, ValueError, InvalidPrompt, InvalidWindow) as error:
            raise StoreError(f"{self.path / _JSON} is damaged ({error}); restore a copy") from error

    def _claim(self, digest: str) -> None:
        """Make the folder, or check that it is this image's session."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            names = {entry.name for entry in self.path.iterdir()}
        except OSError as error:
            raise _unwritable(self.path, error) from error
        if _JSON not in names:
            if names - {_LABELS, _LOG}:
                raise StoreError(
                    f"the folder {self.path} holds other files and no session; choose a new or empty folder"
                )
            return
        held = self._read_json().get("volume", {}).get("sha256")
        if held != digest:
            raise StoreError(
                f"{self.path} holds the session of another image (sha256 {str(held)[:12]}…, this one's "
                f"{digest[:12]}…); choose another folder"
            )

    def _replace(self, name: str, content: Mapping[str, Any]) -> None:
        temporary: Path | None = None
        try:
            with tempfile.NamedTemporaryFile(
                "w", dir=self.path, prefix=name, suffix=".part", delete=False, encoding="utf-8", newline="\n"
            ) as file:
                temporary = Path(file.name)
                json.dump(content, file, indent=1)
                file.write("\n")
            temporary.replace(self.path / name)
        except OSError as error:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
            raise _unwritable(self.path / name, error) from error

    def _read_json(self) -> dict[str, Any]:
        path = self.path / _JSON
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise StoreError(f"{self.path} holds no session ({_JSON} is missing); check the path") from error
        except (OSError, ValueError) as error:
            raise StoreError(f"{path} cannot be read ({error}); restore a copy, or start anew") from error
        if not isinstance(content, dict):
            raise StoreError(f"{path} holds no session; restore a copy, or start anew")
        return content

    def _read_log(self) -> tuple[dict[str, Any], ...]:
        """Read the log; a last line that a crash cut short is left out."""
        path = self.path / _LOG
        if not path.exists():
            return ()
        lines = path.read_text(encoding="utf-8").split("\n")
        return tuple(json.loads(line) for line in lines[:-1])

    def _count_logged(self) -> int:
        """Count the log's lines; the first time, cut off what a crash left of its last one."""
        if self._n_logged is None:
            path = self.path / _LOG
            try:
                text = path.read_bytes() if path.exists() else b""
                whole = text[: text.rfind(b"\n") + 1]
                if whole != text:
                    path.write_bytes(whole)
            except OSError as error:
                raise _unwritable(path, error) from error
            self._n_logged = whole.count(b"\n")
        return self._n_logged


def _session_to_json(
    session: Session, model: ModelReference | None, digest: str, n_logged: int
) -> dict[str, Any]:
    volume = session.volume
    return {
        "format": _FORMAT,
        "version": FORMAT_VERSION,
        "volume": {
            "sha256": digest,
            "shape": list(volume.shape),
            "affine_lps_mm": volume.geometry.affine.tolist(),
            "format": volume.provenance.format,
            "modality": volume.provenance.modality,
        },
        "model": None if model is None else {"name": model.name, "weights_sha256": model.weights_sha256},
        "window": [session.window.low, session.window.high],
        "labels": _LABELS,
        "n_saved_actions": n_logged,
        "objects": [object_to_json(session.objects[object_id]) for object_id in sorted(session.objects)],
    }


def _session_from_json(
    content: Mapping[str, Any], labels: NDArray[Any], actions: tuple[dict[str, Any], ...]
) -> SavedSession:
    volume, model = content["volume"], content["model"]
    objects = [object_from_json(item) for item in content["objects"]]
    planes, rows, columns = volume["shape"]
    return SavedSession(
        volume_sha256=volume["sha256"],
        volume_shape=(planes, rows, columns),
        model=None if model is None else ModelReference(model["name"], model["weights_sha256"]),
        window=Window(*content["window"]),
        objects={state.id: state for state in objects},
        labels=labels,
        actions=actions,
        n_saved_actions=content["n_saved_actions"],
    )


def _unwritable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"cannot write {path} ({error.strerror or error}); choose a folder that can be written to"
    )
