"""Who has the voxels that an answer gave to an object."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.core.holders import Holders, holders_of
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.segmenter import MaskPrediction
from napari_sam.core.session import Session
from volumes import Geometry, Provenance, Volume

SHAPE = (3, 12, 12)


def square(axis: int, index: int, start: int, stop: int) -> BoxedMask:
    plane = PlaneRef(axis, index)
    bits = np.zeros(plane.shape_hw(SHAPE), bool)
    bits[:, start:stop] = True
    return BoxedMask.of_plane(bits, plane, SHAPE)


@pytest.fixture
def session() -> Session:
    volume = Volume(
        np.zeros(SHAPE, np.int16), Geometry.from_spacing(SHAPE, (1.0, 1.0, 1.0)), Provenance("test")
    )
    return Session(volume, window="0,1")


def answer(session: Session, axis: int, index: int, mask: BoxedMask, object_id: int) -> None:
    plane = PlaneRef(axis, index)
    request = session.prompt(plane, PointPrompt(plane.at(0, 0), True), object_id=object_id)
    scores, hints = np.array([0.9], np.float32), np.zeros((1, 4, 4), np.float16)
    session.apply(MaskPrediction(plane, (mask,), scores, hints), request)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_what_others_have_is_counted_most_first(session, axis):
    plane = PlaneRef(axis, 1)
    height = plane.shape_hw(SHAPE)[0]
    width = plane.shape_hw(SHAPE)[1]
    third = width // 3
    session.write(plane, square(axis, 1, 0, 1), 1)
    session.write(plane, square(axis, 1, 1, 1 + third), 2)
    answer(session, axis, 1, square(axis, 1, 0, width), 3)
    found = holders_of(session.labels, session.state, 3, plane)
    rest = height * (width - 1 - third)
    sizes = sorted(((1, height), (2, height * third)), key=lambda pair: -pair[1])
    assert found == Holders(3, plane, height * width, rest, tuple(sizes), height * (1 + third))
    assert not found.is_left_out
    session.lock(2)
    assert holders_of(session.labels, session.state, 3, plane).n_open == height
    session.accept_plane(plane, 1)
    assert holders_of(session.labels, session.state, 3, plane).n_open == 0


def test_an_object_may_be_left_out_altogether(session):
    plane = PlaneRef(0, 1)
    session.write(plane, square(0, 1, 0, 12), 1)
    answer(session, 0, 1, square(0, 1, 2, 5), 2)
    assert holders_of(session.labels, session.state, 2, plane) == Holders(2, plane, 36, 0, ((1, 36),), 36)
    assert holders_of(session.labels, session.state, 2, plane).is_left_out


def test_without_an_answer_there_is_nothing_to_say(session):
    plane = PlaneRef(0, 1)
    assert holders_of(session.labels, session.state, 1, plane) is None
    session.write(plane, square(0, 1, 0, 3), 1)
    assert holders_of(session.labels, session.state, 1, plane) is None
    answer(session, 0, 2, square(0, 2, 0, 0), 2)
    assert holders_of(session.labels, session.state, 2, PlaneRef(0, 2)) is None
