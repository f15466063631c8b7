from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_sam.core.claims import Claims
from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask
from napari_sam.core.plane_prediction import PlanePrediction, told_without_model
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import MaskPrompt, PointPrompt
from napari_sam.core.propagation import PropagationLimits, PropagationPlan, follow, plan_propagation
from napari_sam.core.propagation_parts import parts_named
from napari_sam.core.propagation_together import follow_together, propagate_together
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest, segment_all
from napari_sam.core.session import Session
from napari_sam.errors import InvalidPrompt
from tests.fakes import FakeSegmenter, ellipsoid_labels, labelled_volume

SHAPE = (11, 32, 96)
PLANE = PlaneRef(0, 5)


class Batching(FakeSegmenter):
    """Answers many requests at once, and remembers how many."""

    def __init__(self, truth: NDArray[np.uint16] | None = None) -> None:
        super().__init__(truth)
        self.batches: list[int] = []

    def segment_many(self, requests: Sequence[SegmentRequest]) -> list[MaskPrediction]:
        assert len({request.plane for request in requests}) <= 2
        self.batches.append(len(requests))
        return [self.segment(request) for request in requests]


class Greedy(FakeSegmenter):
    """Every object claims a part of its neighbours; logits fall from its own middle."""

    def segment(self, request: SegmentRequest) -> MaskPrediction:
        point = next(prompt for prompt in request.prompts if isinstance(prompt, PointPrompt))
        middle = min((15, 47, 79), key=lambda column: abs(point.at[2] - column))
        whole = np.zeros(request.volume.shape[1:], bool)
        whole[8:24, max(middle - 18, 0) : middle + 18] = True
        mask = BoxedMask.of_plane(whole, request.plane, request.volume.shape)
        hint = 8 - np.abs(np.arange(96) - middle) / 6
        hints = np.broadcast_to(hint, (3, 96, 96)).astype(np.float16)
        return MaskPrediction(request.plane, (mask,) * 3, np.full(3, 0.9, np.float32), hints)


WIDE = PropagationLimits(min_trust=0.0, min_precision=0.0, margin=0.3)
AS_GIVEN = parts_named("as given")


def three(ids: Sequence[int] = (1, 2, 3), segmenter: FakeSegmenter | None = None) -> Session:
    """Three ellipsoids side by side, each clicked on in the middle plane, under these ids."""
    session = Session(labelled_volume(ellipsoid_labels(SHAPE, n_objects=3)))
    for column, object_id in zip((15, 47, 79), ids, strict=True):
        request = session.prompt(PLANE, PointPrompt((5, 15, column)), object_id=object_id)
        session.apply((segmenter or FakeSegmenter()).segment(request), request)
    return session


def plans(session: Session) -> list[PropagationPlan]:
    return [plan_propagation(session, object_id) for object_id in session.objects]


def test_all_objects_are_found_in_one_step_and_both_directions_in_one_batch() -> None:
    session, segmenter = three(), Batching()
    before = session.labels.copy()
    told = list(propagate_together(session, segmenter, [1, 2, 3]))
    assert np.array_equal(session.labels, ellipsoid_labels(SHAPE, n_objects=3))
    assert set(segmenter.batches) == {6}
    assert {object_id for object_id, _ in told} == {1, 2, 3}
    session.undo()
    assert np.array_equal(session.labels, before)


def test_many_objects_are_asked_about_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_sam.core.propagation_together._OBJECTS_AT_ONCE", 2)
    session, segmenter = three(), Batching()
    list(propagate_together(session, segmenter, [1, 2, 3]))
    assert np.array_equal(session.labels, ellipsoid_labels(SHAPE, n_objects=3))
    assert set(segmenter.batches) == {4, 2}


def test_each_object_apart_from_others_goes_as_alone() -> None:
    session = three()
    together = list(follow_together(plans(session), FakeSegmenter()))
    for plan in plans(session):
        alone = list(follow(plan, FakeSegmenter()))
        own = [prediction for object_id, prediction in together if object_id == plan.object_id]
        assert [(p.plane, p.state, p.reason, p.mask) for p in own] == [
            (p.plane, p.state, p.reason, p.mask) for p in alone
        ]


@pytest.mark.parametrize("order", [[1, 2, 3], [3, 1, 2]])
def test_no_pixel_goes_to_two_objects_and_the_order_changes_nothing(order: list[int]) -> None:
    results = []
    for ids, asked in (([1, 2, 3], [1, 2, 3]), ([3, 1, 2], order)):
        session = three(ids)
        seen: dict[PlaneRef, NDArray[np.bool_]] = {}
        for _, prediction in propagate_together(session, Greedy(), asked, limits=WIDE, parts=AS_GIVEN):
            if prediction.is_new:
                whole = prediction.mask.to_plane(prediction.plane, SHAPE)
                taken = seen.setdefault(prediction.plane, np.zeros(SHAPE[1:], bool))
                assert not (taken & whole).any()
                taken |= whole
        results.append([session.labels == object_id for object_id in ids])
    assert np.array_equal(results[0], results[1])
    assert seen
    assert (results[0][0][6] & (np.arange(96) > 29)).any()  # beyond its own ellipsoid


