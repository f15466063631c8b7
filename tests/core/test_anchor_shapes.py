"""Masks weighed against the anchors' shapes: who is surer counts, and where nobody knows nothing changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_sam.core.anchor_shapes import AnchorShapes, Settle, settle_by_anchors, take_as_found
from napari_sam.core.masks import BoxedMask, iou
from napari_sam.core.outline_depths import enlarged
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation import PropagationLimits, PropagationParts, PropagationPlan, propagate
from napari_sam.core.propagation_film import for_film
from napari_sam.core.propagation_plan import Seed
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.session import Session
from napari_sam.core.sharpening import keep_masks
from napari_sam.core.window import Window
from tests.fakes import FakeSegmenter, labelled_volume
from volumes import Geometry, Provenance, Volume

SHAPE = (21, 64, 80)
UNSURE, SURE = 0.3, 0.97


def disc(
    radius: float, at: tuple[float, float] = (30, 40), hw: tuple[int, int] = SHAPE[1:]
) -> NDArray[np.bool_]:
    rows, cols = np.ogrid[: hw[0], : hw[1]]
    return np.asarray((rows - at[0]) ** 2 + (cols - at[1]) ** 2 <= radius**2)


def boxed(
    mask: NDArray[np.bool_], index: int, axis: int = 0, shape: tuple[int, int, int] = SHAPE
) -> BoxedMask:
    return BoxedMask.of_plane(mask, PlaneRef(axis, index), shape)


def plan(
    discs: Mapping[int, NDArray[np.bool_]],
    walls: tuple[int, ...] = (),
    axis: int = 0,
    shape: tuple[int, int, int] = SHAPE,
) -> PropagationPlan:
    volume = Volume(np.zeros(shape, np.int16), Geometry.from_spacing(shape), Provenance("test"))
    seeds = {index: Seed(boxed(mask, index, axis, shape), None, 1.0) for index, mask in discs.items()}
    return PropagationPlan(
        volume,
        Window(0, 1),
        1,
        axis,
        0,
        shape[axis],
        seeds,
        frozenset(walls),
        frozenset(),
        PropagationLimits(),
    )


def radius_of(mask: BoxedMask) -> float:
    return float(np.sqrt(mask.area / np.pi))


class TestBetweenAnchors:
    def test_who_is_unsure_gets_the_shape_that_is_expected(self) -> None:
        settle = settle_by_anchors(plan({8: disc(10), 12: disc(14)}))
        wrong = boxed(disc(22), 10)
        found = settle(PlaneRef(0, 10), wrong, UNSURE)
        assert radius_of(found.mask) == pytest.approx(12, abs=1.0)
        assert found.trust > UNSURE
        assert found.share > 0.5

    def test_who_is_sure_is_believed(self) -> None:
        settle = settle_by_anchors(plan({8: disc(10), 12: disc(14)}))
        mask = boxed(disc(22), 10)
        found = settle(PlaneRef(0, 10), mask, SURE)
        assert (found.mask, found.trust, found.share) == (mask, SURE, 0.0)

    def test_the_less_trust_and_the_nearer_the_anchors_the_more_they_count(self) -> None:
        near, far = (AnchorShapes(plan({10 - gap: disc(10), 10 + gap: disc(10)})) for gap in (2, 8))
        shares = [
            [shapes.settle(PlaneRef(0, 10), boxed(disc(14), 10), trust).share for trust in (0.2, 0.5, 0.8)]
            for shapes in (near, far)
        ]
        assert all(own == sorted(own, reverse=True) for own in shares)
        assert all(one > other for one, other in zip(*shares, strict=True))

    def test_anchors_that_do_not_foretell_each_other_count_less(self) -> None:
        steady = AnchorShapes(plan({2: disc(10), 6: disc(10), 10: disc(10)}))
        fickle = AnchorShapes(plan({2: disc(10), 6: disc(16), 10: disc(10)}))
        asked = PlaneRef(0, 4), boxed(disc(14), 4), 0.5
        assert fickle.settle(*asked).share < steady.settle(*asked).share

    def test_nothing_found_becomes_the_shape(self) -> None:
        nothing = boxed(np.zeros(SHAPE[1:], bool), 10)
        found = settle_by_anchors(plan({9: disc(10), 11: disc(10)}))(PlaneRef(0, 10), nothing, 0.05)
        assert iou(found.mask, boxed(disc(10), 10)) > 0.9

    def test_a_shape_follows_an_object_that_moves(self) -> None:
        settle = settle_by_anchors(plan({8: disc(8, (20, 20)), 12: disc(8, (36, 52))}))
        found = settle(PlaneRef(0, 10), boxed(disc(8, (20, 20)), 10), 0.0)
        assert iou(found.mask, boxed(disc(8, (28, 36)), 10)) > 0.9

    def test_nothing_is_expected_across_a_plane_that_a_person_emptied(self) -> None:
        mask = boxed(disc(22), 9)
        found = settle_by_anchors(plan({8: disc(10), 12: disc(14)}, walls=(10,)))(
            PlaneRef(0, 9), mask, UNSURE
        )
        assert (found.mask, found.share) == (mask, 0.0)

    @given(st.integers(0, 2**32 - 1), st.floats(0.0, 1.0), st.integers(9, 11))
    def test_a_mask_that_is_as_expected_stays(self, seed: int, trust: float, index: int) -> None:
        rng = np.random.default_rng(seed)
        mask = np.zeros(SHAPE[1:], bool)
        mask[4:40, 5:60] = rng.random((36, 55)) < 0.5
        mask[20, 30] = True
        found = settle_by_anchors(plan({8: mask, 12: mask}))(PlaneRef(0, index), boxed(mask, index), trust)
        assert found.mask == boxed(mask, index)

    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_large_objects_are_looked_at_coarsely_and_their_outlines_stay_smooth(self, axis: int) -> None:
        hw = (310, 330)
        shape = (*hw[:axis], 9, *hw[axis:])
        discs = {2: disc(120, (150, 160), hw), 6: disc(140, (150, 160), hw)}
        settle = settle_by_anchors(plan(discs, axis=axis, shape=shape))
        wrong = boxed(disc(100, (150, 160), hw), 4, axis, shape)
        found = settle(PlaneRef(axis, 4), wrong, 0.0).mask
        assert iou(found, boxed(disc(130, (150, 160), hw), 4, axis, shape)) > 0.97

    def test_an_object_that_leaves_the_picture_is_cut_there(self) -> None:
        settle = settle_by_anchors(plan({8: disc(10, (24, 79)), 12: disc(10, (40, 79))}))
        found = settle(PlaneRef(0, 10), boxed(disc(10, (24, 79)), 10), 0.0).mask
        assert iou(found, boxed(disc(10, (32, 79)), 10)) > 0.9


SHRINKING = {4: disc(16), 8: disc(14), 12: disc(9)}
"""Areas on a parabola that is 0 near plane 15."""


class TestBeyondAnchors:
    def test_an_unsure_mask_shrinks_as_the_areas_say(self) -> None:
        settle = settle_by_anchors(plan(SHRINKING))
        found = settle(PlaneRef(0, 13), boxed(disc(20), 13), UNSURE)
        assert radius_of(found.mask) < 14
        assert (found.trust, found.share) == (UNSURE, 0.0)

    def test_past_the_end_that_the_areas_tell_an_unsure_mask_is_empty(self) -> None:
        settle = settle_by_anchors(plan(SHRINKING))
        assert settle(PlaneRef(0, 18), boxed(disc(9), 18), 0.1).mask.is_empty
        sure = boxed(disc(9), 18)
        assert settle(PlaneRef(0, 18), sure, SURE).mask == sure

    @pytest.mark.parametrize(
        ("discs", "walls"),
        [
            ({8: disc(14), 12: disc(9)}, ()),  # two anchors say nothing of an end
            ({4: disc(9), 8: disc(10), 12: disc(14)}, ()),  # it grows ever faster
            (SHRINKING, (13,)),  # a person said that it is not there
        ],
    )
    def test_where_nobody_knows_masks_stay(self, discs: dict, walls: tuple) -> None:
        mask = boxed(disc(20), 14)
        assert settle_by_anchors(plan(discs, walls))(PlaneRef(0, 14), mask, UNSURE).mask == mask

    def test_nothing_found_stays_nothing(self) -> None:
        nothing = boxed(np.zeros(SHAPE[1:], bool), 13)
        assert settle_by_anchors(plan(SHRINKING))(PlaneRef(0, 13), nothing, 0.0).mask.is_empty


class Unsure(FakeSegmenter):
    """Answers with what is bright, each edge two pixels too far, and says that it does not know."""

    def segment(self, request: SegmentRequest) -> MaskPrediction:
        answer = super().segment(request)
        row0, col0, row1, col1 = request.plane.box_hw(answer.masks[1].box)
        wide = np.zeros(request.plane.shape_hw(request.volume.shape), bool)
        wide[max(0, row0 - 2) : row1 + 2, max(0, col0 - 2) : col1 + 2] = True
        masks = (BoxedMask.of_plane(wide, request.plane, request.volume.shape),) * 3
        return replace(answer, masks=masks, scores=np.full(3, 0.4, np.float32))


class TestPropagation:
    def cone(self) -> NDArray[np.uint16]:
        labels = np.zeros(SHAPE, np.uint16)
        for index in range(SHAPE[0]):
            labels[index][disc(6 + 0.5 * index)] = 1
        return labels

    def followed(
        self, settle: Callable[[PropagationPlan], Settle] = settle_by_anchors
    ) -> tuple[Session, float]:
        truth = self.cone()
        session, parts = Session(labelled_volume(truth)), PropagationParts(sharpen=keep_masks, settle=settle)
        for index in (6, 9, 12):
            session.write(PlaneRef(0, index), boxed(truth[index] == 1, index), 1)
        limits = PropagationLimits(
            min_trust=0.0, min_precision=0.0, repairs=False
        )  # or what is lost would be drawn, too
        for _ in propagate(session, Unsure(), 1, planes=(6, 13), parts=parts, limits=limits):
            pass
        inner = [7, 8, 10, 11]
        found = session.labels[inner] == 1
        return session, 2 * np.sum(found & (truth[inner] == 1)) / (found.sum() + truth[inner].sum())

    def test_anchors_near_each_other_mend_what_is_between_and_stay(self) -> None:
        without = self.followed(take_as_found)[1]
        session, with_shapes = self.followed()
        assert with_shapes > without + 0.02
        assert with_shapes > 0.95
        for index in (6, 9, 12):
            assert np.array_equal(session.labels[index], self.cone()[index])

    def test_the_same_anchors_give_the_same_labels(self) -> None:
        assert np.array_equal(self.followed()[0].labels, self.followed()[0].labels)

    def test_film_keeps_what_is_found_in_its_frames(self) -> None:
        assert for_film(plan({8: disc(10), 12: disc(14)}))[1].settle is take_as_found


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_cells_become_their_pixels_with_the_middle_one_unchanged(step: int) -> None:
    cells = np.random.default_rng(0).random((5, 7)).astype(np.float32)
    pixels = enlarged(cells, step)
    assert pixels.shape == (5 * step, 7 * step)
    assert np.array_equal(pixels[step // 2 :: step, step // 2 :: step], cells)
    assert pixels.min() >= cells.min()
    assert pixels.max() <= cells.max()
