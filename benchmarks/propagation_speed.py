"""Seconds a plane that propagation takes, beside the model's own encode and decode, cold and warm.

``python -m benchmarks.propagation_speed``. A drawn volume of 512 x 512 pixels has objects through all
planes. Each round encodes one plane and decodes one prompt by the model alone, follows one object with
nothing kept (cold: as a user meets a volume for the first time) and once more with all planes encoded
(warm), and three objects at once in both ways. Rounds alternate and medians are compared, so that other load
falls on all. Three objects ask for as many windows of each plane as they need: how many is printed, too.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks._machine import load_average, machine
from napari_sam.core.plane_prediction import PlanePrediction
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt
from napari_sam.core.propagation import propagate
from napari_sam.core.propagation_together import propagate_together
from napari_sam.core.segmenter import Segmenter
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from volumes import Geometry, Provenance, Volume

COLD, WARM, TOGETHER = 1.2, 1.3, 1.5
"""Most of encode and decode a cold plane may take, of decode a warm one, of one object three together."""

_N_OBJECTS = 3
_WINDOW = Window(0, 1000)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0 whatever the times are, since a time is no test."""
    options = _parser().parse_args(arguments)
    volume, radius = make_volume(options.planes, options.side)
    times_s, n_encoded = measure(volume, radius, options)
    times = {name: statistics.median(some) for name, some in times_s.items()}
    print(f"{options.model} on {machine()} (load {load_average() or 0:.1f}), {options.repeats} rounds")
    unit = "seconds of processor time" if options.processor_time else "seconds"
    print(f"{options.planes} planes of {options.side} x {options.side} pixels; {unit} a plane, medians")
    for name, seconds in times.items():
        print(f"{name}: {seconds:.4f} s, {1 / seconds:.1f} a second")
    _print_ratios(times)
    for name, number in n_encoded.items():
        print(f"encoded a plane, {name}: {number:.2f}")
    return 0


def _print_ratios(times: dict[str, float]) -> None:
    both = times["encode"] + times["decode"]
    print(f"cold / (encode + decode): {times['cold'] / both:.2f} (limit {COLD})")
    print(f"warm / decode: {times['warm'] / times['decode']:.2f} (limit {WARM})")
    print(f"three together / one, warm: {times['three warm'] / times['warm']:.2f} (limit {TOGETHER})")
    print(f"three together / one, cold: {times['three cold'] / times['cold']:.2f} (limit {TOGETHER})")


