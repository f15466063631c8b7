from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from napari_sam.core.evidence import AnchorLook, Evidence
from napari_sam.core.intensity import GreyRange
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt
from napari_sam.core.propagation import PropagationLimits, PropagationPlan, propagate
from napari_sam.core.propagation_choices import (
    choose_by_agreement,
    choose_by_score,
    choose_by_trust,
    evidence_of,
    judge_by_trust,
)
from napari_sam.core.propagation_front import Choice, Front
from napari_sam.core.propagation_parts import PARTS, PropagationParts, keep, parts_named
from napari_sam.core.propagation_plan import Seed
from napari_sam.core.propagation_prompts import DERIVATIONS, deriving
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.session import Session
from napari_sam.core.trust import FITTED, Trust
from napari_sam.core.window import Window
from napari_sam.errors import InvalidPrompt
from tests.fakes import FakeSegmenter, ellipsoid_labels, labelled_volume

SHAPE = (5, 32, 48)
PLANE, NEXT = PlaneRef(0, 2), PlaneRef(0, 3)
ALL = frozenset({"point", "box", "mask"})


def square(row: int, col: int, side: int = 8, plane: PlaneRef = NEXT) -> BoxedMask:
    box = plane.box_of((row, col, row + side, col + side))
    return BoxedMask(box, np.ones(box.shape, np.bool_))


def bright_square() -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint16)
    labels[:, 10:18, 20:28] = 1
    return labels


def plan(neighbours: np.ndarray | None = None, **limits: float) -> PropagationPlan:
    seeds = {2: Seed(square(10, 20, plane=PLANE), None, 1.0)}
    return PropagationPlan(
        labelled_volume(bright_square()), Window(0, 1000), 1, 0, 0, 5, seeds, frozenset(), frozenset(),
        PropagationLimits(**limits), neighbours,
    )  # fmt: skip


def front(mask: BoxedMask | None = None, hint: np.ndarray | None = None, **options: object) -> Front:
    mask = mask or square(10, 20, plane=PLANE)
    return Front(PLANE, 1, mask, hint, GreyRange(150, 200), 64, None, AnchorLook(178.0, 6.0), **options)


def answer(*masks: BoxedMask, scores: tuple[float, ...] = (0.8, 0.8, 0.8), **said: object) -> MaskPrediction:
    scores_then = np.array(scores[: len(masks)], np.float32)
    return MaskPrediction(NEXT, masks, scores_then, np.zeros((len(masks), 8, 8), np.float16), **said)


class TestPrompts:
    def test_each_derivation_gives_its_own_kind(self) -> None:
        logits = np.ones((8, 8), np.float16)
        kinds = {
            name: {type(prompt) for prompt in DERIVATIONS[name](plan(), front(hint=logits)).prompts}
            for name in DERIVATIONS
        }
        assert kinds == {
            "logits": set(), "logits of two": set(), "mask": {MaskPrompt}, "box": {BoxPrompt},
            "point": {PointPrompt}, "component points": {PointPrompt}, "neighbour points": set(),
        }  # fmt: skip

    def test_logits_of_two_planes_are_their_mean(self) -> None:
        now, earlier = np.full((8, 8), 3, np.float16), np.full((8, 8), -1, np.float16)
        moved = front(hint=now, before=(square(10, 20), earlier))
        assert np.all(deriving("logits of two")(plan(), moved, ALL).hint == 1.0)
        other = front(hint=now, before=(square(10, 20), np.zeros((4, 4), np.float16)))
        assert deriving("logits of two")(plan(), other, ALL).hint is now

    def test_each_component_gets_a_point_unless_it_is_a_speck(self) -> None:
        whole = np.zeros(SHAPE[1:], np.bool_)
        whole[2:9, 2:9] = whole[2:7, 20:25] = whole[20:21, 40:41] = True
        found = deriving("component points")(plan(), front(BoxedMask.of_plane(whole, PLANE, SHAPE)), ALL)
        assert [point.at for point in found.prompts] == [(3, 5, 5), (3, 4, 22)]

    def test_neighbours_in_the_next_plane_get_negative_points(self) -> None:
        labels = np.zeros(SHAPE, np.uint16)
        labels[3, 9:18, 28:36] = 2
        labels[3, 25:30, 2:8] = 3  # far away
        labels[3, 11:13, 21:23] = 1  # the object itself
        found = deriving("mask", "neighbour points")(plan(labels), front(), ALL)
        points = [prompt for prompt in found.prompts if isinstance(prompt, PointPrompt)]
        assert [point.positive for point in points] == [False]
        assert labels[3, int(points[0].at[1]), int(points[0].at[2])] == 2

    @pytest.mark.parametrize("kind", sorted(ALL))
    @pytest.mark.parametrize("name", sorted(DERIVATIONS))
    def test_every_model_is_asked_something_it_can_use(self, name: str, kind: str) -> None:
        logits = np.ones((8, 8), np.float16)
        request = deriving(name)(plan(), front(hint=logits), frozenset({kind}))
        kinds = {BoxPrompt: "box", MaskPrompt: "mask", PointPrompt: "point"}
        given = {kinds[type(prompt)] for prompt in request.prompts}
        assert given | ({"mask"} if request.hint is not None else set()) == {kind}
        assert request.plane == NEXT

    def test_a_mask_goes_before_logits_and_models_without_masks_get_a_box(self) -> None:
        logits = np.ones((8, 8), np.float16)
        both = deriving("logits", "mask", "point", without_mask=("box", "point"))
        assert both(plan(), front(hint=logits), ALL).hint is None
        found = both(plan(), front(hint=logits), frozenset({"box", "point"}))
        assert [type(prompt) for prompt in found.prompts] == [BoxPrompt, PointPrompt]


