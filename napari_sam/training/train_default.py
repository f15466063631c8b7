"""Train the embedded default model.

One stage of the schedule::

    python -m napari_sam.training.train_default --folder RUN --data DATA --side 192 256 384 --minutes 40
    python -m napari_sam.training.train_default --folder RUN --export tiny_sam_v4.safetensors

On a GPU: ``--workers`` for its processors, ``--pairs 64 --prompted 128 --kept 300``.
Under ``torchrun --nproc-per-node N -m napari_sam.training.train_default …`` several processes share the work.

`DATA` is a folder with an ``INDEX.tsv`` (see `napari_sam.training.real_images`); without it only
generated pictures are used. A stage that was cut off goes on where its last checkpoint stands.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import distributed, nn
from torch.utils.data import DataLoader

from napari_sam.models.sam import Sam
from napari_sam.models.tiny_encoder import TINY_SIDE, with_missing_blocks
from napari_sam.models.tiny_sam import build_tiny_sam
from napari_sam.training.feed import Feed
from napari_sam.training.measuring import measure
from napari_sam.training.real_images import held_out, read_index
from napari_sam.training.rounds import GOING_ON, Batch, training_loss
from napari_sam.training.samples import SampleSettings
from napari_sam.training.stages import BatchStream, Stage, validation_sets
from napari_sam.zoo.registry import DEFAULT_MODEL

log = logging.getLogger(__name__)


class Trainer:
    """Holds the model, its moving average, the optimiser and where they are kept.

    Parameters
    ----------
    run : Path
        Folder of checkpoint and log.
    stage : Stage
        What to do.
    device : torch.device
        Where to do it.
    """

    def __init__(self, run: Path, stage: Stage, device: torch.device) -> None:
        self.run, self.stage, self.device = run, stage, device
        run.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(stage.seed)
        self.model = build_tiny_sam().to(device)
        self.average = copy.deepcopy(self.model).eval()
        decayed = [p for p in self.model.parameters() if p.ndim > 1]
        others = [p for p in self.model.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}]
        fused = device.type == "cuda"
        self.optimiser = torch.optim.AdamW(groups, lr=stage.rate, betas=(0.9, 0.98), fused=fused)
        self.step, self.spent_s = 0, 0.0
        self._resume()

    def _resume(self) -> None:
        path = self.run / "checkpoint.pt"
        self.found = path.exists()
        if not self.found:
            return
        kept = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(kept["model"])
        self.average.load_state_dict(kept["average"])
        if kept["stage"] == asdict(self.stage):
            self.optimiser.load_state_dict(kept["optimiser"])
            self.step, self.spent_s = kept["step"], kept["spent_s"]

    def start_from(self, weights: Path) -> None:
        """Begin with a file of weights, without a checkpoint; blocks that it lacks change nothing."""
        if not self.found:
            state = with_missing_blocks(load_file(weights, device=str(self.device)), self.model.state_dict())
            self.model.load_state_dict(state)
            self.average.load_state_dict(state)

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "stage": asdict(self.stage),
            "step": self.step,
            "spent_s": self.spent_s,
        }
        temporary = self.run / "checkpoint.pt.tmp"
        torch.save(state, temporary)
        temporary.replace(self.run / "checkpoint.pt")

    def run_step(self, batch: Batch, rng: torch.Generator) -> torch.Tensor:
        """Take one step of the optimiser; gives the loss."""
        done = min(self.spent_s / (60 * self.stage.minutes), 1.0)
        warm_up, decay = min(1.0, (self.step + 1) / 200), math.cos(math.pi / 2 * done) ** 2
        rate = self.stage.rate * warm_up * (0.02 + 0.98 * decay)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast(self.device.type, torch.bfloat16):
            n_prompted = self._n_prompted(batch)
            loss = training_loss(self.model, batch.to(self.device), rng, n_prompted, self.stage.going_on)
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self._share_gradients()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        self._update_average()
        return loss.detach()

    def _n_prompted(self, batch: Batch) -> int:
        """Prompt for fewer objects in larger pictures, so that steps take about as long."""
        return max(6, round(self.stage.n_prompted * (256 / batch.pixels.shape[-1]) ** 2))

    @torch.no_grad()
    def _share_gradients(self) -> None:
        """Average gradients over the processes of a ``torchrun``; the clock is the first process's."""
        if not distributed.is_initialized():
            return
        parameters = list(self.model.parameters())
        clock = torch.tensor([self.spent_s if distributed.get_rank() == 0 else 0.0], device=self.device)
        flat = torch.cat([*(_gradient(p).flatten() for p in parameters), clock])
        distributed.all_reduce(flat)
        self.spent_s = float(flat[-1])
        mean = flat[:-1] / distributed.get_world_size()
        start = 0
        for parameter in parameters:
            parameter.grad = mean[start : start + parameter.numel()].view_as(parameter)
            start += parameter.numel()

    @torch.no_grad()
    def _update_average(self) -> None:
        keep = min(0.998, (1 + self.step) / (20 + self.step))
        state, average = self.model.state_dict(), self.average.state_dict()
        smooth = [name for name, value in average.items() if value.dtype.is_floating_point]
        torch._foreach_lerp_([average[name] for name in smooth], [state[name] for name in smooth], 1 - keep)
        for name in average.keys() - smooth:
            average[name].copy_(state[name])


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


def _gradient(parameter: nn.Parameter) -> torch.Tensor:
    """Give a parameter's gradient, zeros where the last rounds did not use it."""
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


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
    parser.add_argument("--start", type=Path, help="weights to begin with, without a checkpoint")
    parser.add_argument("--side", type=int, nargs="+", default=[192, 256, 384])
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument("--rate", type=float, default=8e-4)
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
    stage = Stage(tuple(args.side), args.minutes, args.rate, *numbers)
    trainer = Trainer(args.folder, stage, torch.device(args.device))
    if args.start:
        trainer.start_from(args.start)
    train(trainer, args.data, Pace(args.workers, args.kept, args.check_every, args.pause))


if __name__ == "__main__":
    main()
