"""What a model gets wrong in the anchors is set right in the planes beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_sam.core.anchor_errors import FADE_PLANES, MOST, AnchorErrors
from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation import PropagationLimits, PropagationParts, plan_propagation, propagate
from napari_sam.core.propagation_film import for_film
from napari_sam.core.propagation_plan import PropagationPlan
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.session import Session
from napari_sam.core.sharpening import (
    Learning,
    Sharpen,
    keep_masks,
    sharpen_by_anchors,
    sharpen_by_appearance,
)
from tests.fakes import FakeSegmenter
from volumes import Geometry, Provenance, Volume

SHAPE = (15, 64, 80)
LEAK = 6


def disc(radius: float, at: tuple[float, float] = (30, 40)) -> NDArray[np.bool_]:
    rows, cols = np.ogrid[: SHAPE[1], : SHAPE[2]]
    return np.asarray((rows - at[0]) ** 2 + (cols - at[1]) ** 2 <= radius**2)


def leaked(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Grown by some columns to the right alone."""
    wide = mask.copy()
    for by in range(1, LEAK + 1):
        wide[:, by:] |= mask[:, :-by]
    return wide


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float(2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)))


class Leaking(FakeSegmenter):
    """Knows the truth, and leaks to the right in all planes, the anchors' too."""

    def segment(self, request: SegmentRequest) -> MaskPrediction:
        answer = super().segment(request)
        assert self._truth is not None
        wide = leaked(np.asarray(request.plane.take(self._truth) == 1))
        mask = BoxedMask.of_plane(wide, request.plane, request.volume.shape)
        return replace(answer, masks=(mask,) * 3)


class TestErrors:
    answer, shown = disc(14), disc(11, (30, 38))

    def learnt(self, *indices: int) -> AnchorErrors:
        errors = AnchorErrors()
        for index in indices:
            errors.learn(index, self.answer, self.answer, self.shown)
        return errors

    def test_beside_its_anchor_an_error_is_what_it_was(self) -> None:
        depth = self.learnt(5).carried(6, self.answer)
        fade = np.exp(-1 / FADE_PLANES)
        assert depth[30, 52] < -4 * fade  # two cells inside of what was found, and three outside
        assert abs(depth[30, 27]) < 1.0  # on the other side both end in the same column
        assert np.abs(depth).max() <= MOST * 14 * fade + 0.1

    def test_it_fades_with_the_planes_between(self) -> None:
        errors = self.learnt(2)
        sizes = [float(np.abs(errors.carried(index, self.answer)).sum()) for index in (3, 6, 12)]
        assert sizes[0] > 1.3 * sizes[1] > 1.3 * sizes[2] > 0

    def test_two_anchors_that_agree_count_no_more_than_one(self) -> None:
        both, one = (self.learnt(*at).carried(6, self.answer) for at in ((5, 7), (5,)))
        fade = np.exp(1 / FADE_PLANES)
        np.testing.assert_allclose(both, fade * one, atol=1e-5)

    @given(st.integers(-10, 10), st.integers(-10, 10))
    def test_it_moves_with_the_object(self, down: int, right: int) -> None:
        errors = self.learnt(0)
        here = errors.carried(1, self.answer)[16:45, 26:55]
        there = errors.carried(1, disc(14, (30 + down, 40 + right)))
        np.testing.assert_allclose(there[16 + down : 45 + down, 26 + right : 55 + right], here, atol=1e-4)

    def test_it_is_smaller_where_the_object_is(self) -> None:
        errors = self.learnt(0)
        small = np.abs(errors.carried(1, disc(7))).max()
        assert small == pytest.approx(np.abs(errors.carried(1, self.answer)).max() / 2, rel=0.05)

    def test_an_empty_anchor_teaches_nothing(self) -> None:
        errors = AnchorErrors()
        errors.learn(0, self.answer, self.answer, np.zeros_like(self.answer))
        assert not errors


