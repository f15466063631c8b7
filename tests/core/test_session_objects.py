"""A session's objects: accepted, locked, named, and those of labels that there were before."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_sam.core.edits import EditGroup
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.errors import InvalidEdit, InvalidPrompt
from tests.core.square_answers import PLANE, SHAPE, answer, click, square
from tests.fakes import ellipsoid_labels, labelled_volume
from volumes import Volume


class TestObjects:
    def test_accept_locks_and_the_next_prompt_is_a_new_object(self, session: Session) -> None:
        click(session, square(4, 4))
        session.accept()
        assert session.objects[1].locked
        assert session.prompt(PLANE, PointPrompt((3, 20, 20))).object_id == 2
        with pytest.raises(InvalidPrompt, match=r"object 1 is locked.*3"):
            session.prompt(PLANE, PointPrompt((3, 20, 20)), object_id=1)

    def test_undo_takes_acceptance_back(self, session: Session) -> None:
        click(session, square(4, 4))
        session.accept()
        session.undo()
        assert not session.objects[1].locked
        assert session.current_id == 1
        assert session.labels.any()

    def test_unlocking_and_naming(self, session: Session) -> None:
        click(session, square(4, 4))
        session.accept()
        session.lock(1, False)
        session.rename(1, "liver")
        assert session.objects[1].name == "liver"
        assert click(session, square(6, 6)) is not None

    @pytest.mark.parametrize("name", ["accept", "lock"])
    def test_unknown_objects_are_named(self, session: Session, name: str) -> None:
        with pytest.raises(InvalidPrompt, match=r"no object 9.*none yet"):
            getattr(session, name)(9)

    def test_write_respects_locks_and_anchors(self, session: Session) -> None:
        click(session, square(4, 4))
        assert session.write(PLANE, square(9, 9), 1, propagated=True) is None
        assert session.write(PLANE, square(9, 9), 1) is not None
        session.lock(1)
        assert session.write(PLANE, square(2, 2), 1) is None
        assert session.mask_on(PLANE, 1) == square(9, 9)

    def test_writes_of_a_group_are_one_step(self, session: Session) -> None:
        group = EditGroup("auto")
        for k in range(3):
            session.write(PLANE, square(4 + 5 * k, 4), k + 1, group=group)
        assert sorted(session.objects) == [1, 2, 3]
        session.undo()
        assert not session.labels.any()
        assert not session.objects

    def test_objects_are_a_view_of_the_moment(self, session: Session) -> None:
        before = session.objects
        click(session, square(4, 4))
        assert not before
        with pytest.raises(TypeError):
            session.objects[2] = session.objects[1]  # type: ignore[index]


class TestStartingFromLabels:
    def test_objects_in_the_labels_are_known(self, truth: NDArray[np.uint16]) -> None:
        session = Session(labelled_volume(truth), truth)
        assert session.labels is truth
        assert sorted(session.objects) == [1, 2]
        assert session.current_id == 3
        assert session.mask_on(PLANE, 2) == BoxedMask.of_plane(truth[3] == 2, PLANE, SHAPE)

    def test_prompting_a_known_object_replaces_it_in_that_plane(self, truth: NDArray[np.uint16]) -> None:
        session = Session(labelled_volume(truth), truth.copy())
        request = session.prompt(PLANE, BoxPrompt(PLANE.box_of((0, 0, 5, 5))), object_id=1)
        session.apply(answer(request, square(0, 0)), request)
        assert session.mask_on(PLANE, 1) == square(0, 0)
        session.undo()
        assert np.array_equal(session.labels, truth)

    def test_an_earlier_sessions_objects_go_on(self, session: Session) -> None:
        click(session, square(4, 4))
        session.rename(1, "spleen")
        kept = session.snapshot()
        again = Session(session.volume, kept.labels, window=kept.window, objects=kept.objects)
        assert again.objects == kept.objects
        request = again.prompt(PLANE, PointPrompt((3, 6, 6)), object_id=1)
        assert len(request.prompts) == 2
        assert request.hint is not None

    def test_window_is_chosen_once(self, truth: NDArray[np.uint16]) -> None:
        volume: Volume = labelled_volume(truth)
        assert Session(volume, window="lung").window == Window(-1350, 150)
        assert Session(volume, window=Window(0, 1)).window == Window(0, 1)


class TestAdopting:
    def test_objects_of_other_labels_are_kept_and_locked(self) -> None:
        session = Session(labelled_volume(ellipsoid_labels((5, 12, 16))))
        older = np.zeros((5, 12, 16), np.uint8)
        older[1:3, 2:5, 3:6], older[4, 0, 0] = 2, 7
        assert session.adopt(older, {2: "liver"}) == {2: 2, 7: 7}
        assert np.array_equal(session.labels, older)
        assert [(one.id, one.name, one.locked) for one in session.objects.values()] == [
            (2, "liver", True),
            (7, "object 7", True),
        ]
        assert session.current_id == 8
        with pytest.raises(InvalidPrompt, match="locked"):
            session.prompt(PlaneRef(0, 1), PointPrompt((1, 3, 4)), object_id=2)
        session.undo()
        assert not session.labels.any()
        assert not session.objects
        session.redo()
        assert np.array_equal(session.labels, older)

    def test_what_there_is_keeps_its_voxels_and_its_id(self) -> None:
        labels = np.zeros((2, 4, 6), np.uint16)
        labels[0, :2] = 1
        session = Session(labelled_volume(np.zeros((2, 4, 6), np.uint16)), labels)
        older = np.zeros((2, 4, 6), np.uint8)
        older[0], older[1, 0, 0] = 1, 2
        hidden = np.zeros_like(older)
        hidden[0, 0, 0] = 1
        assert session.adopt(hidden) == {}
        assert session.adopt(older) == {2: 2, 1: 3}
        assert session.labels[0].tolist() == [[1] * 6] * 2 + [[3] * 6] * 2
        assert session.objects[3].extent is not None
        assert session.objects[3].extent.start == (0, 2, 0)

    def test_what_does_not_fit_is_refused_and_changes_nothing(self) -> None:
        session = Session(labelled_volume(np.zeros((2, 4, 6), np.uint16)))
        with pytest.raises(InvalidEdit):
            session.adopt(np.ones((2, 4, 5), np.uint8))
        with pytest.raises(InvalidPrompt, match="70000"):
            session.adopt(np.array([[[1] * 6] * 4, [[70_000] * 6] * 4], np.uint32))
        assert not session.labels.any()
