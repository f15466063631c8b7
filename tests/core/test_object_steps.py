"""Steps on whole objects: what they change, what they leave alone, and that each is one step."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.session import Session
from napari_sam.errors import InvalidEdit, InvalidPrompt
from tests.fakes import labelled_volume
from volumes import Box

SHAPE = (4, 8, 12)
WHOLE = Box((0, 0, 0), SHAPE)


@pytest.fixture
def session() -> Session:
    """Object 1 and object 2 side by side in all planes; object 3 in one plane, locked."""
    labels = np.zeros(SHAPE, np.uint16)
    labels[:, 1:4, 1:4] = 1
    labels[:, 1:4, 4:7] = 2
    labels[2, 6, 6:9] = 3
    session = Session(labelled_volume(labels), labels)
    session.lock(3)
    return session


def full(box: Box, value: bool = True) -> BoxedMask:
    return BoxedMask(box, np.full(box.shape, value))


class TestReshape:
    def test_the_object_has_the_new_voxels_in_the_box_and_the_old_ones_outside(
        self, session: Session
    ) -> None:
        before = session.labels.copy()
        box = Box((1, 0, 0), (3, 3, 4))
        edit = session.reshape(1, full(box), "fill holes")
        expected = before.copy()
        expected[1:3, 0:3, 0:4] = 1
        assert np.array_equal(session.labels, expected)
        assert (edit.cause, edit.box) == ("fill holes", box)
        session.undo()
        assert np.array_equal(session.labels, before)
        session.redo()
        assert np.array_equal(session.labels, expected)
        assert session.objects[1].extent == Box((0, 0, 0), (4, 4, 4))

    def test_neighbours_keep_their_voxels_unless_told_and_locked_ones_always(self, session: Session) -> None:
        n_before = np.bincount(session.labels.ravel())
        session.reshape(1, full(WHOLE))
        assert np.bincount(session.labels.ravel())[2:].tolist() == n_before[2:].tolist()
        session.reshape(1, full(WHOLE), overwrites=True)
        n_after = np.bincount(session.labels.ravel())
        assert n_after.tolist() == [0, np.prod(SHAPE) - 3, 0, 3]

    def test_anchors_that_change_stay_anchors_without_a_models_word(self, session: Session) -> None:
        for index in (0, 3):
            plane = PlaneRef(0, index)
            session.write(plane, session.mask_on(plane, 1) or full(WHOLE), 1)
        session.write(PlaneRef(0, 1), full(Box((1, 1, 1), (2, 4, 4))), 1, propagated=True)
        session.reshape(1, full(Box((0, 0, 0), (2, 8, 12)), False))
        anchors = session.objects[1].anchors
        assert [anchor.plane.index for anchor in anchors] == [0, 3]
        assert all(anchor.is_settled and anchor.hint is None for anchor in anchors)

    def test_what_cannot_be_is_refused_and_changes_nothing(self, session: Session) -> None:
        before = session.labels.copy()
        with pytest.raises(InvalidPrompt, match="object 3 is locked"):
            session.reshape(3, full(WHOLE, False))
        with pytest.raises(InvalidPrompt, match="no object 9"):
            session.reshape(9, full(WHOLE))
        with pytest.raises(InvalidEdit, match="not inside labels"):
            session.reshape(1, full(Box((3, 0, 0), (5, 2, 2))))
        assert np.array_equal(session.labels, before)