class TestTrust:
    def test_it_grows_with_all_that_speaks_for_a_mask(self) -> None:
        poor = Evidence(score=-1, overlap=0.3, agreement=0.4, fading=-0.5, shift=2.0)
        good = Evidence(score=2, overlap=0.9, agreement=0.9, fading=0.0, shift=0.2)
        assert 0 < FITTED.of(poor) < 0.15 < 0.7 < FITTED.of(good) < 1
        for name in ("score", "overlap", "agreement", "fading", "shift"):
            assert FITTED.of(replace(poor, **{name: getattr(good, name)})) > FITTED.of(poor)

    def test_it_is_a_logistic_function(self) -> None:
        evidence = Evidence(1.0, 0.5, 0.0, 0.0, 2.0)
        assert Trust((1.0, 2.0, 0.0, 0.0, -1.0), 0.0).of(evidence) == pytest.approx(0.5)

    def test_evidence_of_the_right_and_of_a_wrong_place(self) -> None:
        right, wrong, none = square(10, 20), square(10, 32), square(0, 0, 0)
        masks = (right, wrong, none)
        found = evidence_of(plan(), replace(front(), mask=right), answer(*masks), masks)
        assert [evidence_of(plan(), front(), answer(*masks), masks, only=k) for k in range(3)] == [
            (one,) for one in found
        ]
        assert found[0].overlap == 1.0
        assert found[0].shift < 1.0
        assert found[0].fading == pytest.approx(0.0)
        assert (found[1].overlap, found[1].fading, found[1].shift) == (0.0, -1.0, 4.0)
        assert (found[2].agreement, found[2].shift) == (0.0, 4.0)

    def test_it_chooses_the_object_whatever_the_order(self) -> None:
        right, wrong = square(10, 20), square(10, 23)
        for masks, expected in (((right, wrong), 0), ((wrong, right), 1)):
            chosen = choose_by_trust(plan(), front(), answer(*masks), masks)
            assert chosen.candidate == expected
            assert 0.2 < chosen.trust < 1

    def test_candidates_that_the_model_denies_are_never_taken_even_below_zero(self) -> None:
        right, wrong = square(10, 20), square(10, 23)
        said = answer(wrong, right, scores=(0.9, 0.1))
        assert choose_by_trust(plan(), front(), said, (wrong, right)).candidate == 0
        said = answer(wrong, right, scores=(-0.2, -0.1))
        assert choose_by_trust(plan(), front(), said, (wrong, right)).candidate == 1

    def test_other_rules(self) -> None:
        odd, one, other = square(10, 26), square(10, 20), square(10, 21)
        said = answer(odd, one, other, scores=(0.9, 0.8, 0.7))
        assert choose_by_score(plan(), front(), said, said.masks).candidate == 0
        assert choose_by_agreement(plan(), front(), said, said.masks).candidate == 1

    @pytest.mark.parametrize(
        ("trust", "mask", "said", "reason"),
        [
            (0.9, square(10, 20), {}, ""),
            (0.1, square(10, 20), {}, "trust"),
            (0.9, square(0, 0, 0), {}, "empty"),
            (0.9, square(2, 2, 24), {}, "area"),
            (0.9, square(10, 20), {"presence": 0.01}, "absent"),
            (0.9, square(10, 20), {"scores": (0.01,)}, "score"),
        ],
    )
    def test_the_judge(self, trust: float, mask: BoxedMask, said: dict, reason: str) -> None:
        choice = Choice(0, trust=trust)
        assert judge_by_trust(plan(), front(), answer(mask, **said), choice, mask) == reason

    def test_what_is_kept(self) -> None:
        whole = np.zeros(SHAPE[1:], np.bool_)
        whole[10:18, 20:48] = whole[2:4, 2:4] = True
        kept = keep(plan(), front(), (BoxedMask.of_plane(whole, NEXT, SHAPE),), NEXT)
        assert kept[0].box == NEXT.box_of((10, 20, 18, 29))


