"""What the whole plane says comes first where a closer look has to be encoded; the last answer counts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt
from napari_sam.core.segmenter import (
    GlancingSegmenter,
    SegmentRequest,
    answers_of,
    glance_of,
)
from napari_sam.core.session import Session
from napari_sam.engine.sam_segmenter import SamSegmenter
from napari_sam.errors import InvalidPrompt
from napari_sam.nodes.replay import replay_session
from napari_sam.store.session_file import ModelReference, SessionFolder
from tests.engine.asking import PLANE, WINDOW, ask, same
from tests.fakes import FakeSegmenter, ellipsoid_labels, labelled_volume
from volumes import Geometry, Provenance, Volume

HW = (400, 500)
POINT, BOX = PointPrompt((1, 90, 330)), BoxPrompt(PLANE.box_of((81, 321, 100, 340)))
LARGE = BoxPrompt(PLANE.box_of((20, 100, 300, 450)))


@pytest.fixture(scope="module")
def volume() -> Volume:
    """Three planes with a bright disc of 9 voxels' radius at row 90, column 330."""
    rows, cols = np.ogrid[: HW[0], : HW[1]]
    disc = (rows - 90) ** 2 + (cols - 330) ** 2 <= 81
    noise = np.random.default_rng(0).integers(0, 12, HW, dtype=np.uint8)
    data = np.where(disc, 200, 60).astype(np.uint8) + noise
    return Volume(np.stack([data] * 3), Geometry.from_spacing((3, *HW)), Provenance("test"))


def test_a_click_on_a_small_object_is_glanced_at_and_then_looked_at_closer(volume, make_segmenter) -> None:
    segmenter, other = make_segmenter(), make_segmenter()
    assert isinstance(segmenter, GlancingSegmenter)
    request = ask(volume, POINT)
    glance, full = segmenter.answers(request)
    assert (glance.is_glance, full.is_glance) == (True, False)
    assert same(glance, SamSegmenter.segment_batch(other, [request])[0])
    assert same(full, other.segment(request))
    assert not same(glance, full)


def test_only_the_last_answer_waits_for_a_window_to_be_encoded(volume, make_segmenter) -> None:
    segmenter = make_segmenter()
    segmenter.prefetch(volume, [PLANE], WINDOW)
    answers = segmenter.answers(ask(volume, POINT))
    assert segmenter.timings.n_decoded == 0
    next(answers)
    assert segmenter.timings.n_encoded == 1
    next(answers)
    assert segmenter.timings.n_encoded == 2


def test_no_glance_where_the_full_answer_needs_no_encoding(volume, make_segmenter) -> None:
    segmenter = make_segmenter()
    request = ask(volume, POINT)
    *_, full = segmenter.answers(request)
    (again,) = segmenter.answers(request)
    assert same(again, full)
    hinted = ask(volume, POINT, PointPrompt((1, 92, 331)), hint=full.hints[full.best])
    *_, before = segmenter.answers(hinted)
    (after,) = segmenter.answers(hinted)
    assert same(after, before)
    large = segmenter.segment(ask(volume, LARGE))
    (again,) = segmenter.answers(ask(volume, LARGE))
    assert same(again, large)
    assert not again.is_glance


def test_a_box_is_glanced_at_only_on_a_plane_that_was_seen(volume, make_segmenter) -> None:
    segmenter, other = make_segmenter(), make_segmenter()
    (only,) = segmenter.answers(ask(volume, BOX))
    assert segmenter.timings.n_encoded == 1
    assert same(only, other.segment(ask(volume, BOX)))
    prepared = make_segmenter()
    prepared.prefetch(volume, [PLANE], WINDOW)
    glance, full = prepared.answers(ask(volume, BOX))
    assert glance.is_glance
    assert same(full, only)


@pytest.mark.parametrize("prompt", [POINT, BOX, LARGE])
def test_a_glance_is_the_same_whatever_was_encoded_before(volume, make_segmenter, prompt) -> None:
    fresh, used = make_segmenter(), make_segmenter()
    used.segment(ask(volume, prompt))
    glances = [segmenter.glance(ask(volume, prompt)) for segmenter in (fresh, used)]
    assert same(*glances)
    assert all(glance.is_glance for glance in glances)


@pytest.mark.parametrize("n_awaited", [1, 2])
def test_a_session_is_replayed_bit_for_bit_whether_or_not_the_full_answer_came(
    volume, make_segmenter, tmp_path, n_awaited
) -> None:
    session, segmenter = Session(volume, window=WINDOW), make_segmenter()
    segmenter.prefetch(volume, [PLANE], WINDOW)
    for n, prompt in ((n_awaited, POINT), (2, PointPrompt((1, 92, 333)))):
        request = session.prompt(PLANE, prompt, object_id=1)
        for answer in itertools.islice(segmenter.answers(request), n):
            session.apply(answer, request)
    path = tmp_path / "case.samsession"
    SessionFolder(path).save(session, ModelReference(segmenter.name, segmenter.weights_sha256))
    exact = replay_session(path)
    assert (exact.is_same, exact.notes) == (True, ())
    again = replay_session(path, volume=volume, segmenter=make_segmenter())
    assert (again.is_same, again.notes) == (True, ())
    (one,) = again.objects
    assert one.voxels == np.count_nonzero(session.labels) > 100


def test_wrong_prompts_are_refused_with_the_first_answer(volume, make_segmenter) -> None:
    answers = make_segmenter().answers(ask(volume, BOX, LARGE))
    with pytest.raises(InvalidPrompt, match="2 boxes"):
        next(answers)


def test_a_segmenter_without_glances_has_one_answer() -> None:
    fake = FakeSegmenter()
    request = SegmentRequest(
        labelled_volume(ellipsoid_labels((9, 32, 40))), PlaneRef(0, 4), WINDOW, (PointPrompt((4, 16, 20)),)
    )
    answers = answers_of(fake, request)
    assert fake.requests == []
    (answer,) = answers
    assert answer.masks == glance_of(fake, request).masks
    assert not answer.is_glance
