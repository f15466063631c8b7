"""Tiles of stuff: the same everywhere, even in brightness, laid over pictures of any size."""

from __future__ import annotations

import pytest
import torch

from napari_sam.training.things.easel import Easel, Piece, Stand
from napari_sam.training.things.forms import Oval, still
from napari_sam.training.things.looks import Look, made_of
from napari_sam.training.things.stuff import KINDS, SIDE, atlas, draw_kind, sheet, tiles

CPU = torch.device("cpu")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_tiles_are_even_and_lie_side_by_side_in_the_atlas():
    found = tiles(CPU)
    assert found.shape == (len(KINDS), 3, SIDE, SIDE)
    assert float(found[:, :2].mean(dim=(2, 3)).abs().max()) < 1e-3
    assert torch.allclose(found[:, :2].std(dim=(2, 3)), torch.ones(len(KINDS), 2), atol=1e-3)
    assert torch.equal(atlas(CPU)[0, :, :, SIDE : 2 * SIDE], found[1])


def test_what_is_drawn_does_not_change_the_tiles():
    before = tiles(CPU).clone()
    sheet((30, 40), seeded(0))
    tiles.cache_clear()
    assert torch.equal(tiles(CPU), before)


@pytest.mark.parametrize("hw", [(9, 200), (64, 64), (384, 256)])
def test_a_sheet_covers_a_picture(hw):
    covered = sheet(hw, seeded(1), "bricks", "fur")
    assert covered.shape == hw
    assert bool(torch.isfinite(covered).all())


def test_a_kind_is_one_of_those_named():
    assert {KINDS[draw_kind(seeded(s), "fur", "wood")] for s in range(30)} == {"fur", "wood"}
    assert KINDS[made_of(Look((0, 0, 0), (1, 1, 1)), seeded(0), "cloth").stuff] == "cloth"


def test_things_of_different_stuff_look_different():
    seen = []
    for stuff in (KINDS.index("fur"), KINDS.index("bricks")):
        easel = Easel((40, 40), seeded(3))
        look = Look((0.5,) * 3, (0.5,) * 3, grain=0.4, bump=0.0, gloss=0.0, stuff=stuff)
        easel.set([Piece(Oval(still(0, 0), 0.9, 0.9), look)], Stand((0j, 0j), (0.0, 0.0), (1.0, 1.0)), 1, {})
        seen.append(easel.paint(torch.zeros(2, 3, 40, 40), (0.0, 0.0, 1.0), 0.5))
    assert float((seen[0] - seen[1]).abs().mean()) > 0.01
