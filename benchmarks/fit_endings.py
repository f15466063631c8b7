"""Fit the networks of `napari_sam.core.ending` on made volumes whose planes show slabs.

``python -m benchmarks.fit_endings [--seeds N] [--jobs N] [--write]``. Each object is followed from one box
on its middle plane, up to `BEYOND` planes past its ends, whatever is found there. Each plane up to `WRONG`
planes past an end is a row: the numbers that tell, and what part of the mask is the object. `--write` puts
what is fitted into ``napari_sam/core/ending_weights.py``. Other seeds are left for comparisons.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks._past_ends import plan_past_ends
from benchmarks._slab_volumes import SLAB_KINDS, make_slabs
from napari_sam.core import ending_weights
from napari_sam.core.ending import MOST_SPREADS, ending_numbers
from napari_sam.core.masks import BoxedMask
from napari_sam.core.propagation import PropagationParts, follow
from napari_sam.core.propagation_front import Choice, Front
from napari_sam.core.propagation_plan import PropagationPlan
from napari_sam.core.segmenter import MaskPrediction, Segmenter
from volumes import Volume

FIRST_SEED = 100
OBJECTS_A_VOLUME = 3
BEYOND = 12
WRONG = 5
N_NETWORKS, N_HIDDEN = 4, 12
STEPS, RATE, DECAY = 3000, 0.01, 0.01
DIGITS = 3

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Followed:
    """One plane of an object that is followed whatever is found.

    Attributes
    ----------
    numbers : NDArray[float64], shape (13,)
        What tells whether the object still is there.
    precision : float
        What part of the mask is the object.
    n_past : int
        How many planes past the object's end; 0 on its own planes.
    """

    numbers: Floats
    precision: float
    n_past: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Follow, fit, print how well, and write the numbers where asked to; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit_endings", description=__doc__)
    parser.add_argument("--seeds", type=int, default=34, help="volumes of each kind (%(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="processes, of one thread each (%(default)s)")
    parser.add_argument("--write", action="store_true", help="put the numbers into the package")
    options = parser.parse_args(arguments)
    volumes = [(kind, FIRST_SEED + seed) for seed in range(options.seeds) for kind in SLAB_KINDS]
    with Pool(options.jobs) as pool:
        rows = [row for some in pool.imap(_rows_of_volume, volumes) for row in some]
    numbers = np.array([row.numbers for row in rows])
    precision = np.array([row.precision for row in rows])
    fitted = fit(numbers, precision)
    print(f"{len(rows)} planes of {len(volumes)} volumes; the object is {precision.mean():.3f} of the masks")
    text = _as_module(fitted)
    if options.write:
        Path(ending_weights.__file__).write_text(text)
    else:
        print(text)
    return 0


def _rows_of_volume(which: tuple[str, int]) -> list[Followed]:
    made, segmenter = make_slabs(*which), _segmenter()
    largest = sorted(made.objects, key=lambda one: -int(one.sum()))[:OBJECTS_A_VOLUME]
    rows = [row for truth in largest for row in follow_past_ends(segmenter, made.volume, truth)]
    return [row for row in rows if row.n_past <= WRONG]


@cache
def _segmenter() -> Segmenter:
    from napari_sam import load_segmenter

    torch.set_num_threads(1)
    return load_segmenter("default", device="cpu")


def follow_past_ends(segmenter: Segmenter, volume: Volume, truth: NDArray[np.bool_]) -> list[Followed]:
    """Follow an object from a box on its middle plane, past its ends."""
    plan = plan_past_ends(segmenter, volume, truth, BEYOND)
    if plan is None:
        return []
    first, last = np.flatnonzero(truth.any(axis=(1, 2)))[[0, -1]].tolist()
    rows: list[Followed] = []

    def judge(
        plan: PropagationPlan, front: Front, answer: MaskPrediction, choice: Choice, mask: BoxedMask
    ) -> str:
        if mask.is_empty or choice.evidence is None:
            return "empty"
        at = answer.plane.index
        numbers = ending_numbers(front, choice.evidence, answer.presence, mask)
        there = np.count_nonzero(mask.to_plane(answer.plane, truth.shape) & truth[at])
        rows.append(Followed(numbers, float(there / mask.area), max(first - at, at - last, 0)))
        return ""

    for _ in follow(plan, segmenter, parts=PropagationParts(judge=judge)):
        pass
    return rows


Fitted = dict[str, Floats]
"""What the package keeps, by name: ``MEANS`` and ``SPREADS`` of the numbers ``(F,)``, the hidden layers of
all networks together, ``HIDDEN (H, F + 1)``, and what their mean makes of them, ``OUT (H + 1,)``."""


def fit(numbers: Floats, precision: Floats) -> Fitted:
    """Fit the networks to rows ``(N, F)`` and the part of each mask that is the object ``(N,)``."""
    means, spreads = numbers.mean(axis=0), numbers.std(axis=0) + 1e-9
    scaled = torch.from_numpy(np.clip((numbers - means) / spreads, -MOST_SPREADS, MOST_SPREADS))
    layers = [_fit_one(scaled, torch.from_numpy(precision), seed) for seed in range(N_NETWORKS)]
    hidden = np.concatenate([first for first, _ in layers])
    out = np.concatenate([last[:-1] for _, last in layers] + [[sum(last[-1] for _, last in layers)]])
    found = {"MEANS": means, "SPREADS": spreads, "HIDDEN": hidden, "OUT": out / N_NETWORKS}
    return {name: _rounded(some) for name, some in found.items()}


def _fit_one(scaled: Tensor, wanted: Tensor, seed: int) -> tuple[Floats, Floats]:
    """Fit one network; returns its hidden layer ``(H, F + 1)`` and its last one ``(H + 1,)``."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        hidden, out = nn.Linear(scaled.shape[1], N_HIDDEN), nn.Linear(N_HIDDEN, 1)
    network = nn.Sequential(hidden, nn.Tanh(), out).double()
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(network(scaled)[:, 0], wanted).backward()
        optimizer.step()
        schedule.step()
    first, last = (
        torch.cat([layer.weight, layer.bias[:, None]], dim=1).detach().numpy() for layer in (hidden, out)
    )
    return first, last[0]


def _rounded(numbers: Floats) -> Floats:
    """Give numbers as they are written."""
    return np.array([float(f"{one:.{DIGITS}g}") for one in numbers.ravel()]).reshape(numbers.shape)


def _as_module(fitted: Fitted) -> str:
    """Write the numbers as Python."""
    parts = []
    for name, numbers in fitted.items():
        rows = [", ".join(f"{one:.{DIGITS}g}" for one in row) for row in np.atleast_2d(numbers)]
        text = textwrap.fill(rows[0], 100, initial_indent="    ", subsequent_indent="    ")
        if numbers.ndim == 2:
            wrapped = (textwrap.fill(row, 100, subsequent_indent="     ") for row in rows)
            text = "\n".join(f"    [{row}]," for row in wrapped)
        parts.append(f"{name} = np.array([\n{text}\n])\n")
    return (
        '"""The numbers of `napari_sam.core.ending`, written by ``python -m benchmarks.fit_endings``."""\n\n'
        "from __future__ import annotations\n\nimport numpy as np\n\n"
        f'__all__ = ["HIDDEN", "MEANS", "OUT", "SPREADS"]\n\n# fmt: off\n{"".join(parts)}# fmt: on\n'
    )


if __name__ == "__main__":
    sys.exit(main())
