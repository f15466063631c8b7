"""How a model is fitted: the numbers, and what they may be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from napari_sam.errors import SettingsError

__all__ = ["DEFAULT_RATES", "SCRATCH_RATE", "FitSettings", "Precision", "Tune"]

Tune = Literal["all", "decoder", "adapters"]
Precision = Literal["auto", "bf16", "float32"]

DEFAULT_RATES: dict[Tune, float] = {"all": 1e-4, "decoder": 1e-4, "adapters": 3e-4}
"""Highest learning rates where none is asked for; from scratch it is `SCRATCH_RATE`."""

SCRATCH_RATE = 8e-4

_LOWEST_RATE = 0.02


@dataclass(frozen=True)
class FitSettings:
    """How a model is fitted.

    Attributes
    ----------
    tune : str
        ``"all"``; ``"decoder"``: all but the image encoder; ``"adapters"``: low-rank adapters alone.
    steps : int
        Steps of the optimiser; the learning rate rises over the first and falls to the last as a cosine.
    rate : float, optional
        Highest learning rate; None takes that of `DEFAULT_RATES`.
    n_pairs : int
        Plane pairs that go through the model at once.
    accumulate : int
        Such batches whose gradients make one step.
    seed : int
        Of data, prompts and fresh numbers.
    rank, alpha : int and float
        Of the adapters.
    from_scratch : bool
        Whether the model's numbers are fresh; only then batch statistics are learned, too.
    check_every : int
        Steps between two checks on the held-out pairs.
    patience : int
        Checks without a gain after which training ends early; 0 never does.
    precision : str
        ``"bf16"``, ``"float32"``; ``"auto"``: bf16 where the device computes in it.
    """

    tune: Tune = "all"
    steps: int = 1000
    rate: float | None = None
    n_pairs: int = 2
    accumulate: int = 1
    seed: int = 0
    rank: int = 8
    alpha: float = 16.0
    from_scratch: bool = False
    check_every: int = 100
    patience: int = 5
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        for name, known in (("tune", get_args(Tune)), ("precision", get_args(Precision))):
            if getattr(self, name) not in known:
                raise SettingsError(f"--{name} {getattr(self, name)!r} is unknown; give {', '.join(known)}")
        for name in ("steps", "n_pairs", "accumulate", "rank", "check_every"):
            if getattr(self, name) < 1:
                option = _OPTIONS.get(name, name)
                raise SettingsError(f"--{option} must be at least 1, not {getattr(self, name)}; raise it")
        for name in ("seed", "patience"):
            if getattr(self, name) < 0:
                raise SettingsError(f"--{name} must not be below 0, not {getattr(self, name)}; raise it")
        for name in ("rate", "alpha"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise SettingsError(f"--{name} must be a number above 0, not {value:g}; try 1e-4")
        if self.from_scratch and self.tune != "all":
            raise SettingsError(f"--from-scratch trains everything, not --tune {self.tune}; leave one out")

    @property
    def highest_rate(self) -> float:
        """The learning rate after the warm-up."""
        return self.rate or (SCRATCH_RATE if self.from_scratch else DEFAULT_RATES[self.tune])

    def rate_at(self, step: int) -> float:
        """Give the learning rate of a step, from 0."""
        n_warm_up = max(1, min(200, self.steps // 10))
        done = min(step / self.steps, 1.0)
        falling = _LOWEST_RATE + (1 - _LOWEST_RATE) * math.cos(math.pi / 2 * done) ** 2
        return self.highest_rate * min(1.0, (step + 1) / n_warm_up) * falling


_OPTIONS = {"n_pairs": "pairs", "check_every": "check-every"}
