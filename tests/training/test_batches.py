"""Which objects of a batch are asked for: ended ones and large ones rather, but never those alone."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from napari_sam.models.tiny_sam import build_tiny_sam
from napari_sam.training.batches import Batch, Question, ask, choose_objects, draw_some
from napari_sam.training.rounds import training_loss

CPU = torch.device("cpu")


def batch_of(n_small: int, n_large: int, n_ended: int) -> Batch:
    n_objects = n_small + n_large + n_ended
    masks = torch.zeros(2, n_objects, 32, 32, dtype=torch.bool)
    masks[:, :, 4:6, 4:6] = True
    masks[:, n_small : n_small + n_large, 2:26, 2:26] = True
    masks[1, n_small + n_large :] = False
    return Batch(torch.zeros(2, 3, 32, 32), masks, torch.zeros(n_objects, dtype=torch.long))


def test_few_objects_are_all_asked_for():
    batch = batch_of(3, 1, 1)
    assert choose_objects(batch, 5) is batch


def test_ended_and_large_objects_are_asked_for_rather_but_not_alone():
    torch.manual_seed(0)
    batch, counts = batch_of(80, 10, 10), torch.zeros(3)
    for _ in range(300):
        masks = choose_objects(batch, 20).masks
        ended = ~masks[1].flatten(1).any(dim=1)
        large = masks[0].flatten(1).sum(dim=1) > 100
        counts += torch.stack([(~ended & ~large).sum(), large.sum(), ended.sum()])
    small, large, ended = (counts / torch.tensor([80.0, 10.0, 10.0]) / 300).tolist()
    assert 0.1 < small < large < 0.75
    assert small * 1.15 < ended < 0.5


@pytest.mark.parametrize(("n", "share", "lot"), [(300, 0.6, 32), (300, 1.0, 32), (100, 0.4, 8), (20, 0.9, 8)])
def test_many_are_drawn_in_round_numbers_none_twice(n, share, lot):
    drawn = draw_some(n, share, torch.Generator().manual_seed(0), CPU)
    assert len(drawn) % lot == 0
    assert abs(len(drawn) - n * share) <= lot
    assert len(set(drawn.tolist())) == len(drawn) > 0
    assert int(drawn.max()) < n


def test_few_are_drawn_one_by_one():
    torch.manual_seed(1)
    rng = torch.Generator().manual_seed(1)
    sizes = {len(draw_some(10, 0.5, rng, CPU)) for _ in range(60)}
    assert {3, 4, 5, 6, 7} <= sizes
    assert len(draw_some(0, 0.5, rng, CPU)) == 0


def test_a_question_of_all_groups_every_object_where_it_is():
    question = ask(batch_of(2, 1, 2))
    assert question.cells.shape == (5 + 3, 8, 8)
    assert question.cells_image.tolist() == [0] * 5 + [1] * 3
    assert bool((question.cells.flatten(1).amax(dim=1) > 0).all())


@pytest.mark.parametrize("n_grouped", [4, 20])
def test_a_question_of_fixed_shape_never_groups_what_has_ended(n_grouped):
    torch.manual_seed(0)
    question = ask(batch_of(2, 1, 6), 3, n_grouped)
    assert question.masks.shape == (2, 3, 32, 32)
    assert question.cells.shape == (n_grouped, 8, 8)
    assert bool((question.cells.flatten(1).amax(dim=1) > 0).all())
    assert set(question.cells_image.tolist()) <= {0, 1}


def test_training_never_asks_a_gpu_for_a_value(monkeypatch):
    """A step that is recorded on a GPU must not wait for it: on the meta device nothing can be asked."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # it does not know that device
    with torch.device("meta"):
        model = build_tiny_sam().train()
        pixels, masks = torch.empty(4, 3, 64, 64), torch.empty(2, 60, 64, 64, dtype=torch.bool)
        pair, images = torch.empty(60, dtype=torch.long), torch.empty(8, dtype=torch.long)
        question = Question(pixels, masks, pair, torch.empty(8, 16, 16), images)
    for seed in range(4):
        loss = training_loss(model, question, torch.Generator().manual_seed(seed))
        assert loss.shape == ()
