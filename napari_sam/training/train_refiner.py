"""Train a network that draws answers anew (`napari_sam.models.refiner`): for clicks, or for boxes alone.

::

    python -m napari_sam.training.train_refiner --folder RUN --data DATA --samples 90000 --minutes 60
    python -m napari_sam.training.train_refiner --folder RUN --export click_refiner_v3.safetensors

First people are simulated who ask the default model for objects of drawn planes, with boxes and clicks, and
who mend what it carried from plane to plane (40 answers a second on two cores; kept in RUN, so that a run
that was cut off goes on), then the network learns from the answers: an hour on two cores. Where RUN has a
network already, ``click_refiner.pt``, it goes on from there. With ``--boxes-alone`` each object is asked for
with one box, no one clicks, and the network is ``box_refiner.pt``. `DATA` is as in
`napari_sam.training.train_default`.
"""

from __future__ import annotations

import argparse
import copy
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor, nn

from napari_sam.engine.loading import load_segmenter
from napari_sam.models.refiner import Refiner
from napari_sam.training.mending_sessions import play_mending
from napari_sam.training.real_images import held_out, read_index
from napari_sam.training.refiner_pictures import as_picture, as_pictures, as_shown
from napari_sam.training.refiner_samples import RefinerSamples, roughen
from napari_sam.training.refiner_sessions import WatchedSegmenter, play_sessions
from napari_sam.training.samples import PairSampler, SampleSettings
from napari_sam.zoo.registry import DEFAULT_MODEL

__all__ = ["draw_samples", "refiner_loss", "train_network"]

log = logging.getLogger(__name__)

A_FILE = 2000
"""Samples that are kept together."""

BATCH = 64
RATE = 1.5e-3
N_WARMING = 200
LEAST_AREA = 40
MENDED = 0.5
"""On how many pairs masks are carried over and mended."""

SETTINGS = SampleSettings(n_objects=14, min_area=LEAST_AREA, real_share=0.35)


def draw_samples(
    segmenter: WatchedSegmenter,
    sampler: PairSampler,
    n_samples: int,
    seed: int,
    *,
    boxes_alone: bool = False,
) -> RefinerSamples:
    """Play sessions on the planes of drawn pairs until there are so many answers, or some more.

    On some pairs what was carried from one plane to the other is mended as well. With boxes alone, no one
    clicks, and the planes are shown in windows and colours (`as_shown`).
    """
    torch.manual_seed(seed)
    rng, chances = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    parts: list[RefinerSamples] = []
    while sum(map(len, parts)) < n_samples:
        pair = sampler.draw(rng)
        for pixels, masks in zip(pair.pixels, pair.masks.numpy(), strict=True):
            truths = [mask for mask in masks if mask.sum() >= LEAST_AREA]
            picture = as_picture(pixels)
            picture = as_shown(picture, chances) if boxes_alone else picture
            parts += play_sessions(segmenter, picture, truths, chances, boxes_alone=boxes_alone)
        if not boxes_alone and chances.random() < MENDED:
            both = pair.masks.numpy().swapaxes(0, 1)
            truths = [truth for truth in both if truth.sum(axis=(1, 2)).min() >= LEAST_AREA]
            parts += play_mending(segmenter, as_pictures(pair.pixels), truths, chances)
    return RefinerSamples.of_all(parts)


def refiner_loss(network: Refiner, some: RefinerSamples) -> Tensor:
    """Give the loss of the mask (Dice and cross-entropy) and of the predicted IoU."""
    seen, truth = roughen(some)
    found = network(seen)
    masks = torch.cat([found.mask_logits.detach()[:, None], seen.candidates], dim=1) > 0
    overlap = (masks & (truth > 0.5)).flatten(2).sum(dim=2)
    either = (masks | (truth > 0.5)).flatten(2).sum(dim=2) + some.beyond[:, None]
    iou = overlap / (either + 1e-6)
    inside, wanted = found.mask_logits.sigmoid().flatten(1), truth.flatten(1)
    both = inside.sum(dim=1) + wanted.sum(dim=1)
    dice = 1 - (2 * (inside * wanted).sum(dim=1) + 10) / (both + 10)
    drawn = dice.mean() + F.binary_cross_entropy_with_logits(found.mask_logits.flatten(1), wanted)
    judged = F.binary_cross_entropy_with_logits(found.scores, iou)
    loss: Tensor = drawn + 0.5 * judged
    return loss


def train_network(network: Refiner, samples: RefinerSamples, minutes: float, rate: float = RATE) -> Refiner:
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
        loss = refiner_loss(network, samples.some(order[at : at + BATCH]))
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
    parser.add_argument("--side", type=int, nargs="+", default=[384, 256, 512], help="of the planes, in turn")
    parser.add_argument("--samples", type=int, default=90000)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--boxes-alone", action="store_true", help="learn from boxes without clicks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--export", type=Path, metavar="FILE", help="write the network as float16, and end")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    kept = given.folder / ("box_refiner.pt" if given.boxes_alone else "click_refiner.pt")
    if given.export:
        if not kept.is_file():
            parser.error(f"there is no {kept}; train first, or say --boxes-alone as when it was trained")
        state = torch.load(kept, weights_only=True)
        halved = {
            name: value.half().contiguous() for name, value in state.items() if value.is_floating_point()
        }
        given.export.write_bytes(save(halved))
        return
    given.folder.mkdir(parents=True, exist_ok=True)
    samples = RefinerSamples.of_all([RefinerSamples.read(path) for path in _sample_files(given)])
    if not given.minutes:
        return
    torch.manual_seed(given.seed)
    network = Refiner(sees_clicks=not given.boxes_alone)
    if kept.is_file():
        network.load_state_dict(torch.load(kept, weights_only=True))
    network = train_network(network, samples, given.minutes, given.rate)
    torch.save(network.state_dict(), kept)


def _sample_files(given: argparse.Namespace) -> list[Path]:
    """Draw what is missing of the samples."""
    real = held_out(read_index(given.data))[0] if given.data else []
    samplers = [PairSampler(replace(SETTINGS, side=side), real) for side in given.side]
    segmenter = WatchedSegmenter(load_segmenter(DEFAULT_MODEL, device="cpu"))
    n_files = math.ceil(given.samples / A_FILE)
    kind = "boxes" if given.boxes_alone else "answers"
    paths = [given.folder / f"{kind}_{given.seed:03}_{k:03}.npz" for k in range(n_files)]
    for k, path in enumerate(paths):
        if not path.is_file():
            sampler = samplers[k % len(samplers)]
            seed = 1000 * given.seed + k
            draw_samples(segmenter, sampler, A_FILE, seed, boxes_alone=given.boxes_alone).write(path)
            log.info("%s", path.name)
    return paths


if __name__ == "__main__":
    main()
