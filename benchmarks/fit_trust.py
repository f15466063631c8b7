"""Fit the weights of `napari_sam.core.trust` on made volumes and on film with masks.

``python -m benchmarks.fit_trust [--film DIR] [--seeds N]``. Each object is followed from one box on its
middle plane, up to `BEYOND` planes past its ends, whatever is found there; film is followed as film. Each
candidate of each plane is a row to choose by, and the one that is taken, its outline sharpened, a row to
judge by: what speaks for it, and its true IoU. To either kind a logistic function is fitted. Candidates are
chosen with the present weights. Other seeds are left for comparisons, and the folder of film must not be one
that results are reported on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks._made_volumes import KINDS, make_volume
from benchmarks._past_ends import plan_past_ends
from napari_sam.core.labelled_folder import list_labelled
from napari_sam.core.masks import BoxedMask, iou
from napari_sam.core.propagation import PropagationParts, follow
from napari_sam.core.propagation_choices import choose_by_trust, evidence_of
from napari_sam.core.propagation_film import for_film
from napari_sam.core.propagation_front import Choice, Front
from napari_sam.core.propagation_plan import PropagationPlan
from napari_sam.core.segmenter import MaskPrediction, Segmenter
from napari_sam.nodes.tasks import read_volume
from volumes import Volume

BEYOND = 15
FIRST_SEED = 100
OBJECTS_A_VOLUME = 2
FILM_WEIGHT = 4.0
RIDGE = 1.0

Rows = list[tuple[tuple[float, ...], float]]


@dataclass(frozen=True)
class Noted:
    """Rows of candidates, and of masks as they were kept."""

    choosing: Rows = field(default_factory=list)
    judging: Rows = field(default_factory=list)

    def __add__(self, other: Noted) -> Noted:
        return Noted(self.choosing + other.choosing, self.judging + other.judging)


def main(arguments: Sequence[str] | None = None) -> int:
    """Collect the rows, fit, print the weights and the bias; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit_trust", description=__doc__)
    parser.add_argument("--film", type=Path, help="a labelled folder")
    parser.add_argument("--seeds", type=int, default=5, help="volumes of each kind")
    options = parser.parse_args(arguments)
    from napari_sam import load_segmenter

    segmenter = load_segmenter("default", device="cpu")
    made, film = Noted(), Noted()
    for kind, volume, truth in made_objects(range(FIRST_SEED, FIRST_SEED + options.seeds)):
        made += rows_of(segmenter, volume, truth, kind == "film")
    for volume, truth in film_objects(options.film) if options.film else ():
        film += rows_of(segmenter, volume, truth, True)
    _tell("candidates", made.choosing, film.choosing)
    _tell("kept masks", made.judging, film.judging)
    return 0


def made_objects(seeds: Sequence[int]) -> Iterator[tuple[str, Volume, NDArray[np.bool_]]]:
    """Yield some objects of made volumes of all kinds, each with its kind, the largest first."""
    for kind in sorted(KINDS):
        for seed in seeds:
            made = make_volume(kind, seed)
            for truth in sorted(made.objects, key=lambda one: -int(one.sum()))[:OBJECTS_A_VOLUME]:
                yield kind, made.volume, truth


def film_objects(root: Path) -> Iterator[tuple[Volume, NDArray[np.bool_]]]:
    """Yield all objects of the volumes in a labelled folder that have more than one plane."""
    for item in list_labelled(root):
        volume, labels = read_volume(item)
        for value in np.unique(labels)[1:] if volume.shape[0] > 1 else ():
            yield volume, np.asarray(labels == value)


def rows_of(segmenter: Segmenter, volume: Volume, truth: NDArray[np.bool_], as_film: bool) -> Noted:
    """Follow an object past its ends and note of each candidate what speaks for it, and its IoU."""
    plan = plan_past_ends(segmenter, volume, truth, BEYOND)
    if plan is None:
        return Noted()
    noting = _Noting(truth)
    parts = PropagationParts(choose=noting.choose, judge=noting.judge)
    if as_film:
        plan, parts = for_film(plan, parts)
    for _ in follow(plan, segmenter, parts=parts):
        pass
    return noting.noted


class _Noting:
    """Chooses as ever and goes on as long as there is something, and notes rows."""

    def __init__(self, truth: NDArray[np.bool_]) -> None:
        self.noted = Noted()
        self._truth = truth
        self._kept: list[BoxedMask] = []

    def choose(
        self, plan: PropagationPlan, front: Front, answer: MaskPrediction, kept: Sequence[BoxedMask]
    ) -> Choice:
        self._kept = list(kept)
        if answer.plane.index not in plan.seeds:  # an anchor is asked about to learn from it, not to fill it
            self._note(self.noted.choosing, plan, front, answer, range(len(kept)))
        return choose_by_trust(plan, front, answer, kept)

    def judge(
        self, plan: PropagationPlan, front: Front, answer: MaskPrediction, choice: Choice, mask: BoxedMask
    ) -> str:
        self._kept[choice.candidate] = mask
        self._note(self.noted.judging, plan, front, answer, [choice.candidate])
        return "empty" * mask.is_empty

    def _note(
        self, rows: Rows, plan: PropagationPlan, front: Front, answer: MaskPrediction, which: Sequence[int]
    ) -> None:
        found = evidence_of(plan, front, answer, self._kept)
        there = BoxedMask.of_plane(self._truth[answer.plane.index], answer.plane, self._truth.shape)
        rows.extend((found[k].numbers, iou(self._kept[k], there)) for k in which)


def _tell(name: str, made: Rows, film: Rows) -> None:
    rows, shares = made + film, np.array([1.0] * len(made) + [FILM_WEIGHT] * len(film))
    weights, bias = fit(np.array([row[0] for row in rows]), np.array([row[1] for row in rows]), shares)
    print(f"{name}: {len(made)} rows of made volumes, {len(film)} of film")
    print(f"weights {tuple(np.round(weights, 2).tolist())}, bias {bias:.2f}")


def fit(
    numbers: NDArray[np.float64], wanted: NDArray[np.float64], shares: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Fit a logistic function by Newton's method.

    Parameters
    ----------
    numbers : NDArray[float64], shape (N, F)
        What speaks for each candidate.
    wanted : NDArray[float64], shape (N,)
        Its true IoU, 0 to 1.
    shares : NDArray[float64], shape (N,)
        How much it counts.

    Returns
    -------
    tuple
        Weights ``(F,)`` and bias, for the numbers as they are.
    """
    mean, spread = numbers.mean(axis=0), numbers.std(axis=0) + 1e-9
    scaled = np.column_stack([(numbers - mean) / spread, np.ones(len(numbers))])
    weights = np.zeros(scaled.shape[1])
    for _ in range(50):
        found = 1 / (1 + np.exp(-scaled @ weights))
        slope = scaled.T @ (shares * (found - wanted)) + RIDGE * np.append(weights[:-1], 0.0)
        bend = (scaled.T * (shares * found * (1 - found))) @ scaled + RIDGE * np.eye(len(weights))
        weights -= np.linalg.solve(bend, slope)
    unscaled = weights[:-1] / spread
    return unscaled, float(weights[-1] - unscaled @ mean)


if __name__ == "__main__":
    sys.exit(main())