class Reaching(FakeSegmenter):
    """A left and a right object: both claim columns 40 to 56 of all planes, each surest on its own side."""

    def __init__(self, left: int, absent: int = 0) -> None:
        super().__init__()
        self.left, self.absent = left, absent

    def segment(self, request: SegmentRequest) -> MaskPrediction:
        is_left = request.object_id == self.left
        whole = np.zeros(request.volume.shape[1:], bool)
        whole[8:24, slice(20, 56) if is_left else slice(40, 76)] = True
        mask = BoxedMask.of_plane(whole, request.plane, request.volume.shape)
        hint = (1 if is_left else -1) * (47.5 - np.arange(96))
        hints = np.broadcast_to(hint, (3, 96, 96)).astype(np.float16)
        scores = np.full(3, 0.9 * (request.object_id != self.absent), np.float32)
        return MaskPrediction(request.plane, (mask,) * 3, scores, hints)


def drawn(columns: dict[int, slice], planes: dict[int, int]) -> Session:
    """Objects painted by id: which columns, in which plane."""
    session = Session(labelled_volume(ellipsoid_labels(SHAPE, n_objects=3)))
    for object_id, index in planes.items():
        whole = np.zeros(SHAPE[1:], bool)
        whole[8:24, columns[object_id]] = True
        plane = PlaneRef(0, index)
        session.write(plane, BoxedMask.of_plane(whole, plane, SHAPE), object_id)
    return session


@pytest.mark.parametrize("ids", [(1, 2), (2, 1)])
def test_who_comes_later_takes_what_it_is_surer_of(ids: tuple[int, int]) -> None:
    left, right = ids
    session = drawn({left: slice(20, 48), right: slice(48, 76)}, {left: 1, right: 9})
    now: dict[tuple[int, PlaneRef], NDArray[np.bool_]] = {}
    shrunk = 0
    for object_id, told in propagate_together(session, Reaching(left), [1, 2], limits=WIDE, parts=AS_GIVEN):
        if told.is_new:
            mask, key = told.mask.to_plane(told.plane, SHAPE), (object_id, told.plane)
            shrunk += key in now
            now[key] = mask
            other = now.get((3 - object_id, told.plane))
            assert other is None or not (mask & other).any()
            assert np.array_equal(session.labels[told.plane.index] == object_id, mask)
    assert shrunk > 0
    claimed = session.labels[2:9, 8:24, 20:76]
    assert (claimed > 0).all()
    # In the middle plane both are as far from their anchors: depths and logits share it out.
    assert np.array_equal(claimed[3, 8] == left, np.arange(20, 76) < 48)
    # Nearer to its anchor an object gets more of what both claim.
    shares = (claimed == left).sum(axis=(1, 2))
    assert (np.diff(shares) <= 0).all()
    assert shares[0] > shares[-1]


def test_an_object_goes_on_behind_what_a_person_gave_to_another() -> None:
    session = drawn({1: slice(20, 48), 2: slice(16, 60)}, {1: 2, 2: 5})
    labels = session.labels.copy()
    model = Reaching(left=1, absent=2)  # of the second there is its anchor only
    list(propagate_together(session, model, [1, 2], limits=WIDE, parts=AS_GIVEN))
    assert np.array_equal(session.labels[5], labels[5])
    assert set(session.labels[5, 8:24, 20:56].ravel()) == {2}
    assert (session.labels[6:, 8:24, 20:56] == 1).all()


class Sliding(FakeSegmenter):
    """The first object slides over the second one, whose place is columns 44 to 76."""

    def segment(self, request: SegmentRequest) -> MaskPrediction:
        whole = np.zeros(request.volume.shape[1:], bool)
        slid = min(5 * request.plane.index, 32)
        whole[8:24, slice(20 + slid, 40 + slid) if request.object_id == 1 else slice(44, 76)] = True
        mask = BoxedMask.of_plane(whole, request.plane, request.volume.shape)
        hints = np.where(whole, 4.0, -4.0)[None].repeat(3, 0).astype(np.float16)
        return MaskPrediction(request.plane, (mask,) * 3, np.full(3, 0.9, np.float32), hints)


