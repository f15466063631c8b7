"""The default model under training: its moving average, its optimiser, and where they are kept."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import distributed, nn

from napari_sam.models.tiny_encoder import with_missing_blocks, without_silent_levels
from napari_sam.models.tiny_sam import build_tiny_sam
from napari_sam.training.batches import Batch, Question, ask
from napari_sam.training.recorded import RecordedSteps
from napari_sam.training.rounds import MANY, cells_loss, rounds_loss
from napari_sam.training.stages import Stage

_GROUPED = 6
"""Planes of objects a pair that teach the grouping, where steps are recorded."""


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
        named = list(self.model.named_parameters())
        for name, parameter in named:
            parameter.requires_grad_(stage.share(name) > 0)
        taught = [(name, parameter) for name, parameter in named if parameter.requires_grad]
        self._parameters = [parameter for _, parameter in taught]
        groups, fused = _groups(taught, stage), device.type == "cuda"
        self.optimiser = torch.optim.AdamW(groups, lr=stage.rate, betas=(0.9, 0.98), fused=fused)
        self.step, self.spent_s = 0, 0.0
        self._steps = RecordedSteps(self._parameters, self._loss) if device.type == "cuda" else None
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
            lean = without_silent_levels(load_file(weights, device=str(self.device)))
            state = with_missing_blocks(lean, self.model.state_dict())
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
            group["lr"] = rate * group["share"]
        loss = self._gradients(batch.to(self.device), rng)
        self._share_gradients()
        nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self.optimiser.step()
        self.step += 1
        self._update_average()
        return loss

    def _gradients(self, batch: Batch, rng: torch.Generator) -> torch.Tensor:
        """Leave the gradients of a batch with the parameters; gives the loss."""
        n_prompted = self._n_prompted(batch)
        if self._steps is not None and len(batch.pair) >= n_prompted > MANY // 2:
            return self._steps.take(ask(batch, n_prompted, _GROUPED * batch.n_pairs), rng)
        self.optimiser.zero_grad(set_to_none=self._steps is None)  # recorded steps write where gradients are
        loss = self._loss(ask(batch, n_prompted), rng)
        torch.autograd.backward(loss)
        return loss.detach()

    def _loss(self, question: Question, rng: torch.Generator) -> torch.Tensor:
        with torch.autocast(self.device.type, torch.bfloat16):
            features = self.model.encode(question.pixels)
            if self.stage.prompts:
                return rounds_loss(self.model, features, question, rng, self.stage.going_on)
            return cells_loss(features, question)

    def _n_prompted(self, batch: Batch) -> int:
        """Prompt for fewer objects in larger pictures, so that steps take about as long."""
        n_prompted = max(6, round(self.stage.n_prompted * (256 / batch.pixels.shape[-1]) ** 2))
        return n_prompted if n_prompted <= MANY // 2 else n_prompted // 8 * 8

    @torch.no_grad()
    def _share_gradients(self) -> None:
        """Average gradients over the processes of a ``torchrun``; the clock is the first process's."""
        if not distributed.is_initialized():
            return
        clock = torch.tensor([self.spent_s if distributed.get_rank() == 0 else 0.0], device=self.device)
        flat = torch.cat([*(_gradient(p).flatten() for p in self._parameters), clock])
        distributed.all_reduce(flat)
        self.spent_s = float(flat[-1])
        mean = flat[:-1] / distributed.get_world_size()
        start = 0
        for parameter in self._parameters:
            shared = mean[start : start + parameter.numel()].view_as(parameter)
            if parameter.grad is None:
                parameter.grad = shared
            else:
                parameter.grad.copy_(shared)  # in place: recorded steps write here
            start += parameter.numel()

    @torch.no_grad()
    def _update_average(self) -> None:
        keep = min(0.998, (1 + self.step) / (20 + self.step))
        state, average = self.model.state_dict(), self.average.state_dict()
        smooth = [name for name, value in average.items() if value.dtype.is_floating_point]
        torch._foreach_lerp_([average[name] for name in smooth], [state[name] for name in smooth], 1 - keep)
        for name in average.keys() - smooth:
            average[name].copy_(state[name])


def _groups(named: Sequence[tuple[str, nn.Parameter]], stage: Stage) -> list[dict[str, Any]]:
    """Part weights by their share of the learning rate and by whether they decay."""
    parts: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in named:
        decay = 0.02 if parameter.ndim > 1 else 0.0
        parts.setdefault((stage.share(name), decay), []).append(parameter)
    return [{"params": some, "share": share, "weight_decay": decay} for (share, decay), some in parts.items()]


def _gradient(parameter: nn.Parameter) -> torch.Tensor:
    """Give a parameter's gradient, zeros where the last rounds did not use it."""
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