def measure(
    volume: Volume, radius: int, options: argparse.Namespace
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Run the rounds; the first is not counted.

    Returns
    -------
    dict of str to list of float
        Seconds a plane of each kind of work, one a round.
    dict of str to float
        How many windows of a plane each cold work encodes.
    """
    clock = time.process_time if options.processor_time else time.perf_counter
    times_s: dict[str, list[float]] = {}
    n_encoded: dict[str, float] = {}
    for round_number in range(options.repeats + 1):
        for name, work in {**_model_alone(options), **_propagations(volume, radius, options)}.items():
            started_s = clock()
            n_planes, n_windows = work()
            if round_number:
                times_s.setdefault(name, []).append((clock() - started_s) / max(1, n_planes))
                if "cold" in name:
                    n_encoded[name] = n_windows / max(1, n_planes)
    return times_s, n_encoded


def make_volume(n_planes: int, side: int) -> tuple[Volume, int]:
    """Draw three bright discs through all planes, with some noise; returns their radius in pixels, too."""
    rng, radius = np.random.default_rng(0), side // 12
    rows, cols = np.ogrid[:side, :side]
    flat = np.zeros((side, side))
    for number in range(_N_OBJECTS):
        row, col = _centre(number, side)
        flat[(rows - row) ** 2 + (cols - col) ** 2 <= radius**2] = 600 + 60 * number
    grey = flat + 150 + rng.normal(0, 15, (n_planes, side, side))
    geometry = Geometry.from_spacing(grey.shape, (2.0, 1.0, 1.0))
    return Volume(grey.astype(np.int16), geometry, Provenance("made")), radius


def _centre(number: int, side: int) -> tuple[int, int]:
    return side // 2, (number + 1) * side // (_N_OBJECTS + 1)


Work: TypeAlias = Callable[[], tuple[int, int]]
"""Does something, and says for how many planes and how many windows of planes it encoded."""


def _propagations(volume: Volume, radius: int, options: argparse.Namespace) -> dict[str, Work]:
    """Make what is timed; each session has its boxes answered before the clock starts."""
    works: dict[str, Work] = {}
    for prefix, n_objects in (("", 1), ("three ", _N_OBJECTS)):
        segmenter = _load(options)
        session = _prompted(segmenter, volume, radius, n_objects)

        def follow(session: Session = session, segmenter: Segmenter = segmenter) -> tuple[int, int]:
            n_before = _n_encoded(segmenter)
            n_planes = _n_followed(_told(session, segmenter))
            return n_planes, _n_encoded(segmenter) - n_before

        works |= {f"{prefix}cold": follow, f"{prefix}warm": follow}
    return works


def _n_encoded(segmenter: Segmenter) -> int:
    """Windows of planes that a model has encoded; stubs have none."""
    timings = getattr(segmenter, "timings", None)
    return 0 if timings is None else int(timings.n_encoded)


def _told(session: Session, segmenter: Segmenter) -> Iterable[PlanePrediction]:
    if len(session.objects) == 1:
        return propagate(session, segmenter, 1, axis=0)
    return (told for _, told in propagate_together(session, segmenter, sorted(session.objects), axis=0))


def _prompted(segmenter: Segmenter, volume: Volume, radius: int, n_objects: int) -> Session:
    session, plane = Session(volume, window=_WINDOW), PlaneRef(0, volume.shape[0] // 2)
    for number in range(n_objects):
        row, col = _centre(number, volume.shape[1])
        box = plane.box_of((row - radius, col - radius, row + radius + 1, col + radius + 1))
        request = session.prompt(plane, BoxPrompt(box), object_id=number + 1)
        session.apply(segmenter.segment(request), request)
    return session


def _n_followed(told: Iterable[PlanePrediction]) -> int:
    """Exhaust a propagation; returns how many planes it asked the model for."""
    return len({one.plane for one in told if one.state != "anchor"})


def _load(options: argparse.Namespace) -> Segmenter:
    """Load the model anew, with nothing kept from before, neither in memory nor on disk."""
    from napari_sam import load_segmenter
    from napari_sam.settings import Settings

    settings = replace(Settings.resolve(), disk_budget_bytes=0)
    return load_segmenter(options.model, weights=options.weights, device="cpu", settings=settings)


def _model_alone(options: argparse.Namespace) -> dict[str, Work]:
    """Encode a plane, and decode a box, a point and a mask, by the model and nothing else."""
    import torch

    from napari_sam.engine.stretched import pixels_for
    from napari_sam.zoo.registry import get

    spec = get(options.model)
    model = spec.build().eval()
    pixels: NDArray[np.uint8] = np.random.default_rng(0).integers(
        0, 256, (options.side, options.side), np.uint8
    )
    with torch.inference_mode():
        features = model.encode(pixels_for(spec, pixels)[None])

    def encode() -> tuple[int, int]:
        with torch.inference_mode():
            for _ in range(_MODEL_ROUNDS):
                model.encode(pixels_for(spec, pixels)[None])
        return _MODEL_ROUNDS, 0

    def decode() -> tuple[int, int]:
        points = torch.tensor([[[100.0, 90.0], [200.0, 210.0], [150.0, 150.0]]]), torch.tensor([[2, 3, 1]])
        with torch.inference_mode():
            for _ in range(_MODEL_ROUNDS):
                model.decode(features, *points)
        return _MODEL_ROUNDS, 0

    return {"encode": encode, "decode": decode}


_MODEL_ROUNDS = 10


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.propagation_speed", description=__doc__)
    parser.add_argument("--model", default="default")
    parser.add_argument("--weights")
    parser.add_argument("--planes", type=int, default=40)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--processor-time", action="store_true", help="not by the clock: for machines that others use, too"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
