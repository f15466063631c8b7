"""Whatever is done and whenever the program dies: labels, objects, undo and redo are there again."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam.core.classes import ObjectClass
from napari_sam.core.masks import BoxedMask
from napari_sam.core.objects import SessionState
from napari_sam.core.planes import PlaneRef
from napari_sam.core.session import Session
from napari_sam.errors import InvalidPrompt
from napari_sam.store.session_file import SessionFolder
from tests.core.test_history_properties import ACTIONS, IDS, INDICES, SHAPE, TRUTH, VOLUME, do
from tests.fakes import FakeSegmenter
from volumes import Box, Code

LIVER = ObjectClass("liver", (1, 2, 3), kind=Code("10200004", "SCT", "Liver"))
PLAIN = ("merge", "split", "renumber", "rename", "set_class", "set_colour", "delete")
AXES = st.sampled_from([0, 1, 2])
MORE = st.one_of(
    ACTIONS,
    st.tuples(st.just("delete"), IDS),
    st.tuples(st.just("merge"), st.lists(IDS, min_size=1, max_size=3), IDS),
    st.tuples(st.just("split"), IDS),
    st.tuples(st.just("renumber"), st.none() | st.dictionaries(IDS, st.integers(1, 6), max_size=3)),
    st.tuples(st.just("rename"), IDS, st.sampled_from(["liver", "Milz – spleen"])),
    st.tuples(st.just("set_class"), IDS, st.sampled_from([None, LIVER])),
    st.tuples(st.just("set_colour"), IDS, st.sampled_from([None, (9, 8, 7)])),
    st.tuples(st.just("clear_plane"), IDS, INDICES, AXES),
    st.tuples(st.just("accept_plane"), IDS, INDICES, AXES),
    st.tuples(st.just("remove_prompt"), IDS),
    st.tuples(st.just("reshape"), IDS, INDICES, INDICES, st.booleans()),
    st.tuples(st.just("adopt")),
    st.tuples(st.just("save")),
)


def do_more(session: Session, segmenter: FakeSegmenter, action: tuple, folder: SessionFolder) -> None:
    kind, *details = action
    if kind == "save":
        folder.save(session)
    elif kind in ("clear_plane", "accept_plane"):
        object_id, at, axis = details
        getattr(session, kind)(PlaneRef(axis, at[axis]), object_id)
    elif kind == "remove_prompt":
        (object_id,) = details
        state = session.objects.get(object_id)
        prompted = [] if state is None else [anchor for anchor in state.anchors if anchor.prompts]
        if prompted:
            request = session.remove_prompt(prompted[0].plane, prompted[0].prompts[0], object_id)
            if request is not None:
                session.apply(segmenter.segment(request), request, overwrites=True)
    elif kind == "reshape":
        object_id, a, b, value = details
        box = Box(tuple(map(min, a, b)), tuple(max(x, y) + 1 for x, y in zip(a, b, strict=True)))
        session.reshape(object_id, BoxedMask(box, np.full(box.shape, value)), "smooth", overwrites=value)
    elif kind == "adopt":
        session.adopt(np.asarray(TRUTH * (TRUTH == 2), np.uint8), {2: "older"})
    elif kind in PLAIN:
        getattr(session, kind)(*details)
    else:
        do(session, segmenter, action)


def assert_same(one: Session, other: Session) -> None:
    assert np.array_equal(one.labels, other.labels)
    assert one.labels.dtype == other.labels.dtype
    assert one.state == other.state
    assert (one.can_undo, one.can_redo) == (other.can_undo, other.can_redo)


def assert_same_history(one: Session, other: Session) -> None:
    """Walk through both stacks, to the very first step and to the very last."""
    assert_same(one, other)
    for step in ("redo", "undo", "redo"):
        while getattr(one, f"can_{step}"):
            for session in (one, other):
                getattr(session, step)()
            assert_same(one, other)


def run(folder: SessionFolder, actions: list[tuple], has_labels: bool) -> Session:
    session, segmenter = Session(VOLUME, TRUTH.copy() if has_labels else None), FakeSegmenter()
    folder.begin(session)
    folder.follow(session)
    for action in actions:
        try:
            do_more(session, segmenter, action, folder)
        except InvalidPrompt:
            continue
    return session


@settings(deadline=None, max_examples=60)
@given(st.lists(MORE, max_size=16), st.booleans(), st.lists(MORE, max_size=4))
def test_a_session_read_from_disk_is_the_one_that_was_killed(
    actions: list[tuple], has_labels: bool, later: list[tuple]
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = SessionFolder(Path(place) / "s")
        killed = run(folder, actions, has_labels)
        folder.unfollow(killed)
        again_folder = SessionFolder(Path(place) / "s")
        again = again_folder.open(VOLUME)
        again_folder.follow(again)
        for action in later:  # work goes on, and dies a second time
            try:
                do_more(again, FakeSegmenter(), action, again_folder)
            except InvalidPrompt:
                continue
        again_folder.unfollow(again)
        third = SessionFolder(Path(place) / "s").open(VOLUME)
        if not later:
            assert_same(third, killed)
        assert_same_history(third, again)
        if not later:
            assert_same_history(SessionFolder(Path(place) / "s").open(VOLUME), killed)


@settings(deadline=None, max_examples=40)
@given(st.lists(MORE, min_size=1, max_size=12), st.booleans(), st.floats(0, 1))
def test_a_log_cut_anywhere_gives_the_session_as_it_was_then(
    actions: list[tuple], has_labels: bool, part: float
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = SessionFolder(Path(place) / "s")
        states: list[tuple[np.ndarray, SessionState]] = []
        actions = [action for action in actions if action[0] != "save"]
        session, segmenter = Session(VOLUME, TRUTH.copy() if has_labels else None), FakeSegmenter()
        folder.begin(session)
        folder.follow(session)
        states.append((session.labels.copy(), session.state))
        session.on_entry.append(lambda _: states.append((session.labels.copy(), session.state)))
        for action in actions:
            try:
                do_more(session, segmenter, action, folder)
            except InvalidPrompt:
                continue
        folder.close()
        log = Path(place) / "s" / "log.jsonl"
        content = log.read_bytes()
        first = content.index(b"\n") + 1
        log.write_bytes(content[: first + round(part * (len(content) - first))])
        n_lines = log.read_bytes().count(b"\n") - 1
        again = SessionFolder(Path(place) / "s").open(VOLUME)
        assert np.array_equal(again.labels, states[n_lines][0])
        assert again.state == states[n_lines][1]


def test_three_hundred_steps_before_the_last_save_can_be_undone_after_a_restart(tmp_path: Path) -> None:
    session, segmenter = Session(VOLUME), FakeSegmenter()
    for k in range(300):
        at = (k % SHAPE[0], (k * 7) % SHAPE[1], (k * 5) % SHAPE[2])
        do(session, segmenter, ("point", 1 + k % 3, at, k % 3, True))
    SessionFolder(tmp_path / "s").save(session)
    again = SessionFolder(tmp_path / "s").open(VOLUME)
    n_undone = 0
    while again.can_undo:
        session.undo()
        again.undo()
        n_undone += 1
    assert n_undone == 300
    assert_same_history(again, session)
