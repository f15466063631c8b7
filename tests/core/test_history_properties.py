"""Whatever was done, undoing all of it gives the start, and redoing all of it gives the end."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt
from napari_sam.core.propagation import propagate
from napari_sam.core.session import Session
from napari_sam.errors import InvalidPrompt
from tests.fakes import FakeSegmenter, ellipsoid_labels, labelled_volume
from volumes import Box

SHAPE = (6, 12, 24)
TRUTH = ellipsoid_labels(SHAPE, n_objects=2, fill=0.9)
VOLUME = labelled_volume(TRUTH)

IDS = st.integers(1, 3)
INDICES = st.tuples(*(st.integers(0, n - 1) for n in SHAPE))
ACTIONS = st.one_of(
    st.tuples(st.just("point"), IDS, INDICES, st.sampled_from([0, 1, 2]), st.booleans()),
    st.tuples(st.just("box"), IDS, INDICES, st.sampled_from([0, 1, 2]), st.booleans()),
    st.tuples(st.just("choose"), IDS, st.integers(0, 2)),
    st.tuples(st.just("paint"), st.integers(0, 3), INDICES, INDICES),
    st.tuples(st.just("propagate"), IDS, st.integers(1, 9)),
    st.tuples(st.just("accept"), IDS),
    st.tuples(st.just("lock"), IDS, st.booleans()),
    st.tuples(st.just("undo")),
    st.tuples(st.just("redo")),
)


def do(session: Session, segmenter: FakeSegmenter, action: tuple) -> None:
    """Do one action; those that make no sense at this moment are refused by the session."""
    kind, *details = action
    if kind in ("point", "box"):
        object_id, at, axis, is_answered = details
        plane = PlaneRef(axis, at[axis])
        prompt = PointPrompt(at)
        if kind == "box":
            height, width = plane.shape_hw(SHAPE)
            row, col = (int(x) for x in plane.rc(at))
            prompt = BoxPrompt(plane.box_of((row, col, height, width)))
        request = session.prompt(plane, prompt, object_id=object_id)
        if is_answered:
            session.apply(segmenter.segment(request), request)
    elif kind == "choose":
        object_id, candidate = details
        state = session.objects.get(object_id)
        plane = state.anchors[-1].plane if state is not None and state.anchors else PlaneRef(0, 0)
        session.choose(plane, candidate, object_id)
    elif kind == "paint":
        object_id, a, b = details
        box = Box(tuple(map(min, a, b)), tuple(max(x, y) + 1 for x, y in zip(a, b, strict=True)))
        before = session.labels[box.slices()].copy()
        session.labels[box.slices()] = object_id
        session.paint(box, before, np.full(box.shape, object_id))
    elif kind == "propagate":
        object_id, n_planes = details
        for k, _ in enumerate(propagate(session, segmenter, object_id)):
            if k == n_planes:
                break
    else:
        getattr(session, kind)(*details)


def everything(session: Session) -> tuple[list, dict, int]:
    return session.labels.tolist(), dict(session.objects), session.current_id


@settings(deadline=None, max_examples=60)
@given(st.lists(ACTIONS, max_size=25), st.booleans())
def test_undo_all_is_the_start_and_redo_all_is_the_end(actions: list[tuple], has_labels: bool) -> None:
    session = Session(VOLUME, TRUTH.copy() if has_labels else None)
    segmenter = FakeSegmenter()
    start = everything(session)
    for action in actions:
        before = everything(session)
        try:
            do(session, segmenter, action)
        except InvalidPrompt:
            assert everything(session) == before
    while session.redo():
        pass
    while session.can_redo:
        session.redo()
    end = everything(session)
    while session.can_undo:
        session.undo()
    assert everything(session) == start
    while session.can_redo:
        session.redo()
    assert everything(session) == end


@settings(deadline=None, max_examples=60)
@given(st.lists(ACTIONS, max_size=20))
def test_locked_objects_keep_their_voxels_and_extents_hold_all(actions: list[tuple]) -> None:
    session, segmenter = Session(VOLUME), FakeSegmenter()
    for action in actions:
        locked = {i: session.labels == i for i, state in session.objects.items() if state.locked}
        try:
            do(session, segmenter, action)
        except InvalidPrompt:
            continue
        if action[0] not in ("undo", "redo"):
            for object_id, voxels in locked.items():
                assert np.array_equal(session.labels == object_id, voxels)
        for object_id in np.unique(session.labels[session.labels > 0]).tolist():
            tight = Box.of_mask(session.labels == object_id)
            extent = session.objects[object_id].extent
            assert tight is not None
            assert extent is not None
            assert extent.union(tight) == extent


def test_three_hundred_steps_can_be_undone() -> None:
    session, segmenter = Session(VOLUME), FakeSegmenter()
    states = []
    for k in range(300):
        states.append(session.labels.copy())
        at = (k % SHAPE[0], (k * 7) % SHAPE[1], (k * 5) % SHAPE[2])
        do(session, segmenter, ("point", 1 + k % 3, at, k % 3, True))
    for before in reversed(states):
        session.undo()
        assert np.array_equal(session.labels, before)
    assert not session.can_undo
