"""Sessions that keep themselves: after SIGKILL everything is there that was said to be done."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.session import Session
from napari_sam.errors import StoreError
from napari_sam.store.journal import Journal, pending_sessions
from tests.fakes import FakeSegmenter, ellipsoid_labels, labelled_volume
from volumes import Box

TRUTH = ellipsoid_labels((6, 24, 32))
VOLUME = labelled_volume(TRUTH)

# Edits until it is killed; says after each action how many were done, and what the labels add up to.
_WORKER = """
import sys
from pathlib import Path
import numpy as np
from napari_sam.core.propagation import propagate
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.session import Session
from napari_sam.store.journal import Journal
from tests.fakes import FakeSegmenter
from tests.store.test_journal import VOLUME, step
session = Session(VOLUME)
journal = Journal.start(Path(sys.argv[1]), session)
for k in range(10_000):
    step(session, k)
    print(k + 1, flush=True)
"""


def step(session: Session, k: int) -> None:
    """The k-th action of a long day."""
    segmenter, kind = FakeSegmenter(), k % 6
    if kind == 0:
        plane = PlaneRef(0, 2 + k % 3)
        request = session.prompt(plane, PointPrompt((plane.index, 12, 16)), object_id=1)
        session.apply(segmenter.segment(request), request)
    elif kind in (1, 2):
        box = Box((k % 6, k % 20, 3), (k % 6 + 1, k % 20 + 3, 9))
        session.paint(box, session.labels[box.slices()].copy(), np.full(box.shape, 2 + k % 2))
    elif kind == 3:
        session.rename(1, f"liver {k}")
    else:
        session.undo() if kind == 4 else session.redo()


def test_after_sigkill_all_is_there_that_was_said_to_be_done(tmp_path: Path, repository: Path) -> None:
    command = [sys.executable, "-c", _WORKER, str(tmp_path)]
    said = 0
    with subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        for line in worker.stdout:
            said = int(line)
            if said == 40:
                assert pending_sessions(tmp_path) == ()  # it is worked on
                worker.send_signal(signal.SIGKILL)
    assert said >= 40
    (pending,) = pending_sessions(tmp_path)
    assert pending.has_crashed
    assert pending.may_belong_to(VOLUME)
    journal, again = Journal.resume(pending, VOLUME)
    found = []
    for n_done in range(said, said + 2):  # the action in flight may be there
        expected = Session(VOLUME)
        for k in range(n_done):
            step(expected, k)
        found.append(np.array_equal(again.labels, expected.labels) and again.state == expected.state)
    assert any(found)
    n_left = 0
    while again.can_undo:
        again.undo()
        n_left += 1
    assert n_left > 10
    assert not again.labels.any()
    journal.close()


def test_a_session_closed_in_good_order_can_be_gone_on_with(tmp_path: Path) -> None:
    session = Session(VOLUME)
    journal = Journal.start(tmp_path, session)
    for k in range(4):
        step(session, k)
    journal.know_digest(VOLUME.digest())
    journal.close()
    (pending,) = pending_sessions(tmp_path)
    assert not pending.has_crashed
    assert not (pending.path / "labels.nii.gz").exists()
    assert pending.manifest.volume_sha256 == VOLUME.digest()
    journal, again = Journal.resume(pending, VOLUME)
    assert np.array_equal(again.labels, session.labels)
    with pytest.raises(StoreError, match="another program works on"):
        Journal.resume(pending, VOLUME)
    journal.close()
    other = labelled_volume(TRUTH, seed=5)
    assert not pending.may_belong_to(other)
    with pytest.raises(StoreError, match="another image"):
        Journal.resume(pending, other)


def test_nothing_done_leaves_nothing_behind(tmp_path: Path) -> None:
    Journal.start(tmp_path, Session(VOLUME)).close()
    assert list(tmp_path.iterdir()) == []
    assert pending_sessions(tmp_path / "none") == ()


def test_what_the_disk_refused_is_written_with_the_next_action(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, errors = Session(VOLUME), []
    journal = Journal.start(tmp_path, session, on_error=errors.append)

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(journal.folder, "_open_log", lambda: full(None))
        step(session, 0)
    (error,) = errors  # the answer's entry wrote the prompt's, too
    assert isinstance(error, StoreError)
    step(session, 1)
    journal.close()
    (pending,) = pending_sessions(tmp_path)
    _, again = Journal.resume(pending, VOLUME)
    assert np.array_equal(again.labels, session.labels)
    assert again.state == session.state


def test_names_no_person_and_no_place(tmp_path: Path) -> None:
    session = Session(VOLUME)
    journal = Journal.start(tmp_path / "jane doe", session)
    step(session, 0)
    for path in journal.folder.path.iterdir():
        assert b"jane" not in path.read_bytes()
    assert PlaneRef(0, 2) in [anchor.plane for anchor in session.objects[1].anchors]
    assert isinstance(session.objects[1].prompts[0], PointPrompt)
    assert FakeSegmenter.name not in journal.folder.path.name
    journal.close()
