"""Everything, in planes of all sizes: asked at the middles of objects, in crops where the plane is large."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_sam.core.auto_plan import AutoMaskSettings, plan_crops
from napari_sam.core.planes import PlaneRef
from napari_sam.engine.auto_masks import AutoMasker
from napari_sam.engine.auto_seeds import middles_of_groups
from napari_sam.errors import SettingsError
from napari_sam.models.grouping import N_CHANNELS, UNIT_CELLS
from tests.tiny_models import build_vit_sam, random_sam, spec_of

RADIUS = 7


def pointing(discs: list[tuple[float, float, float]], hw: tuple[int, int]) -> np.ndarray:
    """A grouping in which the cells of discs (row, column, radius) point at their middles, others at none."""
    grouping = np.zeros((N_CHANNELS, *hw), np.float32)
    rows, cols = np.mgrid[: hw[0], : hw[1]]
    for row, col, radius in discs:
        inside = np.hypot(rows - row, cols - col) <= radius
        grouping[0][inside] = (col - cols[inside]) / UNIT_CELLS
        grouping[1][inside] = (row - rows[inside]) / UNIT_CELLS
    return grouping


def test_middles_are_where_cells_point() -> None:
    discs = [(10, 12, 4), (30, 40, 9), (30, 53, 3), (4, 60, 3)]
    found = middles_of_groups(pointing(discs, (48, 64)), (48, 64))
    assert sorted(map(tuple, found)) == sorted((row, col) for row, col, _ in discs)


def test_the_middle_of_a_ring_is_asked_for_in_the_ring() -> None:
    grouping = pointing([(20, 20, 9)], (48, 48))
    rows, cols = np.mgrid[:48, :48]
    hole = np.hypot(rows - 20, cols - 20) < 4
    grouping[:2, hole] = 99
    ((row, col),) = middles_of_groups(grouping, (48, 48))
    assert 4 <= np.hypot(row - 20, col - 20) <= 9


@pytest.mark.parametrize("cells_hw", [(48, 30), (20, 48)])
def test_nothing_is_asked_in_the_padding(cells_hw: tuple[int, int]) -> None:
    grouping = pointing([(10, 12, 4), (40, 44, 4)], (48, 48))
    assert [tuple(seed) for seed in middles_of_groups(grouping, cells_hw)] == [(10, 12)]


def test_cells_that_do_not_agree_are_no_object() -> None:
    assert len(middles_of_groups(pointing([], (32, 32)), (32, 32))) == 0
    assert len(middles_of_groups(pointing([(8, 8, 1)], (32, 32)), (32, 32))) == 0
    assert len(middles_of_groups(pointing([], (1, 1)), (1, 1))) == 0


@pytest.mark.parametrize(
    ("hw", "n_layers"),
    [((384, 200), 0), ((385, 200), 1), ((512, 512), 1), ((769, 10), 2), ((9000, 9000), 4), ((9000, 3), 1)],
)
def test_large_planes_get_as_many_layers_as_they_need(hw: tuple[int, int], n_layers: int) -> None:
    chosen = AutoMaskSettings(crop_n_layers=None).for_plane(hw, 384)
    assert chosen.crop_n_layers == n_layers
    assert len(plan_crops(hw, chosen)) == sum(4**layer for layer in range(n_layers + 1))


def test_layers_that_are_given_stay() -> None:
    for given in (AutoMaskSettings(), AutoMaskSettings(crop_n_layers=3)):
        assert given.for_plane((2000, 2000), 384) == given
    own = AutoMaskSettings(crop_n_layers=None, point_grids=[[(0.5, 0.5)]])
    assert own.for_plane((2000, 2000), 384).crop_n_layers == 0
    with pytest.raises(SettingsError, match="0 point grids"):
        AutoMaskSettings(crop_n_layers=None, point_grids=[])


@pytest.fixture(scope="module")
def field() -> tuple[np.ndarray, np.ndarray]:
    """A picture of 640 pixels with 400 round cells, and their numbers."""
    rng = np.random.default_rng(5)
    side, step = 640, 32
    own = np.arange(side) // step
    at = (np.arange(side // step) + 0.5) * step
    away = rng.uniform(-5, 5, (2, len(at), len(at)))
    rows, cols = np.ogrid[:side, :side]
    distance = np.hypot(rows - (at[:, None] + away[0])[own][:, own], cols - (at[None] + away[1])[own][:, own])
    numbers = 1 + own[:, None] * len(at) + own[None]
    labels = np.where(distance < RADIUS, numbers, 0)
    picture = ndimage.gaussian_filter(60.0 + 90 * (labels > 0), 1) + rng.normal(0, 4, (side, side))
    return picture.clip(0, 255).astype(np.uint8), labels


def n_found(masker: AutoMasker, picture: np.ndarray, labels: np.ndarray) -> int:
    """Count objects that some mask has at an IoU above 0.5."""
    plane, shape = PlaneRef(0, 0), (1, *labels.shape)
    found = set()
    for one in masker.masks(picture, plane, shape):
        mask = one.mask.to_plane(plane, shape)
        number = int(np.bincount(labels[mask]).argmax())
        truth = labels == number
        if number and (mask & truth).sum() > 0.5 * (mask | truth).sum():
            found.add(number)
    return len(found)


def test_cells_of_a_large_plane_are_found(field: tuple[np.ndarray, np.ndarray], make_segmenter) -> None:
    masker = AutoMasker.of(make_segmenter())
    picture, labels = field
    assert n_found(masker, picture[:320, :320], labels[:320, :320]) > 85
    assert n_found(masker, picture, labels) > 340
    whole = replace(masker, settings=replace(masker.settings, crop_n_layers=0))
    assert n_found(whole, picture, labels) < 340


def test_seeds_are_asked_beside_the_grid_and_progress_counts_the_grid(
    field: tuple[np.ndarray, np.ndarray], make_segmenter
) -> None:
    masker = AutoMasker.of(make_segmenter())
    masker = replace(masker, settings=replace(masker.settings, points_per_side=1, points_per_batch=7))
    picture, labels = (part[:224, :224] for part in field)
    assert n_found(masker, picture, labels) > 40
    without = replace(masker, settings=replace(masker.settings, seeds=False))
    assert n_found(without, picture, labels) <= 1
    told: list[tuple[int, int]] = []
    masker.masks(picture, PlaneRef(0, 0), (1, *labels.shape), told=lambda *numbers: told.append(numbers))
    assert {n_all for _, n_all in told} == {1}
    assert [n for n, _ in told] == sorted(n for n, _ in told)
    assert told[-1] == (1, 1)


def test_models_that_group_nothing_are_asked_at_the_grid_alone(field: tuple[np.ndarray, np.ndarray]) -> None:
    picture = field[0][:96, :96]
    lax = AutoMaskSettings(4, pred_iou_threshold=0.0, stability_score_threshold=0.0, box_nms_threshold=1.0)
    spec, model = spec_of(build=build_vit_sam), random_sam(build=build_vit_sam)
    with_seeds, without = (
        AutoMasker(model, spec, torch.device("cpu"), replace(lax, seeds=seeds)).candidates(picture)
        for seeds in (True, False)
    )
    assert np.array_equal(with_seeds.points_rc, without.points_rc)
    assert np.array_equal(with_seeds.predicted_iou, without.predicted_iou)
