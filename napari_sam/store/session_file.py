"""A session on disk: a folder of three files that a person can look into.

``session.json`` (what was segmented, with what model and prompts), ``log.jsonl`` (one line an action, handed
to the system at once) and ``labels.nii.gz`` (the label volume at some time, in the image's geometry). Nothing
in it says where the image lies on this machine, what it is called, or whose it is: the image is known by its
digest. See docs/session-format.md.
"""

from __future__ import annotations

import json
import os
import tempfile
import weakref
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from numpy.typing import NDArray

import volumes
from napari_sam.core.history import Entry
from napari_sam.core.objects import SessionState
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.errors import StoreError
from napari_sam.store.fingerprint import fingerprint
from napari_sam.store.saved_session import SavedSession
from napari_sam.store.session_loading import JSON_NAME, LABELS_NAME, LOG_NAME, load_folder, read_manifest
from napari_sam.store.session_log import begin_line, entry_line
from napari_sam.store.session_manifest import FORMAT_VERSION, ModelReference, manifest_to_json
from volumes import Volume

__all__ = ["FORMAT_VERSION", "ModelReference", "SessionFolder"]


class SessionFolder:
    """A folder that one session is written to, by one thread.

    Parameters
    ----------
    path : path
        The folder, usually named ``*.samsession``; made when first written to.
    """

    def __init__(self, path: str | Path) -> None:
        self._log: IO[bytes] | None = None
        self.path = Path(path)
        self._followed: weakref.ref[Session] | None = None
        self._n_entries = self._n_lines = 0
        self._log_id = self._sha256 = ""
        self._n_saved: int | None = None

    def __del__(self) -> None:
        self.close()

    def open(self, volume: Volume, window: Window | None = None, sha256: str | None = None) -> Session:
        """Load the folder's session and go on with it; further entries are added to its log.

        Raises as `load` and `SavedSession.resume`.
        """
        saved = self.load()
        session = saved.resume(volume, window, sha256)
        self._sha256 = saved.volume_sha256
        if saved.is_whole:
            self._followed, self._n_entries = weakref.ref(session), session.n_entries
            self._n_lines, self._log_id = len(saved.actions), saved.manifest.log_id
            self._n_saved = saved.manifest.n_saved_actions
        return session

    def begin(
        self,
        session: Session,
        model: ModelReference | None = None,
        *,
        sha256: str = "",
        is_closed: bool = False,
    ) -> None:
        """Make the folder hold a session, without writing its label volume: the log alone has everything.

        Parameters
        ----------
        session : Session
            What to keep.
        model : ModelReference, optional
            The model in use.
        sha256 : str
            The image's digest where it is known; it may be given later.
        is_closed : bool
            Whether the work ends here.

        Raises
        ------
        StoreError
            The folder holds something else, or the session of another image, or cannot be written to.
        """
        self._sha256 = sha256 or self._sha256
        self._claim(session)
        self._catch_up(session)
        self._write_manifest(session, model, is_closed)

    def save(self, session: Session, model: ModelReference | None = None) -> None:
        """Write everything, label volume included; what was there of the same image is replaced.

        Log, labels and manifest are written in this order, each whole or not at all: after a crash in between
        the log is done again over newer labels, which changes nothing.

        Raises
        ------
        StoreError
            As `begin`.
        VolumeError
            The labels cannot be written.
        """
        self._sha256 = self._sha256 or session.volume.digest()
        self._claim(session)
        self._catch_up(session)
        n_lines = self._n_lines
        volumes.write(self.path / LABELS_NAME, session.labels, like=session.volume)
        self._n_saved = n_lines
        if self._log is not None:
            os.fsync(self._log.fileno())
        self._write_manifest(session, model, True)

    def follow(self, session: Session) -> None:
        """Add every entry of a session to the log from now on, as soon as it is made; see `begin`."""
        self._catch_up(session)
        if self.add not in session.on_entry:
            session.on_entry.append(self.add)

    def unfollow(self, session: Session) -> None:
        """Stop adding entries, and close the log."""
        if self.add in session.on_entry:
            session.on_entry.remove(self.add)
        self.close()

    def close(self) -> None:
        """Close the log; it is opened again when there is something to add."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def load(self) -> SavedSession:
        """Read the folder.

        Raises
        ------
        StoreError
            There is no session, it is of a newer version, or it is damaged.
        VolumeError
            The labels cannot be read.
        """
        manifest, made, lines, is_whole, notes = load_folder(self.path)
        return SavedSession(
            manifest, made.labels, made.state, made.history, tuple(lines), is_whole, tuple(notes)
        )

    def add(self, entry: Entry[SessionState]) -> None:
        """Add an entry to the log; may be put into `Session.on_entry`."""
        session = None if self._followed is None else self._followed()
        if session is None:
            return
        if session.n_entries != self._n_entries + 1:  # something was not written; the history has it
            self._catch_up(session)
            return
        try:
            self._open_log().write(entry_line(entry).encode())
            self._open_log().flush()
        except OSError as error:
            raise _unwritable(self.path / LOG_NAME, error) from error
        self._n_entries, self._n_lines = session.n_entries, self._n_lines + 1

    def _open_log(self) -> IO[bytes]:
        if self._log is None:
            self._log = (self.path / LOG_NAME).open("ab")
        return self._log

    def _catch_up(self, session: Session) -> None:
        """Make the log end where the session is: as it stands, or written anew from the session's history."""
        followed = None if self._followed is None else self._followed()
        if followed is session and self._n_entries == session.n_entries:
            self._cut_log()
            return
        log_id = uuid4().hex
        entries = list(session.history.entries())
        first = begin_line(log_id, *_beginning(session))
        self._replace(LOG_NAME, [first, *(entry_line(entry) for entry in entries)])
        self._followed, self._n_entries = weakref.ref(session), session.n_entries
        self._log_id, self._n_lines, self._n_saved = log_id, len(entries), None

    def _cut_log(self) -> None:
        """Cut off what a crash left of the last line."""
        if self._log is None:
            from napari_sam.store.session_log import read_lines

            path = self.path / LOG_NAME
            try:
                content = path.read_bytes()
                _, n_bytes = read_lines(content)
                if n_bytes != len(content):
                    path.write_bytes(content[:n_bytes])
            except OSError as error:
                raise _unwritable(path, error) from error

    def _claim(self, session: Session) -> None:
        """Make the folder, or check that it is this image's session."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            names = {entry.name for entry in self.path.iterdir()}
        except OSError as error:
            raise _unwritable(self.path, error) from error
        if JSON_NAME not in names:
            if names - {LABELS_NAME, LOG_NAME}:
                raise StoreError(
                    f"the folder {self.path} holds other files and no session; choose a new or empty folder"
                )
            return
        held = read_manifest(self.path)["volume"]
        if held.get("sha256") and not held.get("fingerprint"):  # of version 1
            self._sha256 = self._sha256 or session.volume.digest()
        name = "sha256" if held.get("sha256") and self._sha256 else "fingerprint"
        ours = self._sha256 if name == "sha256" else fingerprint(session.volume)
        if held.get(name) != ours:
            raise StoreError(
                f"{self.path} holds the session of another image ({name} "
                f"{str(held.get(name))[:12]}…, this one's {ours[:12]}…); choose another folder"
            )

    def _write_manifest(self, session: Session, model: ModelReference | None, is_closed: bool) -> None:
        content = manifest_to_json(
            session, model, volume_sha256=self._sha256 or None, fingerprint=fingerprint(session.volume),
            log_id=self._log_id, n_saved_actions=self._n_saved, is_closed=is_closed,
        )  # fmt: skip
        self._replace(JSON_NAME, [json.dumps(content, indent=1) + "\n"])

    def _replace(self, name: str, parts: list[str]) -> None:
        """Write a file whole or not at all."""
        if name == LOG_NAME:
            self.close()
        temporary: Path | None = None
        try:
            with tempfile.NamedTemporaryFile(
                "w", dir=self.path, prefix=name, suffix=".part", delete=False, encoding="utf-8", newline="\n"
            ) as file:
                temporary = Path(file.name)
                file.writelines(parts)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path / name)
        except OSError as error:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
            raise _unwritable(self.path / name, error) from error


def _beginning(session: Session) -> tuple[SessionState, NDArray[Any]]:
    """Return the state and the labels from before the oldest step that can be undone."""
    done = session.history.done
    steps = (*done, *reversed(session.history.undone))
    if not steps:
        return session.state, session.labels
    labels = session.labels.copy()
    for step in reversed(done):
        for _, edits in reversed(step.parts):
            for edit in reversed(edits):
                back = edit.backward()
                labels[back.box.slices()] = back.after
    return steps[0].before, labels


def _unwritable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"cannot write {path} ({error.strerror or error}); choose a folder that can be written to"
    )
