"""What the network that compares planes is trained on, and that it learns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from napari_sam.models.plane_comparer import CROP_SIDE, PlaneComparer
from napari_sam.models.tiny_sam import build_tiny_sam
from napari_sam.training.carried import CarriedMasks, roughen
from napari_sam.training.samples import PairSampler, SampleSettings
from napari_sam.training.train_comparer import carried_loss, draw_samples, main


@pytest.fixture(scope="module")
def samples() -> CarriedMasks:
    """A few, from a network that has learnt nothing."""
    torch.manual_seed(0)
    sampler = PairSampler(SampleSettings(side=96, n_objects=4, real_share=0.0), [])
    return draw_samples(build_tiny_sam().eval(), sampler, 12, seed=3)


def test_they_are_crops_of_both_planes(samples: CarriedMasks) -> None:
    side = (CROP_SIDE, CROP_SIDE)
    assert len(samples) >= 12
    assert samples.before.shape[1:] == samples.now.shape[1:] == samples.truth.shape[1:] == (1, *side)
    assert samples.masks.shape[1:] == (3, *side)
    assert samples.scores.shape == (len(samples), 3)
    assert samples.before.dtype == torch.uint8
    assert not samples.truth[~samples.is_there].any()
    assert samples.mask_before.flatten(1).any(dim=1).all()


def test_they_are_read_as_they_were_written(samples: CarriedMasks, tmp_path: Path) -> None:
    samples.write(tmp_path / "some.npz")
    again = CarriedMasks.read(tmp_path / "some.npz")
    assert torch.equal(again.now, samples.now)
    assert torch.equal(again.scores, samples.scores)
    assert [one.name for one in tmp_path.iterdir()] == ["some.npz"]


def test_masks_are_turned_with_their_pictures(samples: CarriedMasks) -> None:
    torch.manual_seed(1)
    for _ in range(4):
        rough, before, now = roughen(samples)
        assert before.shape == now.shape == samples.now.shape
        assert torch.equal(rough.truth.flatten(1).sum(1), samples.truth.flatten(1).sum(1))
        assert torch.equal(rough.masks.flatten(2).sum(2), samples.masks.flatten(2).sum(2))


def test_a_network_learns_from_them(samples: CarriedMasks) -> None:
    torch.manual_seed(2)
    network = PlaneComparer()
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    losses = []
    for _ in range(25):
        loss = carried_loss(network, samples)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_what_was_trained_can_be_exported(tmp_path: Path) -> None:
    from napari_sam.zoo.comparer import load_comparer

    torch.save(PlaneComparer().state_dict(), tmp_path / "comparer.pt")
    main(["--folder", str(tmp_path), "--export", str(tmp_path / "it.safetensors")])
    assert load_comparer(tmp_path / "it.safetensors").drawing.weight.abs().max() == 0
