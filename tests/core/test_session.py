"""What a session says of its edits, what it copies, and what an edit touches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.edits import Edit
from napari_sam.core.session import Session
from tests.core.square_answers import SHAPE, click, square
from tests.fakes import labelled_volume


class TestCost:
    def test_an_edit_reads_and_writes_only_its_box(self, session: Session, truth: NDArray[np.uint16]) -> None:
        """A volume far larger than memory would be no matter: pages that no edit touches are never used."""

        class Watched(np.ndarray):
            """Labels that note how many voxels each access takes."""

            accesses: list[int]

            def __getitem__(self, index):  # type: ignore[no-untyped-def]
                part = super().__getitem__(index).view(np.ndarray)
                self.accesses.append(part.size)
                return part

            def __setitem__(self, index, value):  # type: ignore[no-untyped-def]
                self.accesses.append(super().__getitem__(index).size)
                super().__setitem__(index, value)

        session = Session(labelled_volume(truth), np.zeros(SHAPE, np.uint16).view(Watched))
        session.labels.accesses = []
        click(session, square(4, 4))
        click(session, square(5, 6))
        session.undo()
        session.redo()
        assert session.labels.accesses
        assert max(session.labels.accesses) <= 5 * 6


def test_listeners_hear_every_edit_after_it_is_done(session: Session) -> None:
    mirror = np.zeros(SHAPE, np.uint16)
    heard: list[str] = []

    def follow(edit: Edit) -> None:
        assert np.array_equal(mirror[edit.box.slices()], edit.before)
        mirror[edit.box.slices()] = edit.after
        heard.append(edit.cause)
        assert np.array_equal(mirror, session.labels)

    session.on_edit.append(follow)
    click(session, square(4, 4))
    click(session, square(8, 8), 2)
    session.undo()
    session.redo()
    assert heard == ["prompt", "prompt", "undo prompt", "redo prompt"]


def test_snapshot_is_a_copy(session: Session) -> None:
    snapshot = session.snapshot()
    click(session, square(4, 4))
    assert not snapshot.labels.any()
    assert not snapshot.objects
