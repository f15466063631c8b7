from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_sam.core.claims import Claims
from napari_sam.core.contest import part_claims, settle
from napari_sam.core.masks import BoxedMask
from napari_sam.core.plane_prediction import PlanePrediction, told_without_model
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation import PropagationPlan, plan_propagation
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.session import Session
from napari_sam.core.sureness import DOUBT, FARTHEST, MOST_DOUBT, NEAR, PLACE, SHARE, Claim, Home
from tests.fakes import labelled_volume

SIDE = 32
SHAPE = (9, SIDE, SIDE)
PLANE = PlaneRef(0, 4)
VOLUME = labelled_volume(np.ones(SHAPE, np.uint16))


def boxed(rows: slice, columns: slice, plane: PlaneRef = PLANE) -> BoxedMask:
    whole = np.zeros((SIDE, SIDE), bool)
    whole[rows, columns] = True
    return BoxedMask.of_plane(whole, plane, SHAPE)


def flat(mask: BoxedMask) -> NDArray[np.bool_]:
    return mask.to_plane(PLANE, SHAPE)


def level(value: float) -> NDArray[np.float16]:
    return np.full((1, 16, 16), value, np.float16)


class TestSureness:
    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_depth_is_in_radii_whatever_the_plane(self, axis: int) -> None:
        plane, side = PlaneRef(axis, 3), 64
        rows, cols = np.ogrid[:side, :side]
        disc = (rows - 20) ** 2 + (cols - 30) ** 2 <= 100
        home = Home(axis, BoxedMask.of_plane(disc, plane, (side,) * 3))
        seen_from = PlaneRef(axis, 50)
        places = np.array(
            [seen_from.at(20, 30), seen_from.at(30, 30), seen_from.at(20, 45), seen_from.at(60, 0)]
        )
        found = home.depth(places.astype(int))
        assert found[0] == pytest.approx(1.0, abs=0.05)
        assert found[1] == pytest.approx(0.1, abs=0.05)
        assert found[2] == pytest.approx(-0.5, abs=0.05)
        assert found[3] == -FARTHEST

    def test_each_thing_counts_for_what_it_says(self) -> None:
        mask = boxed(slice(8, 24), slice(8, 24))
        claim = Claim(PLANE, SHAPE, mask, level(2.0)[0], 0.5, Home(0, mask))
        places = np.argwhere(mask.bits) + np.array(mask.box.start)
        plain, part = claim.levels(places, by_logits=True), places[:64]
        assert plain == pytest.approx(2.0 + SHARE + PLACE * claim.home.depth(places))
        assert claim.levels(part, by_logits=True) == pytest.approx(plain[:64] - 0.75 * SHARE)
        assert claim.levels(places, by_logits=False) == pytest.approx(plain - 2.0)  # log odds of 0.5 are 0
        for changed, costs in (
            (replace(claim, n_steps=3), 3 * NEAR),
            (replace(claim, doubt=2.0), 2 * DOUBT),
            (replace(claim, doubt=20.0), MOST_DOUBT * DOUBT),
        ):
            assert changed.levels(places, by_logits=True) == pytest.approx(plain - costs)
        assert np.isinf(replace(claim, is_anchor=True).levels(places, by_logits=True)).all()


def answers_of(
    masks: Sequence[BoxedMask], levels: Sequence[float], score: float = 0.9
) -> list[MaskPrediction]:
    scores = np.array([score], np.float32)
    return [MaskPrediction(PLANE, (mask,), scores, level(x)) for mask, x in zip(masks, levels, strict=True)]


def parted(answers: Sequence[MaskPrediction]) -> list[BoxedMask]:
    request = SegmentRequest(VOLUME, PLANE, Session(VOLUME).window, ())
    return [one.masks[0] for one in part_claims([request] * len(answers), answers, [0] * len(answers))]


