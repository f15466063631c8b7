"""Train the network that compares neighbouring planes (`napari_sam.models.plane_comparer`).

::

    python -m napari_sam.training.train_comparer --folder RUN --data DATA --samples 72000 --minutes 60
    python -m napari_sam.training.train_comparer --folder RUN --export plane_comparer_v1.safetensors

First masks are carried from drawn planes to their neighbours with the default model (70 a second on two
cores, kept in RUN, so that a run that was cut off goes on), then the network learns from them: an hour on two
cores. `DATA` is as in `napari_sam.training.train_default`.
"""

from __future__ import annotations

import argparse
import copy
import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor, nn

from napari_sam.models.plane_comparer import PlaneComparer
from napari_sam.models.sam import Sam
from napari_sam.training.carried import CarriedMasks, carry_masks, roughen
from napari_sam.training.real_images import held_out, read_index
from napari_sam.training.samples import PairSampler, SampleSettings
from napari_sam.zoo.builtin import PIXEL_MEAN, PIXEL_STD

__all__ = ["carried_loss", "draw_samples", "train_network"]

log = logging.getLogger(__name__)

A_FILE = 4000
"""Samples that are kept together."""

BATCH = 64
RATE = 1.5e-3
N_WARMING = 200
SETTINGS = SampleSettings(side=256, n_objects=10, min_area=24, real_share=0.25)


def draw_samples(model: Sam, sampler: PairSampler, n_samples: int, seed: int) -> CarriedMasks:
    """Carry masks of drawn pairs until there are so many, or a few more."""
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (PIXEL_MEAN, PIXEL_STD))
    parts: list[CarriedMasks] = []
    while sum(map(len, parts)) < n_samples:
        pair = sampler.draw(rng)
        grey = (pair.pixels * std + mean).clamp(0, 255).mean(dim=1, keepdim=True)
        part = carry_masks(model, pair, grey, rng)
        parts += [] if part is None else [part]
    return CarriedMasks.of_all(parts)


def carried_loss(network: PlaneComparer, some: CarriedMasks) -> Tensor:
    """Give the loss of presence, predicted IoU and mask, all three of the same weight."""
    some, before, now = roughen(some)
    masks, truth = some.masks.float(), some.truth.float()
    found = network(before, now, some.mask_before.float(), masks, some.scores, some.presence)
    there = some.is_there.float()
    overlap = (masks * truth).flatten(2).sum(dim=2)
    iou = overlap / (masks.flatten(2).sum(dim=2) + truth.flatten(2).sum(dim=2) - overlap + 1e-6)
    inside, wanted = found.mask_logits.sigmoid().flatten(1), truth.flatten(1)
    both = inside.sum(dim=1) + wanted.sum(dim=1)
    dice = 1 - (2 * (inside * wanted).sum(dim=1) + 10) / (both + 10)
    pixels = F.binary_cross_entropy_with_logits(found.mask_logits.flatten(1), wanted, reduction="none")
    drawn = ((dice + pixels.mean(dim=1)) * there).sum() / there.sum().clamp(min=1)
    present = F.binary_cross_entropy_with_logits(found.presence, there)
    judged = F.binary_cross_entropy_with_logits(found.scores, iou * there[:, None])
    loss: Tensor = present + judged + drawn
    return loss


def train_network(network: PlaneComparer, samples: CarriedMasks, minutes: float) -> PlaneComparer:
    """Train for some minutes, with a rate that falls to nothing; gives a running mean of the network."""
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.01, betas=(0.9, 0.99))
    mean = copy.deepcopy(network).eval()
    begun_s, n_steps, order = time.monotonic(), 0, torch.randperm(len(samples))
    while (spent := (time.monotonic() - begun_s) / (60 * minutes)) < 1:
        at = n_steps * BATCH % len(samples)
        if at < BATCH:
            order = torch.randperm(len(samples))
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (n_steps + 1) / N_WARMING) * 0.5 * (1 + math.cos(math.pi * spent))
        loss = carried_loss(network, samples.some(order[at : at + BATCH]))
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        n_steps += 1
        _follow(mean, network, share=max(0.001, 1 / (n_steps / 10 + 1)))
        if n_steps % 500 == 0:
            log.info("%d steps, %.0f %% of the time, loss %.3f", n_steps, 100 * spent, loss.item())
    return mean


@torch.no_grad()
def _follow(mean: nn.Module, network: nn.Module, share: float) -> None:
    for old, new in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
        if old.is_floating_point():
            old.lerp_(new, share)
        else:
            old.copy_(new)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw samples, train, or export, as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="where samples and the network are kept")
    parser.add_argument("--data", type=Path, help="folder of real pictures, with an INDEX.tsv")
    parser.add_argument("--samples", type=int, default=72000)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--export", type=Path, metavar="FILE", help="write the network as float16, and end")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    kept = given.folder / "comparer.pt"
    if given.export:
        state = torch.load(kept, weights_only=True)
        halved = {name: value.half() for name, value in state.items() if value.is_floating_point()}
        given.export.write_bytes(save(halved))
        return
    given.folder.mkdir(parents=True, exist_ok=True)
    samples = CarriedMasks.of_all([CarriedMasks.read(path) for path in _sample_files(given)])
    torch.manual_seed(given.seed)
    network = train_network(PlaneComparer(), samples, given.minutes)
    torch.save(network.state_dict(), kept)


def _sample_files(given: argparse.Namespace) -> list[Path]:
    """Draw what is missing of the samples."""
    from napari_sam.engine.loading import load_segmenter

    real = held_out(read_index(given.data))[0] if given.data else []
    sampler, model = PairSampler(SETTINGS, real), load_segmenter("default", device="cpu").model
    paths = [given.folder / f"carried_{k:03}.npz" for k in range(math.ceil(given.samples / A_FILE))]
    for k, path in enumerate(paths):
        if not path.is_file():
            draw_samples(model, sampler, A_FILE, 1000 * given.seed + k).write(path)
            log.info("%s", path.name)
    return paths


if __name__ == "__main__":
    main()