def test_who_slides_over_a_neighbour_ends_there_and_leaves_nothing_behind() -> None:
    session = drawn({1: slice(20, 40), 2: slice(44, 76)}, {1: 0, 2: 10})
    told = list(propagate_together(session, Sliding(), [1, 2], limits=WIDE, parts=AS_GIVEN))
    given_up = [p.plane.index for object_id, p in told if object_id == 1 and p.reason == "neighbour"]
    assert given_up == list(range(max(given_up), min(given_up) - 1, -1))
    mine = np.flatnonzero((session.labels == 1).any(axis=(1, 2)))
    assert max(mine) == min(given_up) - 1
    assert 2 <= max(mine) <= 5
    assert (session.labels[min(given_up) : 11, 8:24, 44:76] == 2).all()
    session.undo()
    assert set(np.unique(np.nonzero(session.labels)[0])) == {0, 10}


def test_who_loses_all_of_a_plane_is_told_of_as_stopped_there() -> None:
    volume = labelled_volume(np.ones((9, 32, 96), np.uint16))
    session, plane = Session(volume), PlaneRef(0, 4)
    for object_id, index in ((1, 0), (2, 8)):
        whole = np.zeros((32, 96), bool)
        whole[8:24, 20:56] = True
        at = PlaneRef(0, index)
        session.write(at, BoxedMask.of_plane(whole, at, volume.shape), object_id)
    first, second = plans(session)
    claims, mask = Claims(), BoxedMask.of_plane(whole, plane, volume.shape)

    def told(level: float) -> PlanePrediction:
        bare = told_without_model(plane, mask, 0.9, "propagated")
        return replace(bare, hints=np.full((1, 32, 32), level, np.float16))

    assert [one.state for _, one in claims.add(plane, [(first, told(1.0))])] == ["propagated"]
    found = [(i, one.state, one.area_px) for i, one in claims.add(plane, [(second, told(2.0))])]
    assert found == [(1, "propagated", 0), (1, "stopped", 0), (2, "propagated", mask.area)]


def test_locked_objects_and_those_not_followed_keep_their_voxels() -> None:
    session = three()
    list(propagate_together(session, FakeSegmenter(), [1]))
    session.lock(1)
    kept = session.labels == 1
    list(propagate_together(session, Greedy(), [2, 3], limits=WIDE, parts=AS_GIVEN))
    assert np.array_equal(session.labels == 1, kept)


def test_cancel_keeps_what_is_done() -> None:
    session, cancel = three(), Cancel()
    told = propagate_together(session, FakeSegmenter(), [1, 2, 3], cancel=cancel)
    done = [next(told) for _ in range(6)]
    cancel.cancel()
    rest = list(told)
    assert sum(prediction.is_new for _, prediction in done) == 3
    assert {prediction.reason for _, prediction in rest} == {"cancelled"}
    assert np.array_equal(np.unique(np.nonzero(session.labels)[0]), [5, 6])


def test_planes_of_an_earlier_run_that_are_not_reached_are_erased() -> None:
    session = three()
    list(propagate_together(session, FakeSegmenter(), [1, 2, 3]))
    told = list(propagate_together(session, FakeSegmenter(scores=lambda plane: 0.0), [1, 2, 3]))
    assert all(not prediction.is_new for _, prediction in told)
    assert np.array_equal(np.unique(np.nonzero(session.labels)[0]), [5])


def test_gaps_between_anchors_are_filled_without_overlap() -> None:
    session = Session(labelled_volume(np.zeros((9, 32, 48), np.uint16)))
    for object_id, columns in ((1, slice(4, 26)), (2, slice(22, 44))):
        for index, cut in ((1, columns), (7, columns)):
            mask = np.zeros((32, 48), bool)
            mask[8:24, cut] = True
            plane = PlaneRef(0, index)
            session.write(plane, BoxedMask.of_plane(mask, plane, (9, 32, 48)), object_id)
    told = list(propagate_together(session, FakeSegmenter(scores=lambda plane: 0.0), [2, 1]))
    filled = [(object_id, p) for object_id, p in told if p.state == "interpolated"]
    assert {object_id for object_id, _ in filled} == {1, 2}
    for index in range(2, 7):
        masks = [p.mask.to_plane(p.plane, (9, 32, 48)) for _, p in filled if p.plane.index == index]
        assert not (masks[0] & masks[1]).any()


def test_an_object_given_twice_is_refused() -> None:
    with pytest.raises(InvalidPrompt, match="different"):
        propagate_together(three(), FakeSegmenter(), [1, 1])


def test_segmenters_without_batches_are_asked_one_by_one() -> None:
    session, segmenter = three(), FakeSegmenter()
    mask = session.mask_on(PLANE, 1)
    assert mask is not None
    request = SegmentRequest(session.volume, PLANE, session.window, (MaskPrompt(mask),))
    assert len(segment_all(segmenter, [request, request])) == 2
