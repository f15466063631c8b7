"""Sessions that keep themselves: every action on disk as it is done, in a place of the program's own.

A journal is a session folder without a label volume: the log alone has everything, so that nothing large is
written while somebody works. Each line is handed to the system before the action returns: it survives the end
of the process, by SIGKILL too. It is not forced to the medium each time; a power failure may lose the last
seconds. Saving forces the log.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from napari_sam.core.history import Entry
from napari_sam.core.objects import SessionState
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.errors import StoreError
from napari_sam.store.fingerprint import fingerprint
from napari_sam.store.folder_lock import FolderLock
from napari_sam.store.session_file import ModelReference, SessionFolder
from napari_sam.store.session_loading import JSON_NAME, LOG_NAME, read_manifest
from napari_sam.store.session_manifest import Manifest, manifest_from_json
from volumes import Volume

__all__ = ["Journal", "PendingSession", "pending_sessions"]

_SUFFIX = ".samsession"


@dataclass(frozen=True, eq=False)
class PendingSession:
    """A kept session that no program works on now.

    Attributes
    ----------
    path : Path
        Its folder.
    manifest : Manifest
        What its ``session.json`` says; the objects are those of when it was written.
    changed_s : float
        When something was done last, in seconds since the epoch.
    has_crashed : bool
        Whether the work did not end in good order.
    """

    path: Path
    manifest: Manifest
    changed_s: float
    has_crashed: bool

    def may_belong_to(self, volume: Volume) -> bool:
        """Return whether it may be a volume's, by the fingerprint: takes milliseconds."""
        return self.manifest.fingerprint == fingerprint(volume)


class Journal:
    """Keeps one session from its beginning to its end.

    Parameters
    ----------
    folder : SessionFolder
        Where.
    on_error : callable, optional
        Called with a StoreError each time that the disk refuses; the next action tries again to write all
        that is missing. Where it is None the error is raised, after the action is done.
    """

    def __init__(self, folder: SessionFolder, on_error: Callable[[StoreError], None] | None = None) -> None:
        self.folder = folder
        self._on_error = on_error
        self._lock = FolderLock(_lock_of(folder.path))
        self._session: Session | None = None
        self._model: ModelReference | None = None

    @classmethod
    def start(
        cls,
        sessions_dir: Path,
        session: Session,
        model: ModelReference | None = None,
        on_error: Callable[[StoreError], None] | None = None,
    ) -> Journal:
        """Begin to keep a session in a new folder of `Settings.sessions_dir`; reads little of the image.

        Raises
        ------
        StoreError
            The folder cannot be made.
        """
        name = f"{fingerprint(session.volume)[:12]}-{uuid4().hex[:8]}{_SUFFIX}"
        try:
            sessions_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot make {sessions_dir} ({error.strerror}); set NAPARI_SAM_SESSIONS_DIR to another"
            ) from error
        journal = cls(SessionFolder(sessions_dir / name), on_error)
        journal._lock.take()
        journal._keep(session, model)
        return journal

    @classmethod
    def resume(
        cls,
        pending: PendingSession,
        volume: Volume,
        window: Window | None = None,
        *,
        sha256: str = "",
        on_error: Callable[[StoreError], None] | None = None,
    ) -> tuple[Journal, Session]:
        """Go on with a kept session, and keep it further; without `sha256` the fingerprint must do.

        Raises
        ------
        StoreError
            It is another image's, damaged, or worked on by another program now.
        """
        journal = cls(SessionFolder(pending.path), on_error)
        if not journal._lock.take():
            raise StoreError(f"another program works on {pending.path.name} now; close it there first")
        session = journal.folder.open(volume, window, sha256)
        journal._keep(session, pending.manifest.model)
        return journal, session

    def know_digest(self, sha256: str) -> None:
        """Note the image's digest, once somebody had the time to compute it."""
        if self._session is not None:
            self.folder.begin(self._session, self._model, sha256=sha256)

    def use_model(self, model: ModelReference) -> None:
        """Note which model answers from now on."""
        self._model = model
        if self._session is not None:
            self.folder.begin(self._session, model)

    def close(self) -> None:
        """End in good order; a session in which nothing was ever done leaves nothing behind."""
        session, self._session = self._session, None
        if session is None:
            return
        session.on_entry.remove(self._enter)
        is_untouched = not session.objects and not session.can_undo and not session.can_redo
        try:
            if not is_untouched:
                self.folder.begin(session, self._model, is_closed=True)
            self.folder.close()
        finally:
            self._lock.release()
        if is_untouched:
            discard(self.folder.path)

    def _keep(self, session: Session, model: ModelReference | None) -> None:
        self._session, self._model = session, model
        self.folder.begin(session, model)
        session.on_entry.append(self._enter)

    def _enter(self, entry: Entry[SessionState]) -> None:
        try:
            self.folder.add(entry)
        except StoreError as error:
            if self._on_error is None:
                raise
            self._on_error(error)


def pending_sessions(sessions_dir: Path) -> tuple[PendingSession, ...]:
    """List the kept sessions that no program works on, those changed last first.

    Folders that cannot be read are left out; nothing is changed, and no image is looked at.
    """
    found = []
    for path in sorted(sessions_dir.glob(f"*{_SUFFIX}")) if sessions_dir.is_dir() else ():
        lock = FolderLock(_lock_of(path))
        try:
            if not lock.take():
                continue
            manifest = manifest_from_json(read_manifest(path))
            changed_s = max((path / name).stat().st_mtime for name in (JSON_NAME, LOG_NAME))
        except (OSError, KeyError, TypeError, ValueError):
            continue
        finally:
            lock.release()
        found.append(PendingSession(path, manifest, changed_s, not manifest.is_closed))
    return tuple(sorted(found, key=lambda one: one.changed_s, reverse=True))


def discard(path: Path) -> None:
    """Delete a kept session for good."""
    shutil.rmtree(path, ignore_errors=True)
    _lock_of(path).unlink(missing_ok=True)


def _lock_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")
