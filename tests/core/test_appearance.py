from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.appearance import Appearance, Grid
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation_plan import PropagationPlan, Seed
from napari_sam.core.propagation_rules import PropagationLimits
from napari_sam.core.segmenter import MaskPrediction
from napari_sam.core.sharpening import keep_masks, sharpen_by_anchors, sharpen_by_appearance, sharpened
from napari_sam.core.window import Window
from volumes import Geometry, Provenance, Volume

WINDOW = Window(0, 255)
FIRST, SECOND = PlaneRef(0, 0), PlaneRef(0, 1)


def disc(
    radius: float, shape: tuple[int, int] = (96, 120), row: float = 45, col: float = 60
) -> NDArray[np.bool_]:
    rows, cols = np.ogrid[: shape[0], : shape[1]]
    return np.asarray((rows - row) ** 2 + (cols - col) ** 2 <= radius**2)


def volume_of(
    pattern: NDArray[np.floating], noise: float = 8.0, rgb: bool = False, n_planes: int = 2
) -> Volume:
    """Planes that show the same pattern in grey levels, with noise that does not repeat."""
    rng = np.random.default_rng(3)
    shape = (n_planes, *pattern.shape, 3) if rgb else (n_planes, *pattern.shape)
    still = pattern[None, ..., None] if rgb else pattern[None]
    data = np.clip(still + noise * rng.standard_normal(shape), 0, 255).astype(np.uint8)
    return Volume(data, Geometry.from_spacing(shape[:3]), Provenance("test"))


def boxed(mask: NDArray[np.bool_], plane: PlaneRef, volume: Volume) -> BoxedMask:
    return BoxedMask.of_plane(mask, plane, volume.shape)


def plan_of(volume: Volume, mask: NDArray[np.bool_], candidate: int | None = None) -> PropagationPlan:
    """One anchor, in the first plane."""
    seed = Seed(boxed(mask, FIRST, volume), None, 1.0, candidate)
    nothing: frozenset[int] = frozenset()
    return PropagationPlan(volume, WINDOW, 1, 0, 0, 2, {0: seed}, nothing, nothing, PropagationLimits())


def answer_of(volume: Volume, *masks: NDArray[np.bool_]) -> MaskPrediction:
    hints = np.zeros((len(masks), 1, 1), np.float16)
    scores = np.full(len(masks), 0.9, np.float32)
    return MaskPrediction(SECOND, tuple(boxed(one, SECOND, volume) for one in masks), scores, hints)


def after(plan: PropagationPlan, *masks: NDArray[np.bool_], before: NDArray[np.bool_]) -> NDArray[np.bool_]:
    answer = answer_of(plan.volume, *masks)
    sharpen = sharpen_by_appearance(plan)
    found = sharpen(answer, answer.masks, 0, boxed(before, SECOND, plan.volume))
    return found.to_plane(SECOND, plan.volume.shape)


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float(2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)))


