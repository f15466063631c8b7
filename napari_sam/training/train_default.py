"""Train the embedded default model.

One stage of the schedule::

    python -m napari_sam.training.train_default --folder RUN --data DATA --side 192 256 384 --minutes 40
    python -m napari_sam.training.train_default --folder RUN --export tiny_sam_v6.safetensors

On a GPU: ``--workers`` for its processors, ``--pairs 64 --prompted 128 --kept 300``.
Under ``torchrun --nproc-per-node N -m napari_sam.training.train_default …`` several processes share the work.

`DATA` is a folder with an ``INDEX.tsv`` (see `napari_sam.training.real_images`); without it only
generated pictures are used. A stage that was cut off goes on where its last checkpoint stands.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import distributed
from torch.utils.data import DataLoader

from napari_sam.models.sam import Sam
from napari_sam.models.tiny_encoder import TINY_SIDE
from napari_sam.models.tiny_sam import build_tiny_sam
from napari_sam.training.batches import Batch
from napari_sam.training.feed import Feed
from napari_sam.training.measuring import measure
from napari_sam.training.real_images import held_out, read_index
from napari_sam.training.rounds import GOING_ON
from napari_sam.training.samples import SampleSettings
from napari_sam.training.stages import BatchStream, Stage, validation_sets
from napari_sam.training.trainer import Trainer
from napari_sam.zoo.registry import DEFAULT_MODEL

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pace:
    """How a call works, whatever the stage: may differ from call to call.

    Attributes
    ----------
    n_workers : int
        Processes that draw batches.
    n_kept : int
        Batches that are seen again while no new one is ready (see `napari_sam.training.feed`).
    check_every_s : float
        Seconds of training between checks and saves.
    pause_s : float
        Save and stop after as many seconds, though the stage is not over.
    """

    n_workers: int = 1
    n_kept: int = 0
    check_every_s: float = 300.0
    pause_s: float = math.inf


def train(trainer: Trainer, data: Path | None, pace: Pace) -> None:
    """Train until the stage's time is spent; checks and saves now and then."""
    stage = trainer.stage
    items = read_index(data) if data else []
    real, validation = held_out(items)
    rank = distributed.get_rank() if distributed.is_initialized() else 0
    stream = BatchStream(stage, real, trainer.step, rank)
    loader = DataLoader(stream, batch_size=None, num_workers=pace.n_workers, worker_init_fn=_stand_back)
    feed = Feed(loader, trainer.device, 0 if distributed.is_initialized() else pace.n_kept)
    checks = validation_sets(SampleSettings(side=256, n_objects=6), validation, trainer.device)
    try:
        _train(trainer, feed, checks, pace, torch.Generator().manual_seed(stage.seed + trainer.step + rank))
    finally:
        feed.close()


def _stand_back(number: int) -> None:
    """Let the process that trains go first."""
    if hasattr(os, "nice"):
        os.nice(10)


def _train(
    trainer: Trainer, feed: Feed, checks: dict[str, list[Batch]], pace: Pace, rng: torch.Generator
) -> None:
    is_first = not distributed.is_initialized() or distributed.get_rank() == 0
    trainer.model.train()
    losses: list[torch.Tensor] = []
    pause_at = trainer.spent_s + pace.pause_s
    last, next_check = time.monotonic(), trainer.spent_s + min(60.0, pace.check_every_s)
    over = False
    while not over:
        losses.append(trainer.run_step(feed.next(), rng))
        now = time.monotonic()
        trainer.spent_s, last = trainer.spent_s + now - last, now
        over = trainer.spent_s >= min(60 * trainer.stage.minutes, pause_at)
        if distributed.is_initialized():
            over = _first_says(over)
        if (trainer.spent_s >= next_check or over) and is_first:
            log.info("%d new batches, %d seen again", feed.n_new, feed.n_again)
            _check(trainer, checks, losses)
            losses, last = [], time.monotonic()
            next_check = trainer.spent_s + pace.check_every_s