class TestPrompted:
    def test_two_alike_meet_half_way(self) -> None:
        masks = boxed(slice(8, 24), slice(0, 20)), boxed(slice(8, 24), slice(12, 32))
        first, second = parted(answers_of(masks, (1.0, 1.0)))
        assert flat(first)[16, :16].all()
        assert flat(second)[16, 16:].all()
        assert first.area + second.area == 16 * 32

    def test_the_higher_logit_wins_what_both_are_as_deep_in(self) -> None:
        masks = boxed(slice(8, 24), slice(0, 20)), boxed(slice(8, 24), slice(12, 32))
        first, second = parted(answers_of(masks, (1.0, 9.0)))
        assert not flat(first)[:, 12:].any()
        assert second.area == masks[1].area

    def test_what_lies_within_another_keeps_its_place(self) -> None:
        within, around = boxed(slice(12, 20), slice(12, 20)), boxed(slice(2, 30), slice(2, 30))
        small, large = parted(answers_of((within, around), (1.0, 1.0)))
        assert small.area == within.area
        assert large.area == around.area - within.area

    def test_without_logits_scores_decide_of_what_lies_alike(self) -> None:
        mask = boxed(slice(8, 24), slice(8, 24))
        bare = [
            replace(answer, hints=np.zeros((1, 0, 0), np.float16), scores=np.array([score], np.float32))
            for answer, score in zip(answers_of((mask, mask), (0.0, 0.0)), (0.6, 0.9), strict=True)
        ]
        assert [one.area for one in parted(bare)] == [0, mask.area]

    def test_candidates_that_were_not_chosen_are_parted_as_well(self) -> None:
        masks = boxed(slice(8, 24), slice(0, 20)), boxed(slice(8, 24), slice(12, 32))
        one, other = answers_of(masks, (1.0, 9.0))
        two = replace(one, masks=one.masks * 2, hints=one.hints.repeat(2, 0), scores=one.scores.repeat(2))
        request = SegmentRequest(VOLUME, PLANE, Session(VOLUME).window, ())
        found = part_claims([request] * 2, [two, other], [1, 0])[0]
        assert [mask.area for mask in found.masks] == [16 * 12] * 2


SIDES = st.integers(0, SIDE - 1)
RECTANGLES = st.tuples(SIDES, SIDES, st.integers(1, 20), st.integers(1, 20), st.floats(-4, 8, width=16))


@given(st.lists(RECTANGLES, min_size=2, max_size=4))
@example(
    [(9, 3, 18, 9, 3.0), (10, 4, 16, 18, 3.0), (14, 10, 7, 12, 3.0)]
)  # three win from each other in a circle
def test_prompted_and_followed_objects_share_by_one_rule(
    shapes: list[tuple[int, int, int, int, float]],
) -> None:
    masks = [boxed(slice(r, r + high), slice(c, c + wide)) for r, c, high, wide, _ in shapes]
    answers = answers_of(masks, [shape[4] for shape in shapes])
    claims = {
        number: Claim(PLANE, SHAPE, mask, answer.hints[0], float(answer.scores[0]), Home(0, mask))
        for number, (mask, answer) in enumerate(zip(masks, answers, strict=True))
    }
    settled, prompted = settle(claims), parted(answers)
    assert [flat(mask).tolist() for mask in prompted] == [flat(settled[n]).tolist() for n in claims]
    counts = np.sum([flat(mask) for mask in prompted], axis=0)
    assert counts.max() == 1
    assert np.array_equal(counts > 0, np.any([flat(mask) for mask in masks], axis=0))


LEFT, RIGHT = slice(2, 14), slice(18, 30)


def plans(left: int = 0, right: int = 8) -> tuple[PropagationPlan, PropagationPlan]:
    """Two objects side by side, each painted in one plane."""
    session = Session(VOLUME)
    for object_id, index, columns in ((1, left, LEFT), (2, right, RIGHT)):
        plane = PlaneRef(0, index)
        session.write(plane, boxed(slice(8, 24), columns, plane), object_id)
    return plan_propagation(session, 1), plan_propagation(session, 2)


def said(index: int, columns: slice, trust: float = 0.9) -> PlanePrediction:
    plane = PlaneRef(0, index)
    told = told_without_model(plane, boxed(slice(8, 24), columns, plane), 0.9, "propagated")
    return replace(told, hints=level(3.0), trust=trust)