class TestAppearance:
    @pytest.mark.parametrize("rgb", [False, True])
    def test_the_object_is_told_from_what_is_around_it(self, rgb: bool) -> None:
        truth = disc(20)
        volume = volume_of(np.where(truth, 150.0, 110.0), rgb=rgb)
        appearance = Appearance.of(volume, WINDOW, {FIRST: boxed(truth, FIRST, volume)})
        assert appearance is not None
        grid = Grid(10, 20, 80, 100, appearance.stride)
        odds = appearance.log_odds(volume, WINDOW, SECOND, grid)
        assert odds.shape == (70, 80)
        assert np.mean((odds > 0) == truth[grid.cells]) > 0.93

    def test_a_texture_of_the_same_grey_is_told_too(self) -> None:
        truth = disc(22)
        stripes = 40.0 * np.sign(np.sin(np.arange(120) * 2 * np.pi / 6))[None]
        volume = volume_of(120.0 + np.where(truth, stripes, 0.0), noise=5)
        appearance = Appearance.of(volume, WINDOW, {FIRST: boxed(truth, FIRST, volume)})
        assert appearance is not None
        odds = appearance.log_odds(volume, WINDOW, SECOND, Grid(10, 20, 80, 100, appearance.stride))
        assert np.mean((odds > 0) == truth[10:80, 20:100]) > 0.9

    def test_an_object_that_looks_like_all_around_it_has_none(self) -> None:
        volume = volume_of(np.full((96, 120), 120.0))
        assert Appearance.of(volume, WINDOW, {FIRST: boxed(disc(20), FIRST, volume)}) is None

    def test_an_object_that_fills_the_plane_has_none(self) -> None:
        volume = volume_of(np.full((30, 30), 120.0))
        full = np.ones((30, 30), np.bool_)
        assert Appearance.of(volume, WINDOW, {FIRST: boxed(full, FIRST, volume)}) is None

    def test_it_is_the_same_on_every_run(self) -> None:
        truth = disc(20)
        volume = volume_of(np.where(truth, 150.0, 110.0))
        grid = Grid(10, 20, 80, 100)
        runs = []
        for _ in range(2):
            appearance = Appearance.of(volume, WINDOW, {FIRST: boxed(truth, FIRST, volume)})
            assert appearance is not None
            runs.append(appearance.log_odds(volume, WINDOW, SECOND, grid).tobytes())
        assert runs[0] == runs[1]

    def test_what_a_cell_says_does_not_depend_on_where_the_grid_was_cut(self) -> None:
        truth = disc(20)
        volume = volume_of(np.where(truth, 150.0, 110.0))
        appearance = Appearance.of(volume, WINDOW, {FIRST: boxed(truth, FIRST, volume)})
        assert appearance is not None
        wide = appearance.log_odds(volume, WINDOW, SECOND, Grid(10, 20, 80, 100))
        narrow = appearance.log_odds(volume, WINDOW, SECOND, Grid(30, 40, 60, 90))
        np.testing.assert_allclose(narrow, wide[20:50, 20:70], rtol=1e-3, atol=1e-3)


class TestGrid:
    @given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 30), st.integers(1, 30), st.integers(1, 7))
    def test_cells_lie_in_the_part_and_come_back_as_its_pixels(
        self, row: int, col: int, height: int, width: int, stride: int
    ) -> None:
        grid = Grid(row, col, row + height, col + width, stride)
        plane = np.zeros((60, 60), np.bool_)
        plane[grid.cells] = True
        outside = plane.copy()
        outside[grid.pixels] = False
        assert not outside.any()
        spread = grid.to_pixels(plane[grid.cells])
        assert spread.shape == (height, width)
        assert spread[plane[grid.pixels]].all()

    def test_a_margin_ends_with_the_plane(self) -> None:
        assert Grid.around((2, 30, 12, 70), 0.5, (20, 100)) == Grid(0, 10, 20, 90)


