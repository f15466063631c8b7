"""Objects followed together beside each of them alone, on made volumes: what neighbours give and take.

``python -m benchmarks.together``. Every object of a made volume gets a box on its middle plane. All of them
are followed together, and each from the same anchor alone. Dice is of the whole object; "worse" is the mean
of what objects lose by their neighbours.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks._made_volumes import KINDS, MadeVolume, make_volume
from benchmarks._propagation_cases import Case
from benchmarks._propagation_run import Model
from benchmarks._worn_truth import WEAR
from napari_sam.core.masks import BoxedMask, tight_box
from napari_sam.core.plane_prediction import PlanePrediction
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt
from napari_sam.core.propagation import follow, plan_propagation
from napari_sam.core.propagation_together import follow_together
from napari_sam.core.segmenter import Segmenter
from napari_sam.core.session import Session
from napari_sam.nodes.object_prompts import group_prompts
from napari_sam.nodes.shared_planes import answer_shared_planes


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print a row a kind; always 0."""
    options = _parser().parse_args(arguments)
    ask = Model(options.model).ask()
    first, last = options.seeds
    print(f"{options.model}, made volumes of seeds {first} to {last}, one box on each object's middle plane")
    print(f"{'kind':12}{'objects':>8}{'alone':>8}{'together':>10}{'worse':>8}{'worst':>8}{'by > 0.02':>11}")
    for kind in options.kinds:
        rows = [
            row
            for made in (make_volume(kind, seed) for seed in range(first, last + 1))
            for row in measure(made, ask(_case(made)))
        ]
        alone, together = np.array(rows).T
        lost = np.maximum(alone - together, 0)
        print(
            f"{kind:12}{len(rows):8}{alone.mean():8.3f}{together.mean():10.3f}{lost.mean():8.4f}{lost.max():8.2f}"
            f"{np.count_nonzero(lost > 0.02):11}"
        )
    return 0


def measure(made: MadeVolume, segmenter: Segmenter) -> list[tuple[float, float]]:
    """Return each object's Dice alone and together."""
    session = prompted(made, segmenter)
    plans = [plan_propagation(session, object_id) for object_id in sorted(session.objects)]
    found: dict[int, list[PlanePrediction]] = {plan.object_id: [] for plan in plans}
    for object_id, told in follow_together(plans, segmenter):
        found[object_id].append(told)
    return [
        (_dice(_masks(follow(plan, segmenter)), truth), _dice(_masks(found[plan.object_id]), truth))
        for plan in plans
        for truth in [made.objects[plan.object_id - 1]]
    ]


def prompted(made: MadeVolume, segmenter: Segmenter) -> Session:
    """Give every object a box on its middle plane, those of one plane at once; those without a mask go."""
    session, objects = Session(made.volume), []
    for number, truth in enumerate(made.objects):
        planes = np.flatnonzero(truth.any(axis=(1, 2)))
        plane = PlaneRef(0, int(planes[len(planes) // 2]))
        box = tight_box(truth[plane.index])
        if box is not None:
            objects.append(group_prompts(number + 1, "", [BoxPrompt(plane.box_of(box))]))
    shared = answer_shared_planes(session, segmenter, objects)
    for one in objects:
        for plane, prompts in one.by_plane:
            request = session.prompt(plane, *prompts, object_id=one.id)
            session.apply(shared.get((one.id, plane)) or segmenter.segment(request), request)
            if session.mask_on(plane, one.id) is None:
                session.delete(one.id)
    return session


def _masks(told: Iterable[PlanePrediction]) -> dict[int, BoxedMask]:
    return {one.plane.index: one.mask for one in told if one.is_new or one.state == "anchor"}


def _dice(masks: dict[int, BoxedMask], truth: NDArray[np.bool_]) -> float:
    inside = sum(int(np.count_nonzero(truth[mask.box.slices()] & mask.bits)) for mask in masks.values())
    return 2 * inside / (sum(mask.area for mask in masks.values()) + int(np.count_nonzero(truth)))


def _case(made: MadeVolume) -> Case:
    labels = np.zeros(made.volume.shape, np.int32)
    for number, truth in enumerate(made.objects):
        labels[truth] = number + 1
    return Case(made.kind, made.kind, made.volume, labels, labels > 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.together", description=__doc__)
    parser.add_argument("--model", default="default", help=f"a model's name, or one of {', '.join(WEAR)}")
    parser.add_argument("--seeds", type=int, nargs=2, default=(10, 14), metavar=("FIRST", "LAST"))
    parser.add_argument(
        "--kinds", nargs="+", default=["neighbours", "cells", "organs"], choices=sorted(KINDS)
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