def entered(leaks: Sequence[int], right: int = 8) -> Claims:
    """Enter two objects in planes 1 to 7; the left one lies over the right one in some planes."""
    first, second = plans(right=right)
    claims = Claims()
    list(claims.add(PlaneRef(0, right), [(second, replace(said(right, RIGHT), state="anchor", trust=1.0))]))
    for index in range(1, 8):
        new = [(first, said(index, slice(16, 30) if index in leaks else LEFT))]
        if index != right:
            new.append((second, said(index, RIGHT)))
        list(claims.add(PlaneRef(0, index), new))
    return claims


class TestLeaving:
    def test_who_runs_over_a_neighbour_ends_where_it_left_its_place(self) -> None:
        claims = entered(leaks=[4, 5, 6, 7])
        assert set(claims.meant(plans()[0])) == set(range(1, 8))
        told = list(claims.give_up())
        ended = [p.plane.index for i, p in told if i == 1 and p.state == "stopped"]
        assert ended == [7, 6, 5, 4]  # the nearest last: that is where it ends
        assert {p.reason for _, p in told if p.state == "stopped"} == {"neighbour"}
        assert all(p.area_px == 0 for i, p in told if i == 1)
        assert set(claims.meant(plans()[0])) == {1, 2, 3}

    def test_a_single_plane_is_no_end(self) -> None:
        claims = entered(leaks=[4])
        assert list(claims.give_up()) == []

    def test_what_lies_under_anothers_anchor_is_no_end(self) -> None:
        claims = entered(leaks=[5, 7], right=5)
        assert list(claims.give_up()) == []

    def test_what_is_given_up_goes_to_others(self) -> None:
        claims = entered(leaks=[5, 6, 7])
        third = replace(plans()[0], object_id=3)  # as surely at home in the rest of it, but surer elsewhere
        list(
            claims.add(
                PlaneRef(0, 7), [(third, replace(said(7, slice(14, 18), trust=0.02), hints=level(-3)))]
            )
        )
        told = list(claims.give_up())
        grown = [p.area_px for i, p in told if i == 3 and p.state == "propagated"]
        assert grown[-1] == 4 * 16

    def test_an_object_between_its_anchors_stays(self) -> None:
        claims = entered(leaks=[])
        far = replace(plans()[0], seeds={0: plans()[0].seeds[0], 8: plans()[0].seeds[0]})
        for index in range(1, 8):
            list(claims.add(PlaneRef(0, index), [(far, said(index, RIGHT))]))
        assert list(claims.give_up()) == []


class TestTelling:
    def test_who_loses_much_is_trusted_less_and_doubtful(self) -> None:
        first, second = plans()
        claims, plane = Claims(), PlaneRef(0, 2)
        list(claims.add(plane, [(first, said(2, slice(2, 24)))]))
        told = dict(claims.add(plane, [(second, said(2, RIGHT))]))
        assert told[1].area_px == 16 * 16
        assert told[1].trust == pytest.approx(0.9 * 16 / 22)
        assert told[2].trust == pytest.approx(0.9)
        assert not told[1].doubtful
        list(claims.add(PlaneRef(0, 3), [(first, said(3, slice(2, 30)))]))
        told = dict(claims.add(PlaneRef(0, 3), [(second, said(3, RIGHT))]))
        assert told[1].trust < 0.6
        assert told[1].doubtful

    def test_doubt_adds_up_on_the_way(self) -> None:
        first, second = plans()
        claims = Claims()
        for index, trust in ((1, 0.02), (2, 0.9)):
            list(claims.add(PlaneRef(0, index), [(first, said(index, slice(2, 24), trust))]))
        found = dict(claims.add(PlaneRef(0, 2), [(second, said(2, slice(8, 30)))]))
        sure = Claims()
        for index in (1, 2):
            list(sure.add(PlaneRef(0, index), [(first, said(index, slice(2, 24)))]))
        surer = dict(sure.add(PlaneRef(0, 2), [(second, said(2, slice(8, 30)))]))
        assert found[1].area_px < surer[1].area_px
