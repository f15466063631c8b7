"""Cells that lie close together in the encoder's space are one object."""

from __future__ import annotations

import pytest
import torch

from napari_sam.models.grouping import (
    N_AXES,
    N_CHANNELS,
    UNIT_CELLS,
    group_logits,
    masks_of_cells,
    of_shares,
    placed,
)

SIDE = 12


def two_halves() -> torch.Tensor:
    """Cells left of the middle are placed at 0 on the third axis, those right of it at 20."""
    grouping = torch.zeros(1, N_CHANNELS, SIDE, SIDE)
    grouping[:, 2, :, SIDE // 2 :] = 20.0
    grouping[:, N_AXES : N_AXES + 2] = -9.0  # rows and columns hardly count
    return grouping


def test_a_place_is_the_cells_own_moved_by_its_offset():
    grouping = torch.zeros(1, N_CHANNELS, 4, 8)
    grouping[0, 0, 1, 2] = 0.5
    cells = placed(grouping)
    assert cells.shape == (1, N_CHANNELS, 4 * 8)
    place = cells[:, :N_AXES].reshape(1, N_AXES, 4, 8)
    assert place[0, :2, 1, 2].tolist() == [2 / UNIT_CELLS + 0.5, 1 / UNIT_CELLS]
    assert place[0, :2, 3, 7].tolist() == [7 / UNIT_CELLS, 3 / UNIT_CELLS]


def test_each_clicked_cell_gets_its_own_object():
    logits = masks_of_cells(two_halves(), torch.tensor([[0, SIDE - 1]]))
    assert logits.shape == (1, 2, SIDE, SIDE)
    left = torch.arange(SIDE) < SIDE // 2
    assert torch.equal(logits[0, 0] > 0, left.expand(SIDE, -1))
    assert torch.equal(logits[0, 1] > 0, ~left.expand(SIDE, -1))


def test_the_clicked_cell_is_surest():
    torch.manual_seed(1)
    grouping = torch.randn(3, N_CHANNELS, SIDE, SIDE)
    cells = torch.randint(0, SIDE * SIDE, (3, 2))
    logits = masks_of_cells(grouping, cells).flatten(2)
    own = logits.gather(2, cells[..., None])[..., 0]
    assert torch.allclose(own, logits.amax(dim=2), atol=1e-4)


def test_one_plane_serves_all_prompts():
    torch.manual_seed(1)
    grouping = torch.randn(1, N_CHANNELS, SIDE, SIDE)
    cells = torch.tensor([[3], [77]])
    together = masks_of_cells(grouping, cells)
    assert torch.allclose(together[1:], masks_of_cells(grouping, cells[1:]), atol=1e-5)


def test_a_share_of_cells_speaks_for_their_object():
    share = torch.zeros(1, SIDE, SIDE)
    share[:, 2:5, 1:4] = 1.0
    cells = placed(two_halves())
    logits = group_logits(cells, of_shares(cells, share.flatten(1)[None])).reshape(1, 1, SIDE, SIDE)
    assert torch.equal(logits[0, 0] > 0, (torch.arange(SIDE) < SIDE // 2).expand(SIDE, -1))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_stored_precision_is_enough(dtype: torch.dtype):
    cells = torch.tensor([[5, 100]])
    whole = masks_of_cells(two_halves(), cells)
    assert torch.equal(masks_of_cells(two_halves().to(dtype), cells) > 0, whole > 0)