class TestPropagation:
    truth = np.zeros(SHAPE, np.uint16)
    for _index in range(SHAPE[0]):
        truth[_index][disc(12 + 0.2 * _index, (28 + 0.4 * _index, 36))] = 1

    def session(self, *anchors: int) -> Session:
        """Grey that tells nothing of the object, so that appearance is silent."""
        grey = np.random.default_rng(0).integers(0, 255, SHAPE).astype(np.int16)
        session = Session(Volume(grey, Geometry.from_spacing(SHAPE), Provenance("test")))
        for index in anchors:
            plane = PlaneRef(0, index)
            session.write(plane, BoxedMask.of_plane(self.truth[index] == 1, plane, SHAPE), 1)
        return session

    def followed(
        self, sharpen: Callable[[PropagationPlan], Sharpen], *anchors: int, film: bool | None = None
    ) -> tuple[Session, list[int]]:
        session, model = self.session(*anchors), Leaking(self.truth)
        limits = PropagationLimits(min_trust=0.0, min_precision=0.0, repairs=False)
        parts = PropagationParts(sharpen=sharpen)
        for _ in propagate(session, model, 1, axis=0, limits=limits, parts=parts, film=film):
            pass
        return session, [request.plane.index for request in model.requests]

    def mean_dice(self, session: Session, indices: Sequence[int]) -> float:
        return float(np.mean([dice(session.labels[i] == 1, self.truth[i] == 1) for i in indices]))

    @pytest.mark.parametrize("anchors", [(7,), (0, 14), (3, 11)])
    def test_a_leak_is_closed_around_the_anchors(self, anchors: tuple[int, ...]) -> None:
        near = [i for a in anchors for i in (a - 1, a + 1) if 0 <= i < SHAPE[0]]
        with_it, without = (self.followed(one, *anchors)[0] for one in (sharpen_by_anchors, keep_masks))
        assert self.mean_dice(without, near) < 0.93
        assert self.mean_dice(with_it, near) > 0.96
        assert self.mean_dice(with_it, range(SHAPE[0])) > self.mean_dice(without, range(SHAPE[0])) + 0.03
        for index in anchors:
            assert np.array_equal(with_it.labels[index], self.truth[index])

    def test_the_same_anchors_give_the_same_labels(self) -> None:
        first, second = (self.followed(sharpen_by_anchors, 4, 9)[0].labels for _ in range(2))
        assert np.array_equal(first, second)

    def test_anchors_with_nothing_to_fill_beside_them_are_not_asked_about(self) -> None:
        asked = self.followed(sharpen_by_anchors, 4, 5, 6, 7)[1]
        assert sorted(asked[:2]) == [4, 7]
        assert not {5, 6} & set(asked)

    def test_film_and_parts_that_do_not_learn_leave_anchors_alone(self) -> None:
        for sharpen, film in ((sharpen_by_appearance, None), (keep_masks, None), (sharpen_by_anchors, True)):
            assert 7 not in self.followed(sharpen, 7, film=film)[1]

    def test_film_keeps_the_parts_that_it_was_given(self) -> None:
        plan = plan_propagation(self.session(7), 1, axis=0)
        assert for_film(plan, PropagationParts(sharpen=keep_masks))[1].sharpen is keep_masks
        assert not isinstance(for_film(plan)[1].sharpen(plan), Learning)

    def test_cancelled_while_an_anchor_is_asked_about_nothing_is_written(self) -> None:
        session, cancel = self.session(7), Cancel()

        class Stopped(Leaking):
            def segment(self, request: SegmentRequest) -> MaskPrediction:
                cancel.cancel()
                cancel.check()
                raise AssertionError

        told = list(propagate(session, Stopped(self.truth), 1, axis=0, cancel=cancel))
        assert {one.reason for one in told if one.state == "stopped"} == {"cancelled"}
        assert np.flatnonzero(session.labels.any(axis=(1, 2))).tolist() == [7]
        assert np.array_equal(session.labels[7], self.truth[7])
