"""Seconds to encode a plane and to decode a prompt, beside what the machine's matrix products allow.

``python -m benchmarks.model_speed``. The multiply-adds of the encoder are counted, and divided by the rate
at which this machine multiplies large matrices in the precision that the encoder runs in; the encoder's own
time is given as a multiple of that. Rounds of both alternate, and medians are compared, so that other load
falls on both.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from benchmarks._machine import load_average, machine
from napari_sam.engine.frame import Frame
from napari_sam.engine.model_prompts import ModelPrompts
from napari_sam.engine.refining import refine, see
from napari_sam.engine.stretched import pixels_for
from napari_sam.models.far_look import farther
from napari_sam.models.prompt_encoder import BOX_FIRST, BOX_SECOND
from napari_sam.models.refiner import N_CANDIDATES, Refiners
from napari_sam.models.sam import PlaneFeatures
from napari_sam.zoo.registry import get
from napari_sam.zoo.spec import ModelSpec

LIMIT_RATIO, LIMIT_DECODE_S = 3.0, 0.015
MATRIX_SIDE = 1024


def main() -> int:
    """Measure and print; always 0, since a time is no test."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model_speed", description=__doc__)
    parser.add_argument("--model", default="default", help="name of a model of the package")
    parser.add_argument("--plane", type=int, default=512, help="side of the plane in pixels")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    spec = get(options.model)
    model = spec.build().eval()
    plane = np.random.default_rng(0).integers(0, 256, (options.plane, options.plane), dtype=np.uint8)
    with torch.inference_mode():
        pixels = pixels_for(spec, plane)[None]
        with FlopCounterMode(display=False) as counter:
            features = model.encode(pixels)
        multiply_adds = counter.get_total_flops() / 2
        side = torch.rand(MATRIX_SIDE, MATRIX_SIDE)
        box = torch.tensor([[[100.0, 90.0], [200.0, 210.0]]]), torch.tensor([[2, 3]])
        click = torch.tensor([[[150.0, 150.0]]]), torch.tensor([[1]])
        seen = PlaneFeatures(features)
        works: dict[str, Callable[[], object]] = {
            "matrix product": lambda: side @ side,
            "encode": lambda: model.encode(pixels_for(spec, plane)[None]),
            "decode": lambda: model.decode(features, *box),
            "box": lambda: model.answer(seen, *box),
            "click": lambda: model.answer(seen, *click),
        }
        if spec.afar:
            seen.far = PlaneFeatures(model.encode(farther(pixels)))
            works["afar"] = lambda: model.encode(farther(pixels_for(spec, plane)[None]))
        if spec.refiner is not None:
            works["draw anew"] = _refining(spec, spec.refiner(), plane, box[0][0])
        medians = _medians(works, options.repeats)
    rate = MATRIX_SIDE**3 / medians["matrix product"]
    ratio = medians["encode"] / (multiply_adds / rate)
    print(f"{spec.name} on {machine()} (load {load_average() or 0:.1f}), {torch.get_num_threads()} threads")
    print(f"matrix products in float32: {rate / 1e9:.0f} G multiply-adds a second")
    print(
        f"encode a plane of {options.plane} x {options.plane} pixels: {medians['encode']:.4f} s for "
        f"{multiply_adds / 1e9:.2f} G multiply-adds, {ratio:.1f} times the matrix products' time "
        f"(limit {LIMIT_RATIO:.0f})"
    )
    if spec.afar:
        print(f"encode it from afar: {medians['afar']:.4f} s")
    print(f"decode a box: {medians['decode']:.4f} s (limit {LIMIT_DECODE_S:.3f} on a quiet machine)")
    print(f"answer a box, with all looks: {medians['box']:.4f} s")
    if spec.refiner is not None:
        print(f"draw either anew at its own scale: {medians['draw anew']:.4f} s more")
    print(f"answer a click, with all looks: {medians['click']:.4f} s")
    return 0


def _refining(
    spec: ModelSpec, refiner: Refiners, plane: NDArray[np.uint8], corners_xy: torch.Tensor
) -> Callable[[], object]:
    """Draw the answer to one box anew, as the engine does."""
    frame = Frame((plane.shape[0], plane.shape[1]), spec.side)
    (left, top), (right, bottom) = corners_xy.tolist()
    asked = ModelPrompts(((left, top), (right, bottom)), (BOX_FIRST, BOX_SECOND), None)
    logits, scores = torch.zeros(1, N_CANDIDATES, spec.side // 4, spec.side // 4), torch.ones(1, N_CANDIDATES)

    def draw() -> object:
        squares, seen = see([plane], [frame], [asked], logits, scores)
        return refine(refiner, squares, seen, logits[:, 0])

    return draw


def _medians(works: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Run the works in turn; the first round is not counted."""
    times_s: dict[str, list[float]] = {name: [] for name in works}
    for round_number in range(repeats + 1):
        for name, work in works.items():
            started_s = time.perf_counter()
            work()
            if round_number:
                times_s[name].append(time.perf_counter() - started_s)
    return {name: statistics.median(some) for name, some in times_s.items()}


if __name__ == "__main__":
    sys.exit(main())
