"""A glance and the answer that follows it are one step, of which the answer stays."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.core.again import Deed, do_again
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.session import Session
from tests.fakes import FakeSegmenter, GlancingFake, ellipsoid_labels, labelled_volume

SHAPE, PLANE = (9, 32, 40), PlaneRef(0, 4)


@pytest.fixture
def session() -> Session:
    return Session(labelled_volume(ellipsoid_labels(SHAPE)))


def asked(session: Session, row: float = 16, column: float = 20):
    return session.prompt(PLANE, PointPrompt((4, row, column)), object_id=1)


def deeds(entries) -> list[Deed]:
    return [
        Deed(e.action.name, e.action.values, e.joins, tuple(p.forward() for p in e.edits), e.action.cause)
        for e in entries
    ]


def test_the_answer_takes_the_place_of_the_glance_in_one_step(session):
    request, plain = asked(session), Session(session.volume)
    glance, full = GlancingFake().answers(request)
    edit = session.apply(glance, request)
    assert np.array_equal(session.labels[4] == 1, glance.masks[0].to_plane(PLANE, SHAPE))
    assert edit.changes
    session.apply(full, request)
    other = asked(plain)
    plain.apply(FakeSegmenter().segment(other), other)
    assert np.array_equal(session.labels, plain.labels)
    assert len(session.history.done) == 1
    assert session.objects[1].anchors[0].score == plain.objects[1].anchors[0].score
    session.undo()
    assert not session.labels.any()
    assert session.objects == {}
    session.redo()
    assert np.array_equal(session.labels, plain.labels)


def test_what_is_asked_meanwhile_leaves_the_answer_behind(session):
    request = asked(session)
    glance, full = GlancingFake().answers(request)
    session.apply(glance, request)
    stands = session.labels.copy()
    asked(session, 17, 21)
    assert session.apply(full, request) is None
    assert np.array_equal(session.labels, stands)
    assert np.array_equal(session.objects[1].anchors[0].hint, glance.hints[0])


def test_the_log_says_which_answers_were_glances_and_they_are_done_again(session):
    entries = []
    session.on_entry.append(entries.append)
    first = asked(session)
    glance, _ = GlancingFake().answers(first)
    session.apply(glance, first)
    session.undo()
    session.redo()
    second = asked(session, 17, 21)
    for answer in GlancingFake().answers(second):
        session.apply(answer, second)
    told = [
        e.action.values.get("is_glance", False) for e in entries if e.action and e.action.name == "answer"
    ]
    assert told == [True, True, False]
    for stop in (2, len(entries)):
        again = Session(session.volume)
        done = [e for e in entries[:stop] if e.action is not None]
        assert do_again(again, deeds(done), GlancingFake()) == ()
        expected = glance.masks[0].to_plane(PLANE, SHAPE) if stop == 2 else session.labels[4] == 1
        assert np.array_equal(again.labels[4] == 1, expected)


def test_a_model_without_glances_answers_where_another_one_glanced(session):
    entries, again = [], Session(session.volume)
    session.on_entry.append(entries.append)
    request = asked(session)
    session.apply(GlancingFake().glance(request), request)
    assert do_again(again, deeds(entries), FakeSegmenter()) == ()
    assert np.count_nonzero(again.labels) > np.count_nonzero(session.labels)
