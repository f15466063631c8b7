from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt
from napari_sam.core.propagation import PlanePrediction, plan_propagation, propagate
from napari_sam.core.propagation_film import FilmSettings, FrameMotion, best_shift, is_film
from napari_sam.core.session import Session
from tests.fakes import FakeSegmenter, labelled_volume
from volumes import Geometry, Provenance, Volume

HEIGHT, WIDTH = 40, 96
FRAMES = "the planes are frames, taken as 1 mm apart, with 1 mm a pixel"


def disc_film(columns: list[int | None], radius: int = 6) -> NDArray[np.uint16]:
    """A disc (the label 1) at a column of each frame; not in the frame where it is None."""
    labels = np.zeros((len(columns), HEIGHT, WIDTH), np.uint16)
    rows, cols = np.ogrid[:HEIGHT, :WIDTH]
    for frame, column in zip(labels, columns, strict=True):
        if column is not None:
            frame[(rows - 20) ** 2 + (cols - column) ** 2 <= radius**2] = 1
    return labels


def follow_disc(
    labels: NDArray[np.uint16], frame: int = 0, *, film: bool | None = True, rgb: bool = False
) -> tuple[Session, list[PlanePrediction], FakeSegmenter]:
    session = Session(labelled_volume(labels, rgb=rgb))
    rows, cols = np.nonzero(labels[frame])
    at = (frame, float(rows[len(rows) // 2]), float(cols[len(cols) // 2]))
    segmenter = FakeSegmenter()
    request = session.prompt(PlaneRef(0, frame), PointPrompt(at), object_id=1)
    session.apply(segmenter.segment(request), request)
    return session, list(propagate(session, segmenter, 1, film=film)), segmenter


class TestMoving:
    steps: list[int | None] = [12, 21, 30, 39, 48, 57, 66]  # noqa: RUF012 - read only

    @pytest.mark.parametrize("rgb", [False, True])
    @pytest.mark.parametrize("frame", [0, 3, 6])
    def test_a_disc_that_moves_by_most_of_its_width_is_followed(self, frame: int, rgb: bool) -> None:
        labels = disc_film(self.steps)
        session, _, segmenter = follow_disc(labels, frame, rgb=rgb)
        assert np.array_equal(session.labels, labels)
        assert all(isinstance(p, BoxPrompt) for r in segmenter.requests[1:] for p in r.prompts)

    def test_as_a_stack_it_is_lost(self) -> None:
        labels = disc_film(self.steps)
        session, _, _ = follow_disc(labels, film=False)
        assert not np.array_equal(session.labels, labels)

    def test_the_same_film_gives_the_same_labels(self) -> None:
        labels = disc_film(self.steps)
        first, second = (follow_disc(labels)[0].labels for _ in range(2))
        assert np.array_equal(first, second)

    def test_models_without_boxes_get_what_they_take(self) -> None:
        labels = disc_film([30, 33, 36])
        session = Session(labelled_volume(labels))
        session.write(PlaneRef(0, 0), BoxedMask.of_plane(labels[0] > 0, PlaneRef(0, 0), labels.shape), 1)
        segmenter = FakeSegmenter(prompts=frozenset({"point", "mask"}))
        list(propagate(session, segmenter, 1, film=True))
        assert np.array_equal(session.labels, labels)


class TestLeaving:
    def test_a_disc_that_was_hidden_is_found_again(self) -> None:
        labels = disc_film([30, 32, 34, None, None, None, 42, 44, 46])
        session, predictions, _ = follow_disc(labels)
        assert np.array_equal(session.labels, labels)
        assert [p.plane.index for p in predictions if p.state == "stopped"] == [3, 4, 5]
        session.undo()
        assert session.labels.any(axis=(1, 2)).tolist() == [True] + [False] * 8

    def test_a_disc_that_leaves_the_picture_and_comes_back(self) -> None:
        labels = disc_film([74, 80, 87, None, None, 87, 80, 74])
        session, _, _ = follow_disc(labels)
        assert np.array_equal(session.labels > 0, labels > 0)

    def test_it_is_not_looked_for_without_end(self) -> None:
        labels = disc_film([30, 30] + [None] * 8 + [30])
        session, predictions, _ = follow_disc(labels)
        assert not session.labels[2:].any()
        assert [p.plane.index for p in predictions if p.state == "stopped"] == [2, 3, 4, 5, 6, 7]

    def test_in_a_frame_where_a_person_said_no_it_ends(self) -> None:
        labels = disc_film([30, 30, None, 30, 30])
        session = Session(labelled_volume(labels))
        wall = PlaneRef(0, 2).box(session.volume.shape)
        ones = np.ones(wall.shape, np.uint16)
        session.paint(wall, np.zeros_like(ones), ones)
        session.paint(wall, ones, np.zeros_like(ones))
        request = session.prompt(PlaneRef(0, 0), PointPrompt((0, 20, 30)), object_id=1)
        segmenter = FakeSegmenter()
        session.apply(segmenter.segment(request), request)
        list(propagate(session, segmenter, 1, film=True))
        assert session.labels.any(axis=(1, 2)).tolist() == [True, True, False, False, False]


class TestMotion:
    def test_a_shift_is_found_to_the_pixel(self) -> None:
        rng = np.random.default_rng(0)
        before = rng.random((40, 50, 3))
        after = np.roll(before, (3, -5), axis=(0, 1))
        mask = np.zeros((40, 50), np.bool_)
        mask[10:20, 20:32] = True
        shift, match = best_shift(before, after, mask)
        assert shift == (3, -5)
        assert match == pytest.approx(1.0)

    def test_where_nothing_fits_the_mask_stays(self) -> None:
        labels = disc_film([30, 60])
        noise = np.random.default_rng(1).integers(0, 900, labels.shape).astype(np.int16)
        session = Session(Volume(noise, Geometry.from_spacing(labels.shape), Provenance("test")))
        mask = BoxedMask.of_plane(labels[0] > 0, PlaneRef(0, 0), labels.shape)
        session.write(PlaneRef(0, 0), mask, 1)
        motion = FrameMotion(plan_propagation(session, 1), FilmSettings(min_match=0.9))
        assert motion.moved(mask, PlaneRef(0, 0), PlaneRef(0, 1)) == mask.moved_to(PlaneRef(0, 1))

    def test_an_outline_that_changes_is_bent(self) -> None:
        labels = disc_film([48, 48])
        rows, cols = np.ogrid[:HEIGHT, :WIDTH]
        labels[1] = ((rows - 20) / 5) ** 2 + ((cols - 48) / 8) ** 2 <= 1
        session = Session(labelled_volume(labels))
        mask = BoxedMask.of_plane(labels[0] > 0, PlaneRef(0, 0), labels.shape)
        session.write(PlaneRef(0, 0), mask, 1)
        plan, plane = plan_propagation(session, 1), PlaneRef(0, 1)

        def missed(bends: bool) -> int:
            moved = FrameMotion(plan, FilmSettings(bends=bends)).moved(mask, PlaneRef(0, 0), plane)
            return int((moved.to_plane(plane, labels.shape) != (labels[1] > 0)).sum())

        assert missed(True) < missed(False)


def test_what_is_film_is_known_from_what_its_reader_noted() -> None:
    stack = labelled_volume(disc_film([30, 30]))
    assert not is_film(stack)
    assert is_film(replace(stack, provenance=Provenance("MP4", notes=(FRAMES,))))
    one = labelled_volume(disc_film([30]))
    assert not is_film(replace(one, provenance=Provenance("MP4", notes=(FRAMES,))))
