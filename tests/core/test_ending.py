"""Where an object ends: what is weighed beyond the anchors, and what it decides."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy import ndimage

from napari_sam import load_segmenter
from napari_sam.core.ending import NAMES, ending_numbers, expected_precision, weighed
from napari_sam.core.ending_view import EndView, Eye
from napari_sam.core.evidence import AnchorLook, Evidence
from napari_sam.core.intensity import GreyRange
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt
from napari_sam.core.propagation import PropagationLimits, PropagationParts, propagate
from napari_sam.core.propagation_choices import judge_by_ending, judge_by_trust
from napari_sam.core.propagation_film import film_parts
from napari_sam.core.propagation_front import Choice, Front
from napari_sam.core.propagation_plan import PropagationPlan, Seed
from napari_sam.core.segmenter import MaskPrediction
from napari_sam.core.session import Session
from napari_sam.core.trust import FITTED
from napari_sam.core.window import Window
from tests.fakes import FakeSegmenter, labelled_volume
from volumes import Geometry, Provenance, Volume

SHAPE = (5, 32, 48)
PLANE, NEXT = PlaneRef(0, 2), PlaneRef(0, 3)

WELL = Evidence(2.2, 0.9, 0.95, 0.0, 0.2)
PALING = Evidence(1.0, 0.85, 0.85, 0.05, 0.8)
PALE = Evidence(0.4, 0.75, 0.75, 0.1, 1.8)
GONE = Evidence(-1.7, 0.15, 0.4, 0.0, 2.6)


def square(plane: PlaneRef, side: int = 8) -> BoxedMask:
    box = plane.box_of((10, 20, 10 + side, 20 + side))
    return BoxedMask(box, np.ones(box.shape, np.bool_))


def front(before: Evidence | None = None, **options: object) -> Front:
    look = AnchorLook(178.0, 6.0)
    return Front(PLANE, 1, square(PLANE), None, GreyRange(0, 255), 64, None, look, evidence=before, **options)


def plan(*others: int, **limits: float) -> PropagationPlan:
    seeds = {at: Seed(square(PlaneRef(0, at)), None, 1.0) for at in (2, *others)}
    volume = labelled_volume(np.zeros(SHAPE, np.uint16))
    return PropagationPlan(
        volume, Window(0, 1000), 1, 0, 0, 5, seeds, frozenset(), frozenset(), PropagationLimits(**limits)
    )


def answer(mask: BoxedMask, presence: float = 0.95) -> MaskPrediction:
    hints = np.zeros((1, 8, 8), np.float16)
    return MaskPrediction(NEXT, (mask,), np.array([0.6], np.float32), hints, presence=presence)


def judged(
    evidence: Evidence | None,
    *,
    before: Evidence = PALING,
    side: int = 7,
    others: tuple[int, ...] = (),
    eye: Eye | None = None,
    **limits: float,
) -> str:
    mask, trust = square(NEXT, side), 0.05 if evidence is None else FITTED.of(evidence)
    choice = Choice(0, trust=trust, evidence=evidence, eye=eye)
    return judge_by_ending(plan(*others, **limits), front(before), answer(mask), choice, mask)


class TestNumbers:
    def test_they_come_in_the_order_of_their_names(self) -> None:
        found = dict(zip(NAMES, ending_numbers(front(PALE), WELL, 0.9, square(NEXT, 4)), strict=True))
        assert [found[name] for name in NAMES[:5]] == list(WELL.numbers)
        assert [found[name] for name in NAMES[5:10]] == list(PALE.numbers)
        assert found["presence"] == pytest.approx(np.log(9))
        assert found["shrunk"] == pytest.approx(np.log(16 / 64))
        assert found["left"] == found["shrunk"]

    def test_next_to_an_anchor_the_plane_before_counts_as_this_one(self) -> None:
        numbers = ending_numbers(front(), PALE, 0.9, square(NEXT))
        assert list(numbers[:5]) == list(numbers[5:10])

    def test_what_is_left_is_of_the_largest_so_far(self) -> None:
        moving = front()
        moving.move(NEXT, square(NEXT, 10), None, WELL)
        moving.move(PlaneRef(0, 4), square(PlaneRef(0, 4), 5), None, PALE)
        assert (moving.most_px, moving.evidence) == (100, PALE)
        numbers = ending_numbers(moving, PALE, 0.9, square(PlaneRef(0, 5), 2))
        assert numbers[-2:] == pytest.approx(np.log([4 / 25, 4 / 100]))


class TestExpectedPrecision:
    def test_objects_that_are_clear_pale_and_gone(self) -> None:
        looks = (WELL, WELL, 8, 8), (PALE, PALING, 8, 7), (GONE, PALE, 8, 2)
        rows = []
        for here, before, most, side in looks:
            rows.append(ending_numbers(front(before, most_px=most**2), here, 0.95, square(NEXT, side)))
        well, pale, gone = expected_precision(np.array(rows)).tolist()
        assert well > 0.85
        assert 0.4 < pale < 0.9
        assert FITTED.of(PALE) < 0.15  # trust alone takes a pale object for another
        assert gone < 0.15

    def test_one_and_many_are_alike_and_far_off_numbers_are_none_of_a_kind(self) -> None:
        rows = np.random.default_rng(1).normal(0, 1, (4, 3, len(NAMES)))
        together = expected_precision(rows)
        assert together.shape == (4, 3)
        assert float(expected_precision(rows[2, 1])) == pytest.approx(together[2, 1], abs=1e-12)
        far = expected_precision(np.full(len(NAMES), 1e9))
        assert 0 <= float(far) <= 1


class TestTheJudge:
    def test_a_pale_object_goes_on_and_what_is_in_its_place_does_not(self) -> None:
        assert judged(PALE) == ""
        assert judged(GONE, side=2) == "trust"

    def test_the_limit_is_a_parameter(self) -> None:
        assert judged(PALE, min_precision=0.99) == "trust"
        assert judged(GONE, side=2, min_precision=0.0) == ""

    def test_trust_decides_where_it_is_sure_and_where_nothing_else_is_known(self) -> None:
        assert judged(WELL, min_precision=1.0) == ""
        assert judged(None) == "trust"

    def test_trust_decides_between_anchors_and_where_three_say_how_far_it_goes(self) -> None:
        assert judged(PALE, others=(1,)) == ""
        assert judged(PALE, others=(4,)) == "trust"
        assert judged(PALE, others=(0, 1)) == "trust"

    def test_what_the_model_denies_stays_denied(self) -> None:
        mask = square(NEXT)
        choice = Choice(0, trust=0.9, evidence=WELL)
        assert judge_by_ending(plan(), front(), answer(mask, presence=0.01), choice, mask) == "absent"


class TestTheEye:
    def test_what_it_says_is_weighed_with_what_the_numbers_tell(self) -> None:
        assert weighed(0.7, 0.7) == pytest.approx(0.7)
        assert 0.3 < weighed(0.8, 0.3) < 0.8
        assert weighed(0.4, 0.9) > 0.4
        assert 0 < weighed(0.0, 0.0) < weighed(1.0, 1.0) < 1

    def test_it_ends_what_the_numbers_leave_open_and_can_be_silent(self) -> None:
        numbers = ending_numbers(front(PALING), PALE, 0.95, square(NEXT, 7))
        told = float(expected_precision(numbers))
        limit = weighed(told, 0.5)
        asked: list[list[float]] = []

        def eye(told: np.ndarray, says: float | None) -> float | None:
            asked.append(told.tolist())
            return says

        judge = partial(judged, PALE, min_precision=limit)
        assert [judge(eye=partial(eye, says=says)) for says in (0.45, 0.55)] == ["trust", ""]
        assert asked[0] == numbers.tolist()
        assert judge(eye=partial(eye, says=None)) == ("trust" if told < limit else "")

    def test_it_is_not_asked_where_trust_decides(self) -> None:
        def eye(numbers: np.ndarray) -> float:
            raise AssertionError(numbers)

        assert judged(WELL, eye=eye) == ""
        assert judged(PALE, eye=eye, others=(4,)) == "trust"

    def test_a_front_shows_it_the_mask_that_would_be_kept(self) -> None:
        labels = np.zeros((9, 40, 40), np.uint16)
        labels[:, 10:26, 12:28] = 1
        views: list[EndView] = []

        class Sees(FakeSegmenter):
            def still_there(self, view: EndView) -> float:
                views.append(view)
                return 1.0

        def judge(
            plan: PropagationPlan, front: Front, answer: MaskPrediction, choice: Choice, mask: BoxedMask
        ) -> str:
            assert choice.eye is not None
            assert choice.eye(np.zeros(len(NAMES))) == 1.0
            view = views[-1]
            assert (view.plane, view.step, view.mask, view.before) == (
                answer.plane,
                front.step,
                mask,
                front.mask,
            )
            assert view.anchor_plane.index == min(plan.seeds, key=lambda at: abs(at - answer.plane.index))
            assert view.anchor is plan.seeds[view.anchor_plane.index].mask
            return ""

        session = Session(labelled_volume(labels))
        for at in (1, 7):
            plane = PlaneRef(0, at)
            request = session.prompt(plane, BoxPrompt(plane.box_of((10, 12, 26, 28))), object_id=1)
            session.apply(Sees().segment(request), request)
        list(propagate(session, Sees(), 1, parts=PropagationParts(judge=judge)))
        assert {view.plane.index for view in views} == {0, 2, 3, 4, 5, 6, 8}


class TestParts:
    def test_film_is_judged_by_trust_unless_somebody_says_how(self) -> None:
        assert PropagationParts().judge is judge_by_ending
        assert film_parts().judge is judge_by_trust
        own = replace(PropagationParts(), judge=lambda *_: "")
        assert film_parts(parts=own).judge is own.judge

    def test_a_ball_in_thick_slabs_is_followed_to_its_pale_ends(self) -> None:
        rng = np.random.default_rng(4)
        planes, rows, cols = np.ogrid[:32, :96, :96]
        truth = ((planes - 16) / 9) ** 2 + ((rows - 48) / 17) ** 2 + ((cols - 45) / 14) ** 2 < 1
        grey = ndimage.gaussian_filter(np.where(truth, 700.0, 100.0), (2.0, 1.0, 1.0))
        data = (grey + 12 * rng.standard_normal(truth.shape)).astype(np.int16)
        volume = Volume(data, Geometry.from_spacing(truth.shape, (3.0, 1.0, 1.0)), Provenance("made"))
        segmenter, plane = load_segmenter("default", device="cpu"), PlaneRef(0, 16)
        missing = {}
        for judge in (judge_by_ending, judge_by_trust):
            session = Session(volume)
            request = session.prompt(plane, BoxPrompt(plane.box_of((31, 31, 65, 60))), object_id=1)
            session.apply(segmenter.segment(request), request)
            list(propagate(session, segmenter, 1, parts=PropagationParts(judge=judge)))
            found = np.flatnonzero((session.labels > 0).any(axis=(1, 2)))
            missing[judge] = found[0] - 8, 24 - found[-1]
        assert all(abs(ends) <= 1 for ends in missing[judge_by_ending])
        assert sum(missing[judge_by_trust]) > sum(missing[judge_by_ending])
