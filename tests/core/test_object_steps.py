"""Steps on whole objects: what they change, what they leave alone, and that each is one step."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from napari_sam.core.classes import ObjectClass
from napari_sam.core.edits import EditGroup
from napari_sam.core.masks import BoxedMask
from napari_sam.core.naming import object_segments
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.session import Session
from napari_sam.errors import InvalidClass, InvalidEdit, InvalidPrompt
from tests.fakes import FakeSegmenter, ellipsoid_labels, labelled_volume
from volumes import Box, Code, Segment

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


class TestObjects:
    def test_delete_takes_voxels_and_prompts_in_one_step(self, session: Session) -> None:
        before = session.labels.copy()
        assert len(session.delete(1, 2)) == 2
        assert set(session.objects) == {3}
        assert np.unique(session.labels).tolist() == [0, 3]
        session.undo()
        assert np.array_equal(session.labels, before)
        assert set(session.objects) == {1, 2, 3}

    def test_merge_gives_all_voxels_to_one_and_keeps_what_describes_it(self, session: Session) -> None:
        session.rename(2, "spleen")
        session.write(PlaneRef(0, 1), full(Box((1, 1, 1), (2, 4, 4))), 1)
        n_each = np.bincount(session.labels.ravel())
        session.merge([1, 2], 2)
        assert np.count_nonzero(session.labels == 2) == n_each[1] + n_each[2]
        assert 1 not in session.objects
        (anchor,) = session.objects[2].anchors
        assert (anchor.plane, anchor.is_settled) == (PlaneRef(0, 1), True)
        assert (session.objects[2].name, session.current_id) == ("spleen", 2)
        session.undo()
        assert np.array_equal(np.bincount(session.labels.ravel()), n_each)

    def test_split_makes_objects_of_pieces_connected_with_corners(self, session: Session) -> None:
        session.rename(1, "node")
        cut = Box((2, 0, 0), (3, 8, 12))
        session.reshape(1, full(cut, False))
        assert session.split(1) == (1, 4)
        assert np.count_nonzero(session.labels == 1) == 2 * 9
        assert np.count_nonzero(session.labels == 4) == 9
        assert session.objects[4].name == "node 2"
        session.reshape(2, BoxedMask(Box((0, 4, 7), (1, 5, 8)), np.ones((1, 1, 1), bool)))
        n_steps = len(session.history.done)
        assert session.split(2) == (2,)  # one corner is enough
        assert len(session.history.done) == n_steps

    def test_renumber_changes_places_closes_gaps_and_takes_locked_ones(self, session: Session) -> None:
        before = session.labels.copy()
        session.renumber({1: 2, 2: 1, 3: 7})
        assert np.array_equal(session.labels, np.array([0, 2, 1, 7])[before])
        assert (session.objects[7].locked, session.objects[7].name) == (True, "object 7")
        assert session.renumber() == {7: 3}
        session.undo()
        session.undo()
        assert np.array_equal(session.labels, before)
        assert session.renumber() == {}

    @pytest.mark.parametrize(
        ("step", "said"),
        [
            (lambda s: s.delete(3), "object 3 is locked; unlock it before deleting it"),
            (lambda s: s.delete(), "no object is given"),
            (lambda s: s.merge([3], 1), "object 3 is locked"),
            (lambda s: s.merge([1], 3), "object 3 is locked"),
            (lambda s: s.merge([1], 1), "only object 1"),
            (lambda s: s.split(3), "object 3 is locked"),
            (lambda s: s.renumber({1: 2}), "two objects would get the id 2"),
            (lambda s: s.renumber({1: 70000}), "70000"),
            (lambda s: s.renumber({9: 1}), "no object 9"),
            (lambda s: s.clear_plane(PlaneRef(0, 2), 3), "object 3 is locked"),
            (lambda s: s.accept_plane(PlaneRef(0, 1), 3), "no voxel in plane 1"),
            (lambda s: s.set_colour(1, (1, 2, 300)), "object 1 has the colour"),
        ],
    )
    def test_what_locks_and_sense_forbid_is_one_line_and_changes_nothing(
        self, session: Session, step: Callable[[Session], object], said: str
    ) -> None:
        before, state = session.labels.copy(), session.state
        with pytest.raises((InvalidPrompt, InvalidClass), match=said) as caught:
            step(session)
        assert "\n" not in str(caught.value)
        assert np.array_equal(session.labels, before)
        assert session.state == state


class TestPlanes:
    def test_a_new_object_takes_free_voxels_only_unless_told_and_never_accepted_planes(
        self, session: Session
    ) -> None:
        plane, other = PlaneRef(0, 0), PlaneRef(0, 1)
        session.accept_plane(other, 2)
        for where in (plane, other):
            mask = full(where.box_of((0, 0, 8, 12)))
            session.write(where, mask, 5)
            assert np.count_nonzero(where.take(session.labels) == 2) == 9
            session.write(where, mask, 5, overwrites=True)
        assert np.count_nonzero(plane.take(session.labels) == 5) == 8 * 12
        assert np.count_nonzero(other.take(session.labels) == 2) == 9
        box = plane.box_of((0, 0, 1, 1))
        session.paint(box, session.labels[box.slices()], np.full(box.shape, 1), overwrites=False)
        assert session.labels[0, 0, 0] == 5

    @pytest.mark.parametrize("accepted", [PlaneRef(0, 1), PlaneRef(2, 5)])
    def test_only_its_own_brush_and_the_eraser_draw_in_an_accepted_plane(
        self, session: Session, accepted: PlaneRef
    ) -> None:
        session.accept_plane(accepted, 2)
        before, box = session.labels.copy(), Box((0, 0, 0), (2, 8, 12))
        was = before[box.slices()]
        n_there = np.count_nonzero(accepted.take(was) == 2)
        session.labels[box.slices()] = 1  # the screen draws first
        edit = session.paint(box, was, np.ones(box.shape))
        assert np.array_equal(session.labels[box.slices()], edit.after)
        assert np.count_nonzero(session.labels[box.slices()] == 2) == n_there
        assert np.count_nonzero(session.labels[box.slices()] == 1) == edit.after.size - n_there
        session.undo()
        assert np.array_equal(session.labels, before)
        session.paint(box, was, np.full(box.shape, 2))
        assert (session.labels[box.slices()] == 2).all()
        session.paint(box, session.labels[box.slices()].copy(), np.zeros(box.shape))
        assert not session.labels[box.slices()].any()

    def test_a_stroke_that_may_change_nothing_is_no_step(self, session: Session) -> None:
        session.accept_plane(PlaneRef(0, 1), 2)
        n_steps, box = len(session.history.done), Box((1, 1, 4), (2, 4, 7))
        was = session.labels[box.slices()].copy()
        session.labels[box.slices()] = 1
        assert not session.paint(box, was, np.ones(box.shape)).changes
        assert np.array_equal(session.labels[box.slices()], was)
        assert len(session.history.done) == n_steps

    def test_an_accepted_plane_is_an_anchor_that_propagation_leaves_alone(self, session: Session) -> None:
        plane = PlaneRef(0, 1)
        session.write(plane, full(plane.box_of((1, 1, 4, 4))), 1, propagated=True)
        session.accept_plane(plane, 1)
        state = session.objects[1]
        assert plane not in state.propagated
        assert state.anchors[-1].is_accepted
        assert session.write(plane, full(plane.box_of((0, 0, 1, 1))), 1, propagated=True) is None

    def test_clearing_a_plane_leaves_it_open(self, session: Session) -> None:
        plane = PlaneRef(0, 1)
        session.prompt(plane, PointPrompt((1, 2, 2)), object_id=1)
        session.clear_plane(plane, 1)
        assert session.mask_on(plane, 1) is None
        assert session.objects[1].anchor_on(plane) is None
        n_steps = len(session.history.done)
        assert session.clear_plane(plane, 1).box.is_empty
        assert len(session.history.done) == n_steps

    def test_a_moved_prompt_asks_anew_as_one_step_a_drag(self) -> None:
        session = Session(labelled_volume(ellipsoid_labels((3, 24, 32))))
        plane, segmenter, drag = PlaneRef(0, 1), FakeSegmenter(), EditGroup("drag")
        points = [PointPrompt((1, 12, column)) for column in (16, 17, 18)]
        request = session.prompt(plane, points[0], object_id=1)
        session.apply(segmenter.segment(request), request)
        before = session.labels.copy()
        for old, new in pairwise(points):
            moved = session.replace_prompt(plane, old, new, 1, group=drag)
            assert moved is not None
            assert (moved.prompts, moved.hint) == ((new,), None)
            session.apply(segmenter.segment(moved), moved)
        assert len(session.history.done) == 2
        session.undo()
        assert session.objects[1].prompts == (points[0],)
        assert np.array_equal(session.labels, before)
        assert session.remove_prompt(plane, points[0], 1) is None
        assert not session.labels.any()
        assert session.objects[1].anchors == ()
        with pytest.raises(InvalidPrompt, match="no such prompt"):
            session.remove_prompt(plane, points[0], 1)

    def test_a_painted_plane_keeps_its_mask_when_a_prompt_goes(self) -> None:
        session = Session(labelled_volume(ellipsoid_labels((3, 24, 32))))
        plane = PlaneRef(0, 1)
        point = PointPrompt((1, 12, 16))
        request = session.prompt(plane, point, object_id=1)
        session.apply(FakeSegmenter().segment(request), request)
        box = plane.box_of((0, 0, 2, 2))
        session.paint(box, session.labels[box.slices()], np.ones(box.shape, int))
        before = session.labels.copy()
        assert session.remove_prompt(plane, point, 1) is None
        assert np.array_equal(session.labels, before)
        assert session.objects[1].anchors[0].is_settled


class TestClasses:
    def test_class_colour_and_author_reach_the_segments(self, session: Session) -> None:
        liver = ObjectClass("liver", (1, 2, 3), kind=Code("10200004", "SCT", "Liver"))
        session.set_class(1, liver)
        session.set_class(2, liver)
        session.set_colour(2, (9, 9, 9))
        older = np.zeros(SHAPE, np.uint8)
        older[0, 7, :] = 6
        known = Segment(6, "cyst", (4, 5, 6), kind=Code("1", "SCT", "Cyst"), algorithm="theirs")
        session.adopt(older, {6: known})
        one, two, _, six = object_segments(session.objects.values(), "")
        assert (one.colour, one.kind.meaning, two.colour) == ((1, 2, 3), "Liver", (9, 9, 9))
        assert six == known
