"""Train the network that looks at where objects may have ended, on made volumes.

``python -m benchmarks.fit_ending_eye --folder FOLDER [--seeds N] [--jobs N] [--steps N] [--write]``. Objects
of volumes of many kinds (`benchmarks._varied_volumes`) are followed from one box, at times from one point or
two boxes, up to `BEYOND` planes past their ends, whatever is found there. What the network would see of each
plane up to `WRONG` planes past an end is kept in the folder, a file for each volume, and read from there the
next time. `--write` puts the weights into the package. Other seeds are left for comparisons.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing import Pool
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from benchmarks._shown import show
from benchmarks._varied_volumes import VARIED_KINDS, make_varied
from napari_sam.core.ending import ending_numbers
from napari_sam.core.ending_view import EndView
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation import PropagationParts, PropagationPlan, follow, plan_propagation
from napari_sam.core.propagation_front import Choice, Front
from napari_sam.core.segmenter import MaskPrediction, Segmenter
from napari_sam.core.session import Session
from napari_sam.engine.ending_eyes import EyeCrops, crops_of, seen_of
from napari_sam.models.ending_eye import CELLS, EndingEye, EyeSees
from napari_sam.zoo.ending_eye import EYE_WEIGHTS
from volumes import Volume

FIRST_SEED = 300
OBJECTS_A_VOLUME = 5
BEYOND, WRONG = 6, 5
WAYS = ("box",) * 7 + ("point",) * 2 + ("two",)
"""How objects are shown, as often as here: "two" are the outer ones of three boxes."""

BATCH, RATE, DECAY = 128, 2e-3, 2e-2
SURE_TRUST, SURE_WEIGHT = 0.6, 0.3
"""Planes that are trusted as much are never asked about, and count less."""

SLOWEST = 0.998
"""What the moving average of the weights keeps at each step, at most."""

_PARTS = [3, 2, 1, 1, 1]
"""Channels of `EyeSees.pictures`: greys, masks, change, own greys, what moved."""

BoolVolume: TypeAlias = NDArray[np.bool_]
Rows: TypeAlias = dict[str, NDArray[Any]]
"""By name, one row for each mask: ``greys``, ``masks``, ``anchor_grey``, ``anchor_mask`` as in
`EyeCrops`, ``numbers``, ``trust``, and ``precision``: what part of the mask is the object."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Follow, train, print how well, and write the weights where asked to; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit_ending_eye", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where what is seen is kept")
    parser.add_argument("--seeds", type=int, default=24, help="volumes of each kind (%(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="processes, of one thread each (%(default)s)")
    parser.add_argument("--steps", type=int, default=2500, help="of training (%(default)s)")
    parser.add_argument("--write", action="store_true", help="put the weights into the package")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    volumes = [
        (kind, FIRST_SEED + seed, options.folder) for seed in range(options.seeds) for kind in VARIED_KINDS
    ]
    with Pool(options.jobs) as pool:
        files = [file for file in pool.imap(_record, volumes) if file is not None]
    rows = _joined([dict(np.load(file, allow_pickle=False)) for file in files])
    network = train(rows, options.steps)
    print(f"{len(rows['trust'])} planes of {len(files)} volumes; loss {_loss_of(network, rows):.3f}")
    if options.write:
        state = {name: value.half() for name, value in network.state_dict().items() if value.dim()}
        save_file(state, EYE_WEIGHTS)
    return 0


def _record(which: tuple[str, int, Path]) -> Path | None:
    """Follow objects of a volume, unless that was done; returns the file, None where nothing was found."""
    kind, seed, folder = which
    file = folder / f"{kind.replace(' ', '-')}-{seed}.npz"
    if file.is_file():
        return file
    made, rng = make_varied(kind, seed), np.random.default_rng([seed, VARIED_KINDS.index(kind), 7])
    rows = []
    for number in rng.permutation(len(made.objects))[:OBJECTS_A_VOLUME]:
        way = WAYS[rng.integers(len(WAYS))]
        rows += follow_past_ends(_segmenter(), made.volume, made.objects[number], way)
    if not rows:
        return None
    np.savez_compressed(file, **_joined(rows))  # type: ignore[arg-type]
    return file


@cache
def _segmenter() -> Segmenter:
    from napari_sam import load_segmenter

    torch.set_num_threads(1)
    return load_segmenter("default", device="cpu")


def follow_past_ends(segmenter: Segmenter, volume: Volume, truth: BoolVolume, way: str) -> list[Rows]:
    """Follow an object past its ends; a row for each mask on the way."""
    plan = _planned(segmenter, volume, truth, way)
    if plan is None:
        return []
    first, last = np.flatnonzero(truth.any(axis=(1, 2)))[[0, -1]].tolist()
    rows: list[Rows] = []

    def judge(
        plan: PropagationPlan, front: Front, answer: MaskPrediction, choice: Choice, mask: BoxedMask
    ) -> str:
        if mask.is_empty or choice.evidence is None:
            return "empty"
        at = answer.plane.index
        if max(first - at, at - last) <= WRONG:
            numbers = ending_numbers(front, choice.evidence, answer.presence, mask)
            nearest = min(plan.seeds, key=lambda index: abs(index - at))
            anchor = plan.seeds[nearest].mask, PlaneRef(0, nearest)
            view = EndView(volume, plan.window, answer.plane, front.step, mask, front.mask, *anchor, numbers)
            there = np.count_nonzero(mask.to_plane(answer.plane, truth.shape) & truth[at])
            rows.append(_row(crops_of(view), numbers, float(choice.trust), there / mask.area))
        return ""

    for _ in follow(plan, segmenter, parts=PropagationParts(judge=judge)):
        pass
    return rows


def _planned(segmenter: Segmenter, volume: Volume, truth: BoolVolume, way: str) -> PropagationPlan | None:
    """Ask with what is shown, and plan to follow it past the ends; None where nothing is found."""
    shown = show(volume, truth, "three" if way == "two" else way)
    indices = sorted(shown.prompts)
    session = Session(volume)
    for index in (indices[0], indices[-1]) if way == "two" else indices:
        for prompt in shown.prompts[index]:
            request = session.prompt(PlaneRef(0, index), prompt, object_id=1)
        session.apply(segmenter.segment(request), request)
        if session.mask_on(PlaneRef(0, index), 1) is None:
            return None
    first, last = shown.ends
    reach = max(0, first - BEYOND), min(len(truth), last + 1 + BEYOND)
    return plan_propagation(session, 1, axis=0, planes=reach)


def _row(crops: EyeCrops, numbers: NDArray[np.floating], trust: float, precision: float) -> Rows:
    row = {
        "greys": crops.greys, "masks": crops.masks,
        "anchor_grey": crops.anchor_grey, "anchor_mask": crops.anchor_mask,
        "numbers": numbers, "trust": trust, "precision": precision,
    }  # fmt: skip
    return {name: np.asarray(value)[None] for name, value in row.items()}


def _joined(rows: Sequence[Mapping[str, NDArray[Any]]]) -> Rows:
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _seen(rows: Rows, chosen: NDArray[np.integer]) -> EyeSees:
    """Draw what the network sees of some rows."""
    names = ("greys", "masks", "anchor_grey", "anchor_mask")
    drawn = [EyeCrops(*(rows[name][row] for name in names)).channels() for row in chosen]
    pictures, anchor = (torch.from_numpy(np.stack(some)) for some in zip(*drawn, strict=True))
    return EyeSees(pictures, anchor, torch.from_numpy(seen_of(rows["numbers"][chosen])))


def train(rows: Rows, n_steps: int) -> EndingEye:
    """Train a network; the moving average of its weights, in evaluation mode."""
    torch.manual_seed(0)
    rng, network = np.random.default_rng(0), EndingEye()
    average = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=n_steps, pct_start=0.02)
    wanted = torch.from_numpy(rows["precision"]).float()
    weights = torch.from_numpy(np.where(rows["trust"] < SURE_TRUST, 1.0, SURE_WEIGHT)).float()
    for step in range(n_steps):
        chosen = rng.integers(0, len(wanted), BATCH)
        found = network(_disturbed(_turned(_seen(rows, chosen), rng)))
        losses = F.binary_cross_entropy_with_logits(found, wanted[chosen], reduction="none")
        optimizer.zero_grad()
        torch.autograd.backward((losses * weights[chosen]).mean())
        optimizer.step()
        schedule.step()
        kept = min(SLOWEST, (2 + step) / (21 + step))
        for name, value in network.state_dict().items():
            average[name] = kept * average[name] + (1 - kept) * value if value.dim() else value
    network.load_state_dict(average)
    return network.eval().requires_grad_(False)