class TestSharpening:
    def test_an_outline_moves_to_where_the_object_ends(self) -> None:
        truth = disc(20)
        plan = plan_of(volume_of(np.where(truth, 150.0, 110.0)), truth)
        for given_mask in (disc(17), disc(23), disc(20, row=47)):
            found = after(plan, given_mask, before=truth)
            assert dice(found, truth) > max(dice(given_mask, truth) + 0.02, 0.95)

    def test_what_one_anchor_looks_like_moves_less_than_what_two_do(self) -> None:
        whole, part = disc(30), disc(20)
        volume = volume_of(np.where(whole, 170.0, 90.0), n_planes=3)
        one = plan_of(volume, whole)
        two = replace(one, last=3, seeds=dict.fromkeys((0, 2), one.seeds[0]))
        answer, before = answer_of(volume, part), boxed(whole, SECOND, volume)
        ways = (sharpen_by_anchors, one), (sharpen_by_anchors, two), (sharpen_by_appearance, one)
        alone, both, in_film = (make(plan)(answer, answer.masks, 0, before).area for make, plan in ways)
        assert part.sum() < alone < both < whole.sum()
        assert both == pytest.approx(in_film, rel=0.02)

    def test_on_a_coarse_grid_too(self) -> None:
        shape = (400, 420)
        truth = disc(100, shape, 200, 210)
        plan = plan_of(volume_of(np.where(truth, 150.0, 110.0)), truth)
        found = after(plan, disc(90, shape, 200, 210), before=truth)
        assert dice(found, truth) > 0.96

    @pytest.mark.parametrize("side", [200, 300, 420])
    def test_a_coarse_grid_leaves_neither_steps_nor_specks(self, side: int) -> None:
        shape, middle, radius = (side, side), side / 2, side * 0.3
        truth = disc(radius, shape, middle, middle)
        plan = plan_of(volume_of(np.where(truth, 150.0, 110.0)), truth)
        given_mask = disc(0.94 * radius, shape, middle, middle + 2)
        found = after(plan, given_mask, before=truth)
        assert (found != given_mask).any()
        _, n_pieces = ndimage.label(found)
        _, n_outside = ndimage.label(~found)
        assert (n_pieces, n_outside) == (1, 1)
        around = ndimage.uniform_filter(found.astype(np.float32), 3) > 0.5
        n_outline = np.count_nonzero(found & ~ndimage.binary_erosion(found))
        assert np.count_nonzero(found ^ around) < 0.05 * n_outline

    def test_what_looks_alike_but_lies_apart_is_not_taken_in(self) -> None:
        truth, other = disc(14, col=40), disc(14, col=72)
        plan = plan_of(volume_of(np.where(truth | other, 150.0, 110.0)), truth)
        found = after(plan, truth, before=truth)
        assert dice(found, truth) > 0.97
        assert not (found & other).any()

    def test_masks_stay_where_the_object_looks_like_all_around_it(self) -> None:
        plan = plan_of(volume_of(np.full((96, 120), 120.0)), disc(20))
        assert np.array_equal(after(plan, disc(17), disc(25), before=disc(20)), disc(17))

    def test_nothing_and_a_full_plane_stay_what_they_are(self) -> None:
        truth = disc(20)
        plan = plan_of(volume_of(np.where(truth, 150.0, 110.0)), truth)
        assert not after(plan, truth & False, truth, before=truth).any()
        assert after(plan, truth | True, before=truth).any()

    def test_a_chosen_candidate_is_not_mixed_with_the_others(self) -> None:
        truth = disc(20)
        volume = volume_of(np.where(truth, 150.0, 110.0))
        alone = after(plan_of(volume, truth, candidate=1), truth, before=truth)
        mixed = after(plan_of(volume, truth, candidate=1), truth, disc(40), disc(35), before=truth)
        assert np.array_equal(alone, mixed)

    def test_masks_can_be_kept_as_given(self) -> None:
        truth = disc(20)
        plan = plan_of(volume_of(np.where(truth, 150.0, 110.0)), truth)
        answer = answer_of(plan.volume, disc(17), truth)
        assert keep_masks(plan)(answer, answer.masks, 0, answer.masks[1]) == answer.masks[0]

    def test_a_thin_object_keeps_its_ends_and_specks_are_left_out(self) -> None:
        line = np.zeros((40, 60), np.bool_)
        line[20, 5:55] = True
        odds = np.where(line, 3.0, -3.0)
        odds[5, 5] = 3.0
        assert np.array_equal(sharpened([line], [0.9], 0, np.where(line, 3.0, 0.0)), line)
        assert not sharpened([line], [0.9], 0, odds)[5, 5]

    @given(st.integers(0, 2), st.lists(st.floats(-0.2, 1.0), min_size=3, max_size=3), st.integers(0, 99))
    def test_it_never_loses_the_object(self, chosen: int, scores: list[float], seed: int) -> None:
        rng = np.random.default_rng(seed)
        masks = [disc(8, (40, 40), 20, 20), disc(5, (40, 40), 15, 22), disc(11, (40, 40), 20, 18)]
        odds = 6.0 * rng.standard_normal((40, 40))
        found = sharpened(masks, scores, chosen, odds)
        assert found.dtype == np.bool_
        assert (found & masks[chosen]).any()
