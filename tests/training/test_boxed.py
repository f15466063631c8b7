"""What the network that draws boxed objects anew is trained on, and that it learns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from napari_sam.models.box_refiner import CROP_SIDE, BoxRefiner
from napari_sam.models.tiny_sam import build_tiny_sam
from napari_sam.training.boxed import BoxedObjects, roughen
from napari_sam.training.samples import PairSampler, SampleSettings
from napari_sam.training.train_refiner import boxed_loss, draw_samples, main
from napari_sam.zoo.box_refiner import load_box_refiner


@pytest.fixture(scope="module")
def samples() -> BoxedObjects:
    """A few, from a network that has learnt nothing."""
    torch.manual_seed(0)
    sampler = PairSampler(SampleSettings(side=128, n_objects=4, min_area=40, real_share=0.0), [])
    return draw_samples(build_tiny_sam().eval(), sampler, 0.04, 12, seed=3)


def test_they_are_looked_at_around_their_boxes(samples: BoxedObjects) -> None:
    side = (CROP_SIDE, CROP_SIDE)
    assert len(samples) >= 12
    assert samples.picture.shape[1:] == samples.candidates.shape[1:] == (3, *side)
    assert samples.picture.dtype == samples.truth.dtype == torch.uint8
    assert samples.scores.shape == (len(samples), 3)
    assert (samples.box[:, 2:] > samples.box[:, :2]).all()
    middles = (torch.arange(CROP_SIDE) + 0.5) / CROP_SIDE - 0.5
    for box, truth in zip(samples.box, samples.truth[:, 0] > 127, strict=True):
        rows, cols = (middles[truth.any(dim=axis)] for axis in (1, 0))
        found = torch.stack([cols[0], rows[0], cols[-1], rows[-1]])
        assert (found - box).abs().max() < 0.2


def test_they_are_read_as_they_were_written(samples: BoxedObjects, tmp_path: Path) -> None:
    samples.write(tmp_path / "some.npz")
    again = BoxedObjects.read(tmp_path / "some.npz")
    assert torch.equal(again.picture, samples.picture)
    assert torch.equal(again.scores, samples.scores)
    assert [one.name for one in tmp_path.iterdir()] == ["some.npz"]


def test_boxes_and_masks_are_turned_with_their_pictures(samples: BoxedObjects) -> None:
    torch.manual_seed(1)
    middles = (torch.arange(CROP_SIDE) + 0.5) / CROP_SIDE - 0.5
    for _ in range(6):
        turned, levels, logits = roughen(samples)
        assert levels.shape == logits.shape == samples.picture.shape
        assert torch.equal(turned.truth.flatten(1).sum(1), samples.truth.flatten(1).sum(1))
        assert (turned.box[:, 2:] > turned.box[:, :2]).all()
        before, after = (_off(one.box[0], one.truth[0, 0] > 127, middles) for one in (samples, turned))
        assert sorted(before) == pytest.approx(sorted(after), abs=1e-4)


def _off(box: torch.Tensor, truth: torch.Tensor, middles: torch.Tensor) -> list[float]:
    """Say how far each edge of an object lies within its box."""
    rows, cols = (middles[truth.any(dim=axis)] for axis in (1, 0))
    found = torch.stack([cols[0], rows[0], -cols[-1], -rows[-1]])
    return (found - torch.cat([box[:2], -box[2:]])).tolist()


def test_a_network_learns_from_them(samples: BoxedObjects) -> None:
    torch.manual_seed(2)
    network = BoxRefiner()
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    losses = []
    for _ in range(25):
        loss = boxed_loss(network, samples)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_what_was_trained_can_be_exported(tmp_path: Path) -> None:
    torch.save(BoxRefiner().state_dict(), tmp_path / "refiner.pt")
    main(["--folder", str(tmp_path), "--export", str(tmp_path / "it.safetensors")])
    assert load_box_refiner(tmp_path / "it.safetensors").drawing.weight.abs().max() == 0
