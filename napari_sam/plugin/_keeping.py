"""Work that keeps itself: a session is written down as it grows, and offered again at the next start."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from napari_sam.core.jobs import Cancel
from napari_sam.core.segmenter import Segmenter
from napari_sam.core.session import Session
from napari_sam.errors import SamError, StoreError
from napari_sam.plugin._cases import Case, ImageSource
from napari_sam.plugin._jobs import Job
from napari_sam.plugin._session_image import image_of
from napari_sam.plugin._stage import Stage
from napari_sam.plugin.view import RestoreState
from napari_sam.store import Journal, ModelReference, PendingSession, SessionFolder, pending_sessions
from volumes import VolumeError

__all__ = ["KeepIn", "Keeping"]


@dataclass(frozen=True)
class KeepIn:
    """Where sessions are kept, and how a model is named in them.

    Parameters
    ----------
    folder : Path
        See `Settings.sessions_dir`.
    model_of : callable
        Names a model and its weights; None where that is not known.
    """

    folder: Path
    model_of: Callable[[Segmenter], ModelReference | None] = lambda _: None


class Keeping:
    """Keeps the sessions of the images under work in a folder of its own, and takes them up again.

    Nothing is written before the first action on an image.

    Parameters
    ----------
    stage : Stage
        What all steps share.
    keep : KeepIn or None
        Where the sessions are kept; None keeps nothing.

    Attributes
    ----------
    offered : PendingSession or None
        Earlier work on the chosen image, until it is taken up or turned down.
    """

    def __init__(self, stage: Stage, keep: KeepIn | None) -> None:
        self._stage, self._keep = stage, keep
        self._dir = None if keep is None else keep.folder
        self._journals: dict[Hashable, Journal] = {}
        self._looked: dict[Hashable, PendingSession | None] = {}
        self._watched: set[int] = set()
        self._waiting: tuple[ImageSource, Session] | None = None
        stage.on_open.append(self._opened)
        stage.on_model.append(self._model_changed)

    @property
    def offered(self) -> PendingSession | None:
        """Earlier work on the chosen image."""
        source = self._stage.cases.source
        return None if source is None else self._looked.get(source.key)

    @property
    def state(self) -> RestoreState:
        """What the window says of earlier work."""
        found = self.offered
        if found is None:
            return RestoreState()
        when = datetime.fromtimestamp(found.changed_s).strftime("%d %b %H:%M")
        how = "was not closed" if found.has_crashed else "is kept"
        return RestoreState(f"Work on this image of {when} {how}.", self._stage.free_case is not None)

    def restore(self) -> None:
        """Take the earlier work on the chosen image up again, undo and redo included."""
        found, case = self.offered, self._stage.free_case
        if found is None or case is None:
            return
        if case.session.objects or case.session.can_undo:
            self._stage.say("Undo what you did here first, or open the image again; then restore.")
            return
        key = case.source.key

        def work(_: Cancel) -> Iterable[tuple[Journal, Session]]:
            yield Journal.resume(found, case.session.volume, on_error=self._stage.fail)

        def resumed(both: tuple[Journal, Session]) -> None:
            journal, session = both
            self._journals[key], self._looked[key] = journal, None
            self._watched.add(id(session))
            self._put(case, session)

        self._submit("Restoring the work…", work, resumed)

    def turn_down(self) -> None:
        """Offer the earlier work no longer; it stays where it is kept."""
        source = self._stage.cases.source
        if source is not None:
            self._looked[source.key] = None
            self._stage.say("")

    def save(self, path: Path) -> None:
        """Write a copy of the chosen image's session into a folder, to go on with it elsewhere."""
        case = self._stage.free_case
        if case is None:
            self._stage.say("There is no work to save; open an image first.")
            return

        def work(_: Cancel) -> Iterable[object]:
            SessionFolder(path).save(case.session, self._model())
            return ()

        self._submit("Saving the session…", work, lambda _: None, f"Saved {path.name}.")

    def open(self, path: Path) -> None:
        """Go on with a session that was saved in a folder, on the open image that it belongs to."""
        stage = self._stage
        if stage.is_taken:
            return
        sources = sorted(stage.view.images(), key=lambda one: not stage.cases.is_chosen(one))

        def work(_: Cancel) -> Iterable[tuple[ImageSource, Session]]:
            saved = SessionFolder(path).load()
            source, volume = image_of(saved, sources)
            yield source, saved.resume(volume, sha256=saved.volume_sha256)

        self._submit("Opening the session…", work, lambda found: self._open_on(*found))

    def drop(self, key: Hashable) -> None:
        """End the keeping of an image that has gone; what is kept stays for the next start."""
        self._looked.pop(key, None)
        journal = self._journals.pop(key, None)
        if journal is not None:
            journal.close()

    def close(self) -> None:
        """End in good order."""
        for key in tuple(self._journals):
            self.drop(key)

    def _open_on(self, source: ImageSource, session: Session) -> None:
        """Let a session that was opened take its place, once its image is the chosen one."""
        stage = self._stage
        if not stage.cases.is_chosen(source):
            stage.view.turn_to_image(source.key)
        case = stage.case
        if not stage.cases.is_chosen(source):
            stage.say(f"{source.name} has gone; open it again, then the session.")
        elif case is None:
            self._waiting = (source, session)
        elif case.session.objects or case.session.can_undo:
            stage.say(f"There is work on {source.name} already; save it, and open the image again first.")
        else:
            self._put(case, session)

    def _opened(self) -> None:
        case, source = self._stage.case, self._stage.cases.source
        waiting, self._waiting = self._waiting, None
        if case is not None and waiting is not None and self._stage.cases.is_chosen(waiting[0]):
            self._put(case, waiting[1])
        if case is None or source is None or self._dir is None:
            return
        self._watch(case)
        if source.key in self._looked:
            return
        self._looked[source.key], folder = None, self._dir

        def work(_: Cancel) -> Iterable[PendingSession]:
            found = (one for one in pending_sessions(folder) if one.may_belong_to(case.session.volume))
            yield from list(found)[:1]

        def found(one: PendingSession) -> None:
            if not case.session.objects:
                self._looked[source.key] = one
                self._stage.show()

        self._stage.files.submit(Job("keep", work, found))

    def _watch(self, case: Case) -> None:
        """Begin a journal with the first thing that is done."""
        session, folder = case.session, self._dir
        if folder is None or id(session) in self._watched:
            return
        self._watched.add(id(session))

        def first(_: object) -> None:
            session.on_entry.remove(first)
            try:
                self._journals[case.source.key] = Journal.start(
                    folder, session, self._model(), self._stage.fail
                )
            except (SamError, VolumeError, OSError) as error:
                self._stage.fail(StoreError(f"this work is not kept for a restart: {error}"))

        session.on_entry.append(first)

    def _put(self, case: Case, session: Session) -> None:
        """Let a session take the place of an image's empty one."""
        was_shown, before = case.is_shown, case.session
        case.session, case.current_id, case.is_shown = session, session.current_id, False
        self._watch(case)
        if was_shown:
            self._stage.view.drop_session(before)
        if case is self._stage.case:
            self._stage.begin()
        self._stage.turn_to(case.current_id)
        count = "1 object" if len(session.objects) == 1 else f"{len(session.objects)} objects"
        self._stage.changed((), f"Your work on {case.source.name} is back: {count}, undo included.")

    def _model_changed(self) -> None:
        model = self._model()
        if model is not None:
            for journal in self._journals.values():
                journal.use_model(model)

    def _model(self) -> ModelReference | None:
        segmenter = self._stage.model.segmenter
        return None if segmenter is None or self._keep is None else self._keep.model_of(segmenter)

    def _submit(
        self,
        doing: str,
        work: Callable[[Cancel], Iterable[object]],
        on_part: Callable[..., None],
        news: str = "",
    ) -> None:
        stage = self._stage

        def free() -> None:
            stage.is_taken = False
            stage.view.lock_labels(False)

        def parted(part: object) -> None:
            free()
            on_part(part)

        def done() -> None:
            if stage.is_taken:
                free()
            if news:
                stage.say(news)

        def failed(error: Exception) -> None:
            free()
            stage.fail(error)

        stage.is_taken = True
        stage.view.lock_labels(True)
        stage.files.submit(Job("keep", work, parted, done, failed))
        stage.say(doing)
