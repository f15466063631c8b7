from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_sam.core.final_pass import FinalPass, finish_object
from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.propagation import PropagationLimits, propagate
from napari_sam.core.propagation_axes import axis_weight, propagate_axes, reconcile
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.session import Session
from tests.fakes import FakeSegmenter, ellipsoid_labels, labelled_volume
from volumes import Geometry

SHAPE = (24, 32, 40)
CENTRE = (11, 15, 19)
LOOSE = PropagationLimits(margin=2.0, repairs=False)


class Leaks(FakeSegmenter):
    """Answers with a block beside the object, too, in some planes of axis 0."""

    def __init__(self, planes: set[int]) -> None:
        super().__init__()
        self._planes = planes

    def segment(self, request: SegmentRequest) -> MaskPrediction:
        answer = super().segment(request)
        if request.plane.axis != 0 or request.plane.index not in self._planes:
            return answer
        whole = answer.masks[1].to_plane(request.plane, request.volume.shape)
        rows = np.flatnonzero(whole.any(axis=1))
        whole[rows[0] : rows[-1], 30:38] = True
        mask = BoxedMask.of_plane(whole, request.plane, request.volume.shape)
        return replace(answer, masks=(mask,) * 3)


def clicked(
    labels: NDArray[np.uint16], *axes: int, spacing: tuple[float, float, float] = (1, 1, 1)
) -> Session:
    volume = labelled_volume(labels)
    session = Session(replace(volume, geometry=Geometry.from_spacing(labels.shape, spacing)))
    for axis in axes:
        request = session.prompt(PlaneRef(axis, CENTRE[axis]), PointPrompt(CENTRE), object_id=1)
        session.apply(FakeSegmenter().segment(request), request)
    return session


class TestAllAxes:
    @pytest.mark.parametrize("spacing", [(1, 1, 1), (4, 1, 1), (1, 1, 3)])
    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_one_click_gives_the_object(self, axis: int, spacing: tuple[float, float, float]) -> None:
        labels = ellipsoid_labels(SHAPE)
        session = clicked(labels, axis, spacing=spacing)
        before = session.labels.copy()
        predictions = list(propagate_axes(session, FakeSegmenter(), 1))
        assert np.array_equal(session.labels, labels)
        assert {p.plane.axis for p in predictions} == {0, 1, 2}
        session.undo()
        assert np.array_equal(session.labels, before)

    def test_two_axes_outvote_a_leak_along_one(self) -> None:
        labels = ellipsoid_labels(SHAPE)
        alone = clicked(labels, 0)
        list(propagate(alone, Leaks({13, 14}), 1, limits=LOOSE))
        assert not np.array_equal(alone.labels, labels)
        session = clicked(labels, 0)
        list(propagate_axes(session, Leaks({13, 14}), 1, limits=LOOSE))
        assert np.array_equal(session.labels, labels)

    def test_anchors_of_every_axis_stay(self) -> None:
        labels = ellipsoid_labels(SHAPE)
        session = clicked(labels, 1, 0)
        plane = PlaneRef(1, CENTRE[1])
        box = plane.box(SHAPE)
        before = session.labels[box.slices()].copy()
        painted = before.copy()
        painted[8:12, :, 2:5] = 1
        session.paint(box, before, painted)
        for run in (propagate, propagate_axes):
            list(run(session, FakeSegmenter(), 1))
            assert np.array_equal(session.labels[box.slices()], painted)

    def test_nothing_outside_the_range_is_written(self) -> None:
        session = clicked(ellipsoid_labels(SHAPE), 0)
        list(propagate_axes(session, FakeSegmenter(), 1, planes=(9, 15)))
        assert np.flatnonzero(session.labels.any(axis=(1, 2))).tolist() == list(range(9, 15))

    def test_a_cancelled_run_keeps_what_the_first_axis_gave(self) -> None:
        labels = ellipsoid_labels(SHAPE)
        session, cancel = clicked(labels, 0), Cancel()
        for prediction in propagate_axes(session, FakeSegmenter(), 1, cancel=cancel):
            if prediction.plane.axis != 0:
                cancel.cancel()
        assert np.array_equal(session.labels, labels)


def test_coarse_planes_count_less() -> None:
    assert [axis_weight(axis, (4.0, 1.0, 1.0)) for axis in (0, 1, 2)] == [1.0, 0.25, 0.25]
    assert [axis_weight(axis, (2.0, 2.0, 2.0)) for axis in (0, 1, 2)] == [1.0, 1.0, 1.0]


def test_an_axis_of_fine_planes_decides_alone() -> None:
    plane = PlaneRef(0, 0)
    mask = BoxedMask.of_plane(np.ones((2, 2), np.bool_), plane, (1, 2, 2))
    found = [(0, {0: mask}, {0: 0.9})]
    nothing: tuple[int, dict[int, BoxedMask], dict[int, float]] = (1, {}, {})
    others = [nothing, (2, nothing[1], nothing[2])]
    assert reconcile([*found, *others], (4.0, 1.0, 1.0)).bits.all()
    assert reconcile([*found, *others], (1.0, 1.0, 1.0)).bits.all()
    weak = [(0, {0: mask}, {0: 0.5})]
    assert not reconcile([*weak, *others], (1.0, 1.0, 1.0)).bits.any()


class TestFinalPass:
    def spotted(self) -> Session:
        """A cube with a hole of one voxel and an island of one voxel."""
        labels = np.zeros((9, 9, 12), np.uint16)
        labels[2:7, 2:7, 2:7] = 1
        labels[4, 4, 4] = 0
        labels[4, 4, 10] = 1
        return Session(labelled_volume(labels), labels)

    def test_holes_and_islands_go_by_size_in_one_step(self) -> None:
        session = self.spotted()
        before = session.labels.copy()
        finish_object(session, 1, FinalPass(holes_mm3=1.0, islands_mm3=2.0))
        assert session.labels[4, 4, 4] == 1
        assert session.labels[4, 4, 10] == 0
        assert (session.labels > 0).sum() == 125
        session.undo()
        assert np.array_equal(session.labels, before)

    def test_nothing_asked_for_is_nothing_done(self) -> None:
        session = self.spotted()
        assert finish_object(session, 1, FinalPass()) is None
        assert not session.can_undo

    def test_it_is_a_step_beside_the_propagation(self) -> None:
        session = clicked(ellipsoid_labels(SHAPE), 0)
        list(propagate(session, FakeSegmenter(), 1))
        after = session.labels.copy()
        finish_object(session, 1, FinalPass(smooth_mm=2.0))
        assert not np.array_equal(session.labels, after)
        assert np.array_equal(session.labels[11], after[11])
        session.undo()
        assert np.array_equal(session.labels, after)
