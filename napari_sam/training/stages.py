"""A stage of the default model's training, and the batches that it sees."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.utils.data import IterableDataset, get_worker_info

from napari_sam.training.batches import Batch, collate
from napari_sam.training.packing import PackedBatch, pack
from napari_sam.training.real_images import LabelledFrames
from napari_sam.training.rounds import GOING_ON
from napari_sam.training.samples import PairSampler, SampleSettings


@dataclass(frozen=True)
class Stage:
    """One stage of training.

    Attributes
    ----------
    sides : tuple of int
        Sides of the input in pixels; each batch takes one of them.
    minutes : float
        How long it lasts; the learning rate follows the clock.
    rate : float
        Highest learning rate.
    n_pairs : int
        Pairs in a batch at 256 pixels; more at smaller sides, fewer at larger ones.
    n_objects : int
        Largest number of objects of a pair.
    n_prompted : int
        Largest number of objects of a batch that are prompted for.
    seed : int
        Seeds data and prompts.
    going_on : float
        Part of the objects that is corrected once more after each round.
    shares : tuple of (str, float)
        How much of the learning rate parts of the network take, by how the names of their weights begin;
        the first that fits counts, and what none fits takes all of it. At a share of 0 weights stay as they
        are; the running means of normalisations go on.
    prompts : bool
        Whether prompts teach anything: without them the encoder's cells do alone.
    """

    sides: tuple[int, ...] = (192, 256, 384)
    minutes: float = 40.0
    rate: float = 8e-4
    n_pairs: int = 4
    n_objects: int = 10
    n_prompted: int = 12
    seed: int = 0
    going_on: float = GOING_ON
    shares: tuple[tuple[str, float], ...] = ()
    prompts: bool = True

    def share(self, name: str) -> float:
        """Say how much of the learning rate the weights called `name` take."""
        return next((share for begin, share in self.shares if name.startswith(begin)), 1.0)


class BatchStream(IterableDataset[PackedBatch]):
    """An endless stream of batches; at one step all processes get the same side.

    Parameters
    ----------
    stage : Stage
        Sides, pairs, objects, seed.
    real : sequence of LabelledFrames
        Real pictures to train on.
    first_step : int
        Where training stands.
    rank : int
        Number of the process.
    """

    def __init__(self, stage: Stage, real: Sequence[LabelledFrames], first_step: int, rank: int) -> None:
        self.stage, self.first_step, self.rank = stage, first_step, rank
        self.samplers = [PairSampler(SampleSettings(side, stage.n_objects), real) for side in stage.sides]

    def __iter__(self) -> Iterator[PackedBatch]:
        info = get_worker_info()
        number, n_workers = (info.id, info.num_workers) if info else (0, 1)
        seed = self.stage.seed * 1009 + self.first_step
        rng = torch.Generator().manual_seed(seed * 7919 + 31 * self.rank + number)
        for step in itertools.count(self.first_step + number, n_workers):
            turn = torch.Generator().manual_seed(self.stage.seed * 1009 + step)
            which = int(torch.randint(len(self.samplers), (), generator=turn))
            side = self.stage.sides[which]
            n_pairs = max(2, round(self.stage.n_pairs * (256 / side) ** 2))
            yield pack([self.samplers[which].draw(rng) for _ in range(n_pairs)])


def validation_sets(
    settings: SampleSettings, items: Sequence[LabelledFrames], device: torch.device
) -> dict[str, list[Batch]]:
    """Draw fixed batches of generated and of held-out real pictures."""
    rng = torch.Generator().manual_seed(20)
    generated = PairSampler(settings, [])
    sets = {"generated": [collate([generated.draw(rng) for _ in range(8)]).to(device) for _ in range(4)]}
    if items:
        whole = PairSampler(SampleSettings(settings.side, settings.n_objects, real_share=1.0), items)
        sets["real"] = [collate([whole.draw(rng) for _ in range(8)]).to(device) for _ in range(4)]
    return sets
