"""Train the network that draws boxed objects anew (`napari_sam.models.box_refiner`).

::

    python -m napari_sam.training.train_refiner --folder RUN --data DATA --samples 90000 --minutes 60
    python -m napari_sam.training.train_refiner --folder RUN --export box_refiner_v1.safetensors

First the default model is asked for objects of drawn planes (60 a second on two cores; kept in RUN, so
that a run that was cut off goes on), then the network learns from its answers: an hour on two cores. Where
RUN has a network already, it goes on from there. `DATA` is as in `napari_sam.training.train_default`.
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

from napari_sam.models.box_refiner import BoxRefiner
from napari_sam.models.sam import Sam
from napari_sam.training.boxed import BoxedObjects, ask_boxes, roughen
from napari_sam.training.real_images import held_out, read_index
from napari_sam.training.samples import PairSampler, SampleSettings
from napari_sam.zoo.builtin import PIXEL_MEAN, PIXEL_STD
from napari_sam.zoo.registry import DEFAULT_MODEL

__all__ = ["boxed_loss", "draw_samples", "train_network"]

log = logging.getLogger(__name__)

A_FILE = 2000
"""Samples that are kept together."""

BATCH = 64
RATE = 1.5e-3
N_WARMING = 200
SETTINGS = SampleSettings(n_objects=10, min_area=40, real_share=0.3)


def draw_samples(model: Sam, sampler: PairSampler, lead: float, n_samples: int, seed: int) -> BoxedObjects:
    """Ask for objects of drawn pairs until there are so many, or a few more."""
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (PIXEL_MEAN, PIXEL_STD))
    parts: list[BoxedObjects] = []
    while sum(map(len, parts)) < n_samples:
        pair = sampler.draw(rng)
        levels = (pair.pixels * std + mean).round().clamp(0, 255).to(torch.uint8)
        parts.append(ask_boxes(model, pair, levels, lead, rng))
    return BoxedObjects.of_all(parts)


def boxed_loss(network: BoxRefiner, some: BoxedObjects) -> Tensor:
    """Give the loss of the mask (Dice and cross-entropy) and of the predicted IoU."""
    some, pictures, candidates = roughen(some)
    truth = some.truth.float() / 255
    found = network(pictures, some.box, candidates, some.scores)
    masks = torch.cat([found.mask_logits.detach()[:, None], candidates], dim=1) > 0
    overlap = (masks & (truth > 0.5)).flatten(2).sum(dim=2)
    iou = overlap / ((masks | (truth > 0.5)).flatten(2).sum(dim=2) + 1e-6)
    inside, wanted = found.mask_logits.sigmoid().flatten(1), truth.flatten(1)
    both = inside.sum(dim=1) + wanted.sum(dim=1)
    dice = 1 - (2 * (inside * wanted).sum(dim=1) + 10) / (both + 10)
    drawn = dice.mean() + F.binary_cross_entropy_with_logits(found.mask_logits.flatten(1), wanted)
    judged = F.binary_cross_entropy_with_logits(found.scores, iou)
    loss: Tensor = drawn + 0.5 * judged
    return loss


def train_network(
    network: BoxRefiner, samples: BoxedObjects, minutes: float, rate: float = RATE
) -> BoxRefiner:
    """Train for some minutes, with a rate that falls to nothing; gives a running mean of the network."""
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=0.01, betas=(0.9, 0.99))
    mean = copy.deepcopy(network).eval()
    begun_s, n_steps, order = time.monotonic(), 0, torch.randperm(len(samples))
    while (spent := (time.monotonic() - begun_s) / (60 * minutes)) < 1:
        at = n_steps * BATCH % len(samples)
        if at < BATCH:
            order = torch.randperm(len(samples))
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (n_steps + 1) / N_WARMING) * 0.5 * (1 + math.cos(math.pi * spent))
        loss = boxed_loss(network, samples.some(order[at : at + BATCH]))
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
    parser.add_argument("--side", type=int, nargs="+", default=[384], help="of the planes, in turn")
    parser.add_argument("--samples", type=int, default=90000)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--export", type=Path, metavar="FILE", help="write the network as float16, and end")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    kept = given.folder / "refiner.pt"
    if given.export:
        state = torch.load(kept, weights_only=True)
        halved = {name: value.half() for name, value in state.items() if value.is_floating_point()}
        given.export.write_bytes(save(halved))
        return
    given.folder.mkdir(parents=True, exist_ok=True)
    samples = BoxedObjects.of_all([BoxedObjects.read(path) for path in _sample_files(given)])
    if not given.minutes:
        return
    torch.manual_seed(given.seed)
    network = BoxRefiner()
    if kept.is_file():
        network.load_state_dict(torch.load(kept, weights_only=True))
    network = train_network(network, samples, given.minutes, given.rate)
    torch.save(network.state_dict(), kept)


def _sample_files(given: argparse.Namespace) -> list[Path]:
    """Draw what is missing of the samples."""
    from dataclasses import replace

    from napari_sam import zoo
    from napari_sam.engine.loading import load_segmenter

    real = held_out(read_index(given.data))[0] if given.data else []
    samplers = [PairSampler(replace(SETTINGS, side=side), real) for side in given.side]
    model, lead = load_segmenter("default", device="cpu").model, zoo.get(DEFAULT_MODEL).lead
    n_files = math.ceil(given.samples / A_FILE)
    paths = [given.folder / f"boxed_{given.seed:03}_{k:03}.npz" for k in range(n_files)]
    for k, path in enumerate(paths):
        if not path.is_file():
            sampler = samplers[k % len(samplers)]
            draw_samples(model, sampler, lead, A_FILE, 1000 * given.seed + k).write(path)
            log.info("%s", path.name)
    return paths


if __name__ == "__main__":
    main()
