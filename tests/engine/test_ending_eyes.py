"""What the network that tells ends is shown, and what it says where an object is and where it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_sam.core.ending import NAMES
from napari_sam.core.ending_view import EndTeller, EndView
from napari_sam.core.ending_weights import MEANS
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.window import Window
from napari_sam.engine.ending_eyes import crops_of, seen_of, still_there
from napari_sam.models.ending_eye import CELLS
from napari_sam.zoo.ending_eye import load_ending_eye
from volumes import Geometry, Provenance, Volume

SHAPE = (9, 60, 80)
MIDDLE, LAST = 4, 6


def bars(axis: int = 0, *, colours: bool = False, above: int = LAST) -> tuple[Volume, NDArray[np.bool_]]:
    """A bright bar in noise that ends after a plane; moved so that planes lie along an axis."""
    rng = np.random.default_rng(3)
    truth = np.zeros(SHAPE, np.bool_)
    truth[1 : above + 1, 20:40, 30:54] = True
    data = (np.where(truth, 170, 60) + rng.normal(0, 6, SHAPE)).astype(np.uint8)
    data, truth = np.moveaxis(data, 0, axis), np.moveaxis(truth, 0, axis)
    if colours:
        data = np.repeat(data[..., None], 3, axis=3)
    return Volume(data, Geometry.from_spacing(truth.shape), Provenance("test")), truth


def view(at: int, axis: int = 0, step: int = 1, **options: bool) -> EndView:
    """The bar's own outline, at a plane, whether it is there or not."""
    volume, truth = bars(axis, **options)
    middle = PlaneRef(axis, MIDDLE)
    shown = BoxedMask.of_plane(middle.take(truth), middle, truth.shape)
    plane = PlaneRef(axis, at)
    before = plane.neighbour(-step)
    return EndView(
        volume,
        Window(0, 255),
        plane,
        step,
        shown.moved_to(plane),
        shown.moved_to(before),
        shown,
        middle,
        MEANS,
    )


class TestCrops:
    def test_a_square_around_the_masks_with_the_planes_on_either_side(self) -> None:
        crops = crops_of(view(LAST))
        side_px = 1.6 * 24
        inside = crops.masks[0] > 127
        assert abs(np.count_nonzero(inside) - 20 * 24 * (CELLS / side_px) ** 2) < 0.05 * inside.size
        rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        for some in (rows, cols):
            assert abs(some[0] + some[-1] - (CELLS - 1)) <= 1  # in the middle
        here, before, after = (float(grey[inside].mean()) for grey in crops.greys)
        assert (here, before, after) == pytest.approx((170, 170, 60), abs=4)
        assert np.array_equal(crops.anchor_mask, crops.masks[0])

    def test_the_same_along_each_axis_and_in_colours(self) -> None:
        expected = crops_of(view(LAST)).channels()
        for other in (view(LAST, 1), view(LAST, 2), view(LAST, colours=True)):
            for a, b in zip(crops_of(other).channels(), expected, strict=True):
                assert np.array_equal(a, b)

    def test_beyond_the_volume_its_last_plane_goes_on(self) -> None:
        crops = crops_of(view(SHAPE[0] - 1))
        assert np.array_equal(crops.greys[0], crops.greys[2])

    def test_greys_are_counted_from_the_object_in_its_anchor(self) -> None:
        seen = view(LAST)
        brighter = replace(seen.volume, data=np.asarray(seen.volume.data) + np.uint8(40))
        for a, b in zip(
            crops_of(seen).channels(), crops_of(replace(seen, volume=brighter)).channels(), strict=True
        ):
            assert np.abs(a - b).max() < 0.1  # cells are rounded to whole levels
        pictures, anchor = crops_of(seen).channels()
        assert (pictures.shape, anchor.shape) == ((8, CELLS, CELLS), (2, CELLS, CELLS))
        inside = pictures[3] == 1
        assert np.abs(pictures[:2, inside].mean()) < 0.2
        assert pictures[2, inside].max() < -1.5

    def test_numbers_far_from_all_that_was_seen_are_held(self) -> None:
        assert np.array_equal(seen_of(MEANS), np.zeros(len(NAMES), np.float32))
        assert np.abs(seen_of(np.full((2, len(NAMES)), 1e9))).max() <= 3


class TestTheEye:
    def test_it_tells_an_object_from_where_it_was(self) -> None:
        eye = load_ending_eye()
        there = [still_there(eye, view(at)) for at in (MIDDLE + 1, LAST)]
        gone = still_there(eye, view(LAST + 1))
        assert gone + 0.3 < min(there)
        assert still_there(eye, view(LAST)) == there[1]

    def test_the_embedded_model_has_it_and_models_without_one_say_nothing(self) -> None:
        from napari_sam import load_segmenter

        segmenter = load_segmenter("default", device="cpu")
        assert isinstance(segmenter, EndTeller)
        assert segmenter.still_there(view(LAST)) == still_there(load_ending_eye(), view(LAST))
        segmenter._eye = None
        assert segmenter.still_there(view(LAST)) is None
