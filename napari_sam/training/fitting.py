"""Fitting a model to plane pairs: what is trained, one step after the other, and how well it does.

Whatever chance decides in a step comes from the seed and the step's number. So a run that was cut off and
taken up again ends with the same weights as one that was not, and its state holds no random generator's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from napari_sam.errors import SettingsError
from napari_sam.models.sam import Sam
from napari_sam.training.adapters import adapt, adapter_names, merged_state
from napari_sam.training.batches import Batch, ask, collate
from napari_sam.training.fit_settings import FitSettings
from napari_sam.training.measuring import measure
from napari_sam.training.rounds import training_loss
from napari_sam.training.samples import PlanePair
from napari_sam.training.seeds import mixed_seed, seeded

__all__ = ["Fitter", "judged"]

_JUDGED = ("box", "point", "point_3", "carried")
_KEEP = 0.998
_ADAPT, _STEP, _CHECK = 1, 2, 3
"""What a seed is for."""


class Fitter:
    """A model that is being fitted, with its optimiser and the moving average of its weights.

    Parameters
    ----------
    model : Sam
        Changed in place.
    settings : FitSettings
        How.
    held_out : sequence of Batch
        What it is checked on; may be empty.
    device : torch.device
        Where.
    """

    def __init__(
        self, model: Sam, settings: FitSettings, held_out: Sequence[Batch], device: torch.device
    ) -> None:
        self.settings, self.device = settings, device
        self.is_bf16 = settings.precision == "bf16" or (
            settings.precision == "auto" and computes_bf16(device)
        )
        self.model = model
        self._freeze()
        model.to(device)
        self._held_out = [batch.to(device) for batch in held_out]
        self._trained = [p for p in model.parameters() if p.requires_grad]
        if not self._trained:
            raise SettingsError(f"the model has nothing that --tune {settings.tune} trains; try --tune all")
        decayed = [p for p in self._trained if p.ndim > 1 and settings.tune != "adapters"]
        others = [p for p in self._trained if p.ndim <= 1 or settings.tune == "adapters"]
        groups = [{"params": decayed, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}]
        groups = [group for group in groups if group["params"]]
        self._optimiser = torch.optim.AdamW(groups, lr=settings.highest_rate, betas=(0.9, 0.98))
        self._average = {name: value.clone() for name, value in self._own_state().items()}
        self.step = 0

    def take_step(self, pairs: Sequence[PlanePair]) -> float:
        """Take one step with ``n_pairs * accumulate`` pairs; gives the loss.

        Raises
        ------
        SettingsError
            The loss is not finite any more; weights are as before the step.
        """
        settings = self.settings
        for group in self._optimiser.param_groups:
            group["lr"] = settings.rate_at(self.step)
        self._set_modes()
        self._optimiser.zero_grad(set_to_none=True)
        total = 0.0
        with self._chance(_STEP, self.step), torch.enable_grad():
            rng = torch.Generator().manual_seed(mixed_seed(settings.seed, _STEP, self.step))
            for start in range(0, len(pairs), settings.n_pairs):
                batch = collate(pairs[start : start + settings.n_pairs]).to(self.device)
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.is_bf16):
                    loss = training_loss(self.model, ask(batch), rng) / settings.accumulate
                torch.autograd.backward(loss)
                total += float(loss.detach())
        norm = float(nn.utils.clip_grad_norm_(self._trained, 1.0))
        if not (math.isfinite(total) and math.isfinite(norm)):
            raise SettingsError(
                f"the loss is {total:g} at step {self.step + 1}, with gradients of {norm:g}; lower --rate "
                f"(it was {settings.highest_rate:g}), or use --precision float32"
            )
        self._optimiser.step()
        self.step += 1
        self._update_average()
        return total

    @property
    def has_checks(self) -> bool:
        """Whether anything is held out."""
        return bool(self._held_out)

    def check(self) -> dict[str, float]:
        """Measure the averaged weights on the held-out pairs, as `rounds.measure` does; empty without any."""
        if not self._held_out:
            return {}
        self.model.eval()
        with (
            self.averaged(),
            self._chance(_CHECK, 0),
            torch.autocast(self.device.type, torch.bfloat16, enabled=self.is_bf16),
        ):
            return measure(self.model, self._held_out, self.settings.seed % 2**31)

    def plain_average(self) -> dict[str, Tensor]:
        """Give the averaged weights under the model's own names, adapters merged; on the CPU."""
        with self.averaged():
            return {name: value.clone() for name, value in merged_state(self.model).items()}

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Put the averaged weights into the model for a while."""
        own = self._own_state()
        current = {name: value.clone() for name, value in own.items()}
        try:
            _copy_into(own, self._average)
            yield
        finally:
            _copy_into(own, current)

    def state(self) -> dict[str, Any]:
        """Give all that is needed to go on: tensors and numbers, of the trained parts alone."""
        return {
            "model": self._own_state(),
            "average": self._average,
            "optimiser": self._optimiser.state_dict(),
            "step": self.step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave.

        Raises
        ------
        SettingsError
            It is of another model or of another way of training.
        """
        own = self._own_state()
        if any(own.keys() != state[part].keys() for part in ("model", "average")):
            raise SettingsError(
                "the saved state is of another model; name the --model that it was begun with"
            )
        _copy_into(own, state["model"])
        _copy_into(self._average, state["average"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.step = int(state["step"])

    def _freeze(self) -> None:
        tune = self.settings.tune
        self.model.requires_grad_(True)
        if tune == "decoder":
            self.model.image_encoder.requires_grad_(False)
        elif tune == "adapters":
            with self._chance(_ADAPT, 0):
                adapt(self.model, self.settings.rank, self.settings.alpha)
        own = adapter_names(self.model)
        self._names = [
            name
            for name in self.model.state_dict()
            if (name in own if tune == "adapters" else tune == "all" or not name.startswith("image_encoder."))
        ]

    def _own_state(self) -> dict[str, Tensor]:
        """Give the trained part of the model's state: the tensors themselves."""
        state = self.model.state_dict()
        return {name: state[name] for name in self._names}

    def _set_modes(self) -> None:
        """Training mode; statistics of batch normalisation stay unless the model is new."""
        self.model.train()
        if self.settings.tune != "all":
            self.model.image_encoder.eval()
        if not self.settings.from_scratch:
            for layer in self.model.modules():
                if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                    layer.eval()

    def _chance(self, purpose: int, number: int) -> AbstractContextManager[None]:
        return seeded(mixed_seed(self.settings.seed, purpose, number), self.device)

    @torch.no_grad()
    def _update_average(self) -> None:
        keep = min(_KEEP, (1 + self.step) / (20 + self.step))
        for name, value in self._own_state().items():
            if value.dtype.is_floating_point:
                self._average[name].lerp_(value, 1 - keep)
            else:
                self._average[name].copy_(value)


def judged(figures: dict[str, float]) -> float:
    """Give the one number that checks are compared by: the mean IoU over the kinds of prompts."""
    found = [figures[name] for name in _JUDGED if math.isfinite(figures.get(name, math.nan))]
    return sum(found) / len(found) if found else 0.0


def computes_bf16(device: torch.device) -> bool:
    """Say whether a device multiplies in bf16 by itself."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    known: Callable[[], dict[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)
    return any(known().get(name) for name in ("avx512_bf16", "amx_bf16", "bf16", "arm_bf16"))


@torch.no_grad()
def _copy_into(own: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    for name, value in own.items():
        value.copy_(other[name])