class Fading(FakeSegmenter):
    """Has less and less to show: its masks leave the object by the plane."""

    def segment(self, request: SegmentRequest) -> MaskPrediction:
        found = super().segment(request)
        whole = found.masks[1].to_plane(request.plane, request.volume.shape)
        rows = np.nonzero(whole)[0]
        if request.plane.index >= 9 and len(rows):
            whole[: int(rows.mean())] = False
        mask = BoxedMask.of_plane(whole, request.plane, request.volume.shape)
        return replace(found, masks=(mask, found.masks[0], found.masks[2]), preferred=0)


def _upper_left(
    answer: MaskPrediction, masks: Sequence[BoxedMask], chosen: int, before: BoxedMask
) -> BoxedMask:
    """Take off all that is not in the upper left of a mask's box."""
    row0, col0, row1, col1 = answer.plane.box_hw(masks[chosen].box)
    return masks[chosen].within(answer.plane.box_of((row0, col0, (row0 + row1) // 2, (col0 + col1) // 2)))


class TestWholeRuns:
    @pytest.mark.parametrize("name", sorted(PARTS))
    def test_every_named_set_finds_a_plain_object_twice_the_same(self, name: str) -> None:
        truth = ellipsoid_labels((15, 32, 48))
        results = []
        for _ in range(2):
            session, segmenter = Session(labelled_volume(truth)), FakeSegmenter()
            request = session.prompt(PlaneRef(0, 7), PointPrompt((7, 15, 23)))
            session.apply(segmenter.segment(request), request)
            said = list(propagate(session, segmenter, 1, parts=parts_named(name)))
            results.append((session.labels.tobytes(), [(p.plane.index, p.trust, p.reason) for p in said]))
            common = 2 * ((session.labels > 0) & (truth > 0)).sum()
            assert common / ((session.labels > 0).sum() + (truth > 0).sum()) > 0.9
        assert results[0] == results[1]

    def test_trust_is_told_and_doubtful_planes_are_written(self) -> None:
        truth = ellipsoid_labels((15, 32, 48))
        session, segmenter = Session(labelled_volume(truth)), Fading()
        request = session.prompt(PlaneRef(0, 7), PointPrompt((7, 15, 23)))
        session.apply(segmenter.segment(request), request)
        strict = PropagationLimits(sure_trust=0.99, min_trust=0.01, min_precision=0.0)
        said = list(propagate(session, segmenter, 1, limits=strict, parts=PropagationParts()))
        assert not said[0].doubtful
        assert said[0].trust == 1.0
        doubtful = [p for p in said if p.doubtful and p.state == "propagated"]
        assert doubtful
        assert all(session.labels[p.plane.index].any() for p in doubtful)

    def test_the_sharpened_mask_is_what_is_judged_and_written(self) -> None:
        truth = ellipsoid_labels((15, 32, 48))
        session, segmenter = Session(labelled_volume(truth)), FakeSegmenter()
        request = session.prompt(PlaneRef(0, 7), PointPrompt((7, 15, 23)))
        session.apply(segmenter.segment(request), request)
        seen: list[tuple[BoxedMask, float]] = []

        def judge(_: object, __: object, ___: object, choice: Choice, mask: BoxedMask) -> str:
            seen.append((mask, choice.trust))
            return "" if len(seen) < 4 else "enough"

        parts = PropagationParts(judge=judge, sharpen=lambda _: _upper_left)
        said = [p for p in propagate(session, segmenter, 1, parts=parts) if p.state != "anchor"]
        assert [(p.mask, p.trust) for p in said] == seen
        assert [p.state for p in said].count("propagated") == 3
        as_given = propagate(session, segmenter, 1, parts=parts_named("as given"))
        sure = {p.plane.index: p for p in as_given if p.state == "propagated"}
        assert seen[0][0].area < sure[8].area_px
        assert seen[0][1] < sure[8].trust

    def test_an_unknown_name_lists_the_known_ones(self) -> None:
        with pytest.raises(InvalidPrompt, match="no parts called 'magic'.*trust, agreement"):
            parts_named("magic")