def _first_says(over: bool) -> bool:
    """Let the first process decide for all."""
    flag = torch.tensor([int(over)])
    distributed.broadcast(flag, 0)
    return bool(flag.item())


def _check(trainer: Trainer, checks: dict[str, list[Batch]], losses: list[torch.Tensor]) -> None:
    record: dict[str, object] = {
        "sides": trainer.stage.sides,
        "step": trainer.step,
        "minutes": round(trainer.spent_s / 60, 1),
        "loss": round(float(torch.stack(losses).mean()), 4),
    }
    for name, batches in checks.items():
        record[name] = {key: round(value, 4) for key, value in measure(trainer.average, batches).items()}
    log.info("%s", json.dumps(record))
    with (trainer.run / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
    trainer.save()


def export(run: Path, path: Path, metadata: dict[str, str]) -> None:
    """Write the averaged weights as float16 safetensors."""
    kept = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)
    model: Sam = build_tiny_sam()
    model.load_state_dict(kept["average"])
    tensors = {
        name: value.half().contiguous() if value.dtype.is_floating_point else value.contiguous()
        for name, value in model.state_dict().items()
    }
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(save(tensors, metadata={"format": "pt", "side": str(TINY_SIDE), **metadata}))
    temporary.replace(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Train the embedded default model.")
    parser.add_argument("--data", type=Path, help="folder with an INDEX.tsv of real labelled pictures")
    parser.add_argument("--folder", type=Path, required=True, help="folder of checkpoint and log")
    parser.add_argument("--weights", type=Path, help="weights to begin with, without a checkpoint")
    parser.add_argument("--side", type=int, nargs="+", default=[192, 256, 384])
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument("--rate", type=float, default=8e-4)
    parser.add_argument(
        "--share", type=_share, action="append", default=[], metavar="NAME=SHARE",
        help="weights whose names begin so learn at this share of the rate; the first that fits counts",
    )  # fmt: skip
    parser.add_argument("--no-prompts", action="store_true", help="let the encoder's cells alone teach")
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--objects", type=int, default=10)
    parser.add_argument("--prompted", type=int, default=12)
    parser.add_argument("--going-on", type=float, default=GOING_ON, help="part corrected after each round")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--kept", type=int, default=0, help="batches seen again while no new one is ready")
    parser.add_argument("--check-every", type=float, default=300.0, help="seconds between checks and saves")
    parser.add_argument("--pause", type=float, default=math.inf, help="seconds after which to save and stop")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--export", type=Path, help="write the weights here instead of training")
    return parser


def _share(text: str) -> tuple[str, float]:
    """Read ``NAME=SHARE``; an empty name means all weights."""
    name, equals, share = text.partition("=")
    try:
        number = float(share)
    except ValueError:
        number = -1.0
    if not equals or not 0.0 <= number <= 1.0:
        raise argparse.ArgumentTypeError(f"{text!r}: give NAME=SHARE with a share from 0 to 1")
    return name, number


def main() -> None:
    """Run one stage, or export."""
    args = _parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if args.export:
        export(args.folder, args.export, {"licence": "Apache-2.0", "name": DEFAULT_MODEL})
        return
    if "WORLD_SIZE" in os.environ:
        distributed.init_process_group("gloo" if args.device == "cpu" else "nccl")
    numbers = args.pairs, args.objects, args.prompted, args.seed, args.going_on
    shares, prompts = tuple(args.share), not args.no_prompts
    stage = Stage(tuple(args.side), args.minutes, args.rate, *numbers, shares=shares, prompts=prompts)
    trainer = Trainer(args.folder, stage, torch.device(args.device))
    if args.weights:
        trainer.start_from(args.weights)
    train(trainer, args.data, Pace(args.workers, args.kept, args.check_every, args.pause))


if __name__ == "__main__":
    main()
