"""The simulated user: boxes around, clicks inside, corrections where the mask is wrong."""

from __future__ import annotations

import pytest
import torch

from napari_sam.models.mask_decoder import Decoded
from napari_sam.models.prompt_encoder import BOX_FIRST, BOX_SECOND, NEGATIVE, POSITIVE
from napari_sam.training.interaction import (
    carry_over,
    correct,
    depth_within,
    draw_boxes,
    draw_clicks,
    tight_boxes,
)
from napari_sam.training.losses import interaction_loss, mask_losses, true_iou


@pytest.fixture
def masks() -> torch.Tensor:
    masks = torch.zeros(2, 64, 64, dtype=torch.bool)
    masks[0, 8:24, 16:48] = True
    masks[1, 40:60, 4:12] = True
    return masks


def test_tight_boxes_are_half_open_x_first(masks):
    assert tight_boxes(masks).tolist() == [[16, 8, 48, 24], [4, 40, 12, 60]]
    assert tight_boxes(torch.zeros(1, 8, 8, dtype=torch.bool)).tolist() == [[0, 0, 0, 0]]


def test_a_tight_box_gives_the_edges_in_pixel_centres(masks):
    prompts = draw_boxes(masks, looseness=0.0)
    assert prompts.points_xy[0].tolist() == [[15.5, 7.5], [47.5, 23.5]]
    assert prompts.point_labels.tolist() == [[BOX_FIRST, BOX_SECOND]] * 2


def test_half_of_the_boxes_leave_room_on_all_sides(masks):
    torch.manual_seed(0)
    many = masks[:1].expand(400, -1, -1)
    corners = draw_boxes(many, looseness=0.0, slack=0.15).points_xy
    left, right = 15.5 - corners[:, 0, 0], corners[:, 1, 0] - 47.5
    above, below = 7.5 - corners[:, 0, 1], corners[:, 1, 1] - 23.5
    assert torch.allclose(left, right, atol=1e-4)
    assert torch.allclose(above, below, atol=1e-4)
    assert 0.4 < float((left > 0).float().mean()) < 0.6
    assert float(left.max()) <= 0.15 * 32 + 1
    assert float(above.max()) <= 0.15 * 16 + 1


def test_depth_counts_erosions_and_the_border_counts_as_outside():
    mask = torch.ones(1, 7, 7, dtype=torch.bool)
    assert depth_within(mask)[0, 3].tolist() == [1, 2, 3, 4, 3, 2, 1]


def test_clicks_fall_inside(masks):
    torch.manual_seed(0)
    for _ in range(20):
        prompts = draw_clicks(masks, cell=4)
        x, y = prompts.points_xy[:, 0, 0].round().long(), prompts.points_xy[:, 0, 1].round().long()
        assert bool(masks[torch.arange(2), y, x].all())


@pytest.mark.parametrize(("missed", "label"), [(True, POSITIVE), (False, NEGATIVE)])
def test_a_correction_lies_where_the_mask_is_wrong(masks, missed, label):
    torch.manual_seed(1)
    logits = torch.full((2, 16, 16), -5.0) if missed else torch.full((2, 16, 16), 5.0)
    prompts = correct(draw_boxes(masks, 0.0), logits, masks)
    assert prompts.point_labels[:, 2].tolist() == [label] * 2
    at = prompts.points_xy[:, 2].round().long()
    assert (masks[torch.arange(2), at[:, 1], at[:, 0]] == missed).all()
    assert prompts.mask_logits is not None
    assert prompts.mask_logits.shape == (2, 1, 16, 16)


def test_carrying_over_gives_box_point_and_mask_of_the_neighbour():
    logits = torch.full((1, 16, 16), -4.0)
    logits[0, 4:10, 6:12] = 4.0
    prompts = carry_over(logits, side=64, margin=0.0)
    assert prompts.points_xy[0, :2].tolist() == [[22.5, 14.5], [48.5, 40.5]]
    x, y = ((prompts.points_xy[0, 2] + 0.5) / 4).long().tolist()
    assert float(logits[0, y, x]) > 0
    assert prompts.point_labels.tolist() == [[BOX_FIRST, BOX_SECOND, POSITIVE]]


def test_carrying_over_an_empty_mask_still_gives_a_prompt():
    prompts = carry_over(torch.full((1, 8, 8), -1.0), side=32, margin=0.1, use_box=False, use_point=False)
    assert prompts.points_xy.shape == (1, 1, 2)


def test_the_right_mask_costs_least(masks):
    targets = masks.float()
    right = (targets * 2 - 1)[:, None] * 8
    losses = mask_losses(torch.cat([right, -right, right * 0], dim=1), targets)
    assert bool((losses[:, 0] < losses[:, 2]).all())
    assert bool((losses[:, 2] < losses[:, 1]).all())
    assert float(losses[:, 0].max()) < 0.05


def test_true_iou_is_zero_for_an_ended_object():
    logits = torch.full((1, 1, 8, 8), -3.0)
    assert float(true_iou(logits, torch.zeros(1, 8, 8))) == 0.0


def test_the_loss_rewards_the_best_candidate_and_honest_scores(masks):
    right = (masks.float() * 2 - 1)[:, None, ::4, ::4] * 8
    logits = torch.cat([right, right, -right, -right], dim=1)
    honest = torch.tensor([[1.0, 1.0, 0.0, 0.0]]).expand(2, -1)
    assert float(interaction_loss(Decoded(logits, honest), masks)) < float(
        interaction_loss(Decoded(logits, 1 - honest), masks)
    )
