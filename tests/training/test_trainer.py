"""Training goes on where it was cut off, and what it writes loads again."""

from __future__ import annotations

from dataclasses import replace

import torch
from safetensors.torch import load_file

from napari_sam.models.tiny_sam import build_tiny_sam
from napari_sam.training.batches import collate
from napari_sam.training.measuring import measure
from napari_sam.training.samples import PairSampler, SampleSettings
from napari_sam.training.stages import Stage
from napari_sam.training.train_default import Pace, export, train
from napari_sam.training.trainer import Trainer

STAGE = Stage(sides=(64,), minutes=0.01, n_pairs=1, n_objects=2, n_prompted=2)


def test_a_cut_off_stage_goes_on_where_it_stood(tmp_path):
    trainer = Trainer(tmp_path, STAGE, torch.device("cpu"))
    train(trainer, None, Pace(n_workers=0))
    again = Trainer(tmp_path, STAGE, torch.device("cpu"))
    assert again.step == trainer.step > 0
    assert again.spent_s == trainer.spent_s
    for before, after in zip(trainer.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(before, after)


def test_another_stage_starts_from_the_weights_with_a_new_clock(tmp_path):
    trainer = Trainer(tmp_path, STAGE, torch.device("cpu"))
    train(trainer, None, Pace(n_workers=0))
    following = Trainer(tmp_path, Stage(sides=(64, 96), minutes=0.01), torch.device("cpu"))
    assert following.step == 0
    assert torch.equal(next(following.model.parameters()), next(trainer.model.parameters()))


def test_parts_of_the_network_learn_at_their_own_share_of_the_rate(tmp_path):
    stage = replace(STAGE, shares=(("image_encoder.stem", 0.5), ("image_encoder", 0.0)))
    trainer = Trainer(tmp_path, stage, torch.device("cpu"))
    before = {name: value.clone() for name, value in trainer.model.named_parameters()}
    trainer.model.train()
    sampler, rng = PairSampler(SampleSettings(side=64, n_objects=2), []), torch.Generator().manual_seed(1)
    trainer.run_step(collate([sampler.draw(rng)]), rng)
    moved = {name for name, value in trainer.model.named_parameters() if not torch.equal(value, before[name])}
    assert any(name.startswith("image_encoder.stem") for name in moved)
    assert any(name.startswith("mask_decoder") for name in moved)
    assert not any(name.startswith("image_encoder.level") for name in moved)
    rates = {group["share"]: group["lr"] for group in trainer.optimiser.param_groups}
    assert rates[0.5] == rates[1.0] / 2


def test_cells_learn_without_prompts_what_belongs_together(tmp_path):
    shares = (("image_encoder.group", 1.0), ("image_encoder.level8", 1.0), ("", 0.0))
    stage = replace(STAGE, sides=(96,), minutes=10.0, rate=3e-3, shares=shares, prompts=False)
    trainer = Trainer(tmp_path, stage, torch.device("cpu"))
    before = {name: value.clone() for name, value in trainer.model.named_parameters()}
    trainer.model.train()
    sampler, rng = PairSampler(SampleSettings(side=96, n_objects=4), []), torch.Generator().manual_seed(1)
    batch = collate([sampler.draw(rng) for _ in range(2)])
    losses = [float(trainer.run_step(batch, rng)) for _ in range(25)]
    assert losses[-1] < losses[0] - 0.05
    moved = {name for name, value in trainer.model.named_parameters() if not torch.equal(value, before[name])}
    assert moved
    assert all(name.startswith(("image_encoder.group", "image_encoder.level8")) for name in moved)


def test_exported_weights_are_half_precision_and_load(tmp_path):
    trainer = Trainer(tmp_path, STAGE, torch.device("cpu"))
    trainer.save()
    export(tmp_path, tmp_path / "model.safetensors", {"licence": "Apache-2.0"})
    tensors = load_file(tmp_path / "model.safetensors")
    assert {t.dtype for t in tensors.values() if t.is_floating_point()} == {torch.float16}
    build_tiny_sam().load_state_dict(tensors)


def test_measuring_gives_means_between_0_and_1():
    torch.manual_seed(0)
    model = build_tiny_sam().eval()
    rng = torch.Generator().manual_seed(2)
    sampler = PairSampler(SampleSettings(side=64, n_objects=2), [])
    figures = measure(model, [collate([sampler.draw(rng) for _ in range(2)])])
    assert set(figures) == {
        "box", "roomy_box", "point", "point_best", "point_3", "carried", "cell", "score_error", "presence_auc"
    }  # fmt: skip
    assert all(0.0 <= value <= 1.5 for value in figures.values())