def _turned(seen: EyeSees, rng: np.random.Generator) -> EyeSees:
    """Turn and mirror pictures, and show some of them as negatives."""
    pictures, anchor = seen.pictures, seen.anchor
    for axis in (2, 3):
        if rng.random() < 0.5:
            pictures, anchor = pictures.flip(axis), anchor.flip(axis)
    if rng.random() < 0.5:
        pictures, anchor = pictures.mT, anchor.mT
    sign = torch.from_numpy(np.where(rng.random(len(pictures)) < 0.4, -1.0, 1.0)).float()[:, None, None, None]
    greys, masks, changes, own, moved = torch.split(pictures, _PARTS, dim=1)
    pictures = torch.cat([sign * greys, masks, sign * changes, sign * own, moved], dim=1)
    return EyeSees(pictures, torch.cat([sign * anchor[:, :1], anchor[:, 1:]], dim=1), seen.numbers)


def _disturbed(seen: EyeSees) -> EyeSees:
    """Let planes differ in light, noise and sharpness, as no made ones do, and numbers be a little off."""
    n = len(seen.numbers)
    greys, masks, _, own, moved = torch.split(seen.pictures, _PARTS, dim=1)
    light = 0.3 * torch.randn(n, 3, 1, 1) * (torch.rand(n, 1, 1, 1) < 0.7)
    noise = 0.5 * torch.rand(n, 1, 1, 1) * torch.randn(n, 3, CELLS, CELLS)
    greys = greys * (1 + 0.12 * torch.randn(n, 3, 1, 1)) + light + noise
    is_soft = torch.rand(n, 1, 1, 1) < 0.3
    greys = torch.where(is_soft, F.avg_pool2d(greys, 3, 1, 1), greys)
    pictures = torch.cat([greys, masks, greys[:, :1] - greys[:, 1:2], own, moved], dim=1)
    look = seen.anchor[:, :1] * (1 + 0.12 * torch.randn(n, 1, 1, 1)) + 0.3 * torch.randn(n, 1, 1, 1)
    numbers = seen.numbers + 0.15 * torch.randn(seen.numbers.shape)
    return EyeSees(pictures, torch.cat([look, seen.anchor[:, 1:]], dim=1), numbers)


def _loss_of(network: EndingEye, rows: Rows) -> float:
    """Return the cross entropy of doubtful planes, of those it was trained on."""
    chosen = np.flatnonzero(rows["trust"] < SURE_TRUST)[::8]
    with torch.inference_mode():
        found: Tensor = network(_seen(rows, chosen))
    return float(
        F.binary_cross_entropy_with_logits(found, torch.from_numpy(rows["precision"][chosen]).float())
    )


if __name__ == "__main__":
    sys.exit(main())
