"""Photographs: shadows, mirrors and what is smeared are no part of the object, crowds are stamped."""

from __future__ import annotations

import torch

from napari_sam.training.exposures import _lay_shadow, _mirror, _smear, _some_things, develop
from napari_sam.training.photographs import _hide
from napari_sam.training.things.easel import Easel, Piece, Stand
from napari_sam.training.things.forms import Oval, still
from napari_sam.training.things.looks import Look

RED = Look((0.8, 0.1, 0.1), (0.8, 0.1, 0.1), grain=0.0, bump=0.0, gloss=0.0)
BLUE = Look((0.1, 0.1, 0.8), (0.1, 0.1, 0.8), grain=0.0, bump=0.0, gloss=0.0)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def square() -> torch.Tensor:
    labels = torch.zeros(2, 40, 40, dtype=torch.int64)
    labels[:, 8:20, 14:26] = 1
    return labels


def test_a_shadow_darkens_the_ground_beside_the_thing():
    ground = torch.ones(2, 3, 40, 40)
    n_dark = 0
    for seed in range(8):
        shaded = _lay_shadow(ground, square() == 1, seeded(seed))
        assert float(shaded.max()) <= 1.0
        assert float(shaded.min()) > 0.0
        n_dark += bool((shaded[:, 0][square() == 0] < 0.97).any())
    assert n_dark >= 5
    nothing = torch.zeros(2, 40, 40, dtype=torch.bool)
    assert torch.equal(_lay_shadow(ground, nothing, seeded(0)), ground)


def test_a_mirror_shows_a_thing_below_its_feet_and_nowhere_else():
    labels = square()
    image = torch.zeros(2, 3, 40, 40)
    image[:, 0][labels == 1] = 1.0
    seen = _mirror(image, labels, 1, seeded(0))
    changed = (seen != image).any(dim=1)
    assert bool(changed[:, 20:, 14:26].any())
    assert not bool(changed[:, :20].any())
    assert not bool(changed[..., :14].any())


def test_what_moves_is_smeared_around_its_place():
    mine = square() == 1
    ground, image = torch.zeros(2, 3, 40, 40), mine[:, None].float().expand(-1, 3, -1, -1)
    seen = _smear(image, ground, mine, seeded(4))
    assert abs(float(seen.sum()) / float(image.sum()) - 1) < 1e-4
    assert bool(((seen > 0) & (seen < 1)).any())
    assert float(seen[0, 0, 14, 20]) == 1.0


def test_larger_things_are_chosen_and_none_where_there_is_none():
    assert _some_things(square(), seeded(0)) == [1]
    assert _some_things(torch.zeros(2, 8, 8, dtype=torch.int64), seeded(0)) == []


def test_an_empty_picture_is_developed():
    seen = develop(Easel((24, 32), seeded(0)), torch.full((2, 3, 24, 32), 0.5), seeded(1))
    assert seen.shape == (2, 3, 24, 32)
    assert 0 <= float(seen.min()) <= float(seen.max()) <= 1


def test_only_some_looks_of_a_thing_are_hidden_and_alike_pieces_alike():
    oval = Oval(still(0, 0), 0.5, 0.5)
    pieces = [Piece(oval, RED), Piece(oval, BLUE), Piece(oval, RED)]
    n_mixed = 0
    for seed in range(20):
        hidden = _hide(pieces, ((0.5,) * 3, (0.5,) * 3), 0.9, seeded(seed))
        assert hidden[0].look == hidden[2].look
        n_mixed += (hidden[0].look == RED) != (hidden[1].look == BLUE)
    assert 3 < n_mixed < 17


def test_a_stamped_thing_looks_as_where_it_was_drawn():
    stand = Stand((0j, 0j), (0.0, 0.0), (0.5, 0.5), bend=0.0)
    pieces = [Piece(Oval(still(0, 0), 0.8, 0.4), RED)]
    drawn, stamped = Easel((60, 60), seeded(0)), Easel((60, 60), seeded(0))
    drawn.set(pieces, stand, 0, {})
    stamped.stamp(stamped.sprite(pieces, stand), (0j, 0j))
    assert abs(int((drawn.forms > 0).sum()) - int((stamped.forms > 0).sum())) < 0.1 * int(
        (drawn.forms > 0).sum()
    )
    stamped.stamp(stamped.sprite(pieces, stand), (0.9 + 0.9j, 5 + 5j), mirrored=True)
    assert bool(stamped.forms[0, 50:, 50:].any())
    assert int(stamped.labels.max()) == 0
