"""A seed for each thing that is drawn, so that it does not depend on what was drawn before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["mixed_seed", "seeded"]


def mixed_seed(seed: int, *numbers: int) -> int:
    """Mix a seed with further numbers, none below 0, into a seed of 63 bits."""
    state = np.random.SeedSequence([seed, *numbers]).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed torch's own generators for what is done inside, and leave them as they were."""
    devices = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
