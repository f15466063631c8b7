"""What every implementation of a protocol has to do, whichever it is; each runs the same suite."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask, iou, tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt, Prompt
from napari_sam.core.segmenter import (
    MaskPrediction,
    Propagator,
    Segmenter,
    SegmentRequest,
    answers_of,
    glance_of,
)
from napari_sam.core.window import resolve_window
from napari_sam.errors import Cancelled, UnsupportedPrompt
from tests.fakes import ellipsoid_labels, labelled_volume
from volumes import Volume

KINDS = ("point", "box", "mask")


def same_prediction(a: MaskPrediction, b: MaskPrediction) -> bool:
    return (
        a.plane == b.plane
        and a.masks == b.masks
        and np.allclose(a.scores, b.scores, atol=1e-4)
        and np.allclose(a.hints.astype(float), b.hints.astype(float), atol=1e-2)
    )


class SegmenterContract:
    """Subclass it, and give a fixture `segmenter`.

    `min_iou` is what the best candidate must reach with a box on a bright ellipsoid; None where untrained.
    """

    min_iou: float | None = None
    shape = (9, 40, 56)

    @pytest.fixture
    def truth(self) -> np.ndarray:
        return ellipsoid_labels(self.shape)

    @pytest.fixture
    def volume(self, truth: np.ndarray) -> Volume:
        return labelled_volume(truth)

    def request_for(self, volume: Volume, axis: int, *kinds: str) -> SegmentRequest:
        """Ask for the middle plane of an axis with prompts that suit the ellipsoid."""
        plane = PlaneRef(axis, volume.shape[axis] // 2)
        height, width = plane.shape_hw(volume.shape)
        row0, col0, row1, col1 = height // 8, width // 8, height - height // 8, width - width // 8
        rough = np.zeros((height, width), bool)
        rough[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3] = True
        prompts: dict[str, Prompt] = {
            "point": PointPrompt(plane.at(height // 2, width // 2)),
            "box": BoxPrompt(plane.box_of((row0, col0, row1, col1))),
            "mask": MaskPrompt(BoxedMask.of_plane(rough, plane, volume.shape)),
        }
        return SegmentRequest(volume, plane, resolve_window(volume), tuple(prompts[kind] for kind in kinds))

    def test_is_a_segmenter(self, segmenter: Segmenter) -> None:
        assert isinstance(segmenter, Segmenter)
        assert segmenter.name
        assert segmenter.prompts
        assert segmenter.prompts <= set(KINDS)

    @pytest.mark.parametrize("axis", [0, 1, 2])
    @pytest.mark.parametrize("kind", KINDS)
    def test_answer_is_well_formed(self, segmenter: Segmenter, volume: Volume, axis: int, kind: str) -> None:
        if kind not in segmenter.prompts:
            pytest.skip(f"{segmenter.name} takes no {kind} prompts")
        request = self.request_for(volume, axis, kind)
        prediction = segmenter.segment(request)
        n = len(prediction.masks)
        assert prediction.plane == request.plane
        assert n == 3
        assert prediction.scores.shape == (n,)
        assert prediction.scores.dtype == np.float32
        assert np.isfinite(prediction.scores).all()
        assert prediction.hints.shape[0] == n
        assert prediction.hints.ndim == 3
        assert prediction.hints.dtype == np.float16
        assert np.isfinite(prediction.hints).all()
        for mask in prediction.masks:
            assert request.plane.holds(mask.box)
            assert mask.box.clip(volume.shape) == mask.box
            assert mask.box.is_empty or tight_box(mask.bits.any(axis=axis)) == (
                0, 0, *np.delete(mask.bits.shape, axis),
            )  # fmt: skip

    def test_best_candidate_finds_a_bright_object(
        self, segmenter: Segmenter, volume: Volume, truth: np.ndarray
    ) -> None:
        if self.min_iou is None or "box" not in segmenter.prompts:
            pytest.skip("an untrained model, or one without boxes, promises nothing here")
        for axis in (0, 1, 2):
            prediction = segmenter.segment(self.request_for(volume, axis, "box"))
            plane = prediction.plane
            expected = BoxedMask.of_plane(plane.take(truth) > 0, plane, volume.shape)
            assert iou(prediction.masks[prediction.best], expected) >= self.min_iou

    def test_same_question_same_answer_whatever_was_asked_between(
        self, segmenter: Segmenter, volume: Volume
    ) -> None:
        kind = sorted(segmenter.prompts)[0]
        request = self.request_for(volume, 0, kind)
        first = segmenter.segment(request)
        segmenter.segment(self.request_for(volume, 1, kind))
        segmenter.segment(replace(request, plane=request.plane, object_id=7))
        assert same_prediction(first, segmenter.segment(request))

    def test_prefetch_changes_no_answer(self, segmenter: Segmenter, volume: Volume) -> None:
        request = self.request_for(volume, 0, sorted(segmenter.prompts)[0])
        before = segmenter.segment(request)
        planes = [request.plane, request.plane.neighbour(1)]
        segmenter.prefetch(volume, planes, request.window)
        assert same_prediction(before, segmenter.segment(request))

    def test_cancelled_prefetch_stops_quietly(self, segmenter: Segmenter, volume: Volume) -> None:
        cancel = Cancel()
        cancel.cancel()
        segmenter.prefetch(volume, [PlaneRef(0, 0), PlaneRef(0, 1)], resolve_window(volume), cancel)

    def test_takes_its_own_hints(self, segmenter: Segmenter, volume: Volume) -> None:
        if not {"mask", "point"} <= segmenter.prompts:
            pytest.skip(f"{segmenter.name} takes no hints with points")
        request = self.request_for(volume, 0, "point")
        first = segmenter.segment(request)
        second = segmenter.segment(replace(request, hint=first.hints[first.best]))
        assert len(second.masks) == len(first.masks)

    def test_volume_is_not_changed(self, segmenter: Segmenter, volume: Volume) -> None:
        before = volume.data.copy()
        segmenter.segment(self.request_for(volume, 2, sorted(segmenter.prompts)[0]))
        assert np.array_equal(volume.data, before)

    def test_takes_rgb(self, segmenter: Segmenter, truth: np.ndarray) -> None:
        request = self.request_for(labelled_volume(truth, rgb=True), 0, sorted(segmenter.prompts)[0])
        assert segmenter.segment(request).plane == request.plane

    def test_takes_one_pixel_thin_planes(self, segmenter: Segmenter) -> None:
        volume = labelled_volume(np.ones((1, 24, 32), np.uint16))
        request = self.request_for(volume, 1, "point" if "point" in segmenter.prompts else "box")
        assert (
            segmenter.segment(request).masks[0].box.clip(volume.shape)
            == segmenter.segment(request).masks[0].box
        )

    def test_answers_are_glances_and_then_the_answer(self, segmenter: Segmenter, volume: Volume) -> None:
        kind = next(kind for kind in KINDS if kind in segmenter.prompts)
        request = self.request_for(volume, 0, kind)
        *glances, answer = answers_of(segmenter, request)
        assert not answer.is_glance
        assert same_prediction(answer, segmenter.segment(request))
        for glance in glances:
            assert glance.is_glance
            assert same_prediction(glance, glance_of(segmenter, request))

    @pytest.mark.parametrize("kind", KINDS)
    def test_says_what_it_cannot_take(self, segmenter: Segmenter, volume: Volume, kind: str) -> None:
        if kind in segmenter.prompts:
            pytest.skip(f"{segmenter.name} takes {kind} prompts")
        with pytest.raises(UnsupportedPrompt):
            segmenter.segment(self.request_for(volume, 0, kind))


class PropagatorContract:
    """Subclass it, and give a fixture `propagator`."""

    shape = (9, 40, 56)

    def asked(self, axis: int, step: int) -> tuple[SegmentRequest, list[PlaneRef]]:
        """Start from the middle plane of an ellipsoid, and go one way."""
        truth = ellipsoid_labels(self.shape)
        volume, plane = labelled_volume(truth), PlaneRef(axis, self.shape[axis] // 2)
        mask = BoxedMask.of_plane(plane.take(truth) > 0, plane, volume.shape)
        request = SegmentRequest(volume, plane, resolve_window(volume), (MaskPrompt(mask),))
        return request, [PlaneRef(axis, plane.index + step * i) for i in range(4)]

    def test_is_a_propagator(self, propagator: Propagator) -> None:
        assert isinstance(propagator, Propagator)

    @pytest.mark.parametrize("step", [1, -1])
    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_answers_each_plane_in_order(self, propagator: Propagator, axis: int, step: int) -> None:
        request, planes = self.asked(axis, step)
        answers = list(propagator.propagate(request, planes))
        assert [answer.plane for answer in answers] == planes
        for answer in answers:
            assert answer.scores.shape == (len(answer.masks),)
            assert len(answer.hints) == len(answer.masks)
            for mask in answer.masks:
                assert answer.plane.holds(mask.box)
                assert mask.box.clip(self.shape) == mask.box

    def test_two_directions_in_turn_do_not_mix(self, propagator: Propagator) -> None:
        up, down = ([*propagator.propagate(*self.asked(0, step))] for step in (1, -1))
        turns = list(zip(*(propagator.propagate(*self.asked(0, step)) for step in (1, -1)), strict=True))
        for alone, taken in ((up, [a for a, _ in turns]), (down, [b for _, b in turns])):
            assert all(same_prediction(a, b) for a, b in zip(alone, taken, strict=True))

    def test_stops_when_cancelled(self, propagator: Propagator) -> None:
        cancel = Cancel()
        answers = iter(propagator.propagate(*self.asked(0, 1), cancel))
        next(answers)
        cancel.cancel()
        with pytest.raises(Cancelled):
            next(answers)
