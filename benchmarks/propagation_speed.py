"""Seconds a plane that propagation takes, beside the model's own encode and decode, cold and warm.

``python -m benchmarks.propagation_speed``. A drawn volume of 512 x 512 pixels has objects through all
planes. Each round encodes one plane and decodes one prompt by the model alone, follows one object with
nothing kept (cold) and once more with all planes encoded (warm), and three objects at once where the
package can. Rounds alternate and medians are compared, so that other load falls on all.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from benchmarks._machine import load_average, machine
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt
from napari_sam.core.propagation import propagate
from napari_sam.core.segmenter import Segmenter
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from volumes import Geometry, Provenance, Volume

COLD, WARM, TOGETHER = 1.2, 1.3, 1.5
"""Most of encode and decode a cold plane may take, of decode a warm one, of one object three together."""

_TOGETHER = "napari_sam.core.propagation_together"
_N_OBJECTS = 3
_WINDOW = Window(0, 1000)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0 whatever the times are, since a time is no test."""
    options = _parser().parse_args(arguments)
    volume, radius = make_volume(options.planes, options.side)
    times = {name: statistics.median(some) for name, some in measure(volume, radius, options).items()}
    print(f"{options.model} on {machine()} (load {load_average() or 0:.1f}), {options.repeats} rounds")
    print(f"{options.planes} planes of {options.side} x {options.side} pixels; seconds a plane, medians")
    for name, seconds in times.items():
        print(f"{name}: {seconds:.4f} s, {1 / seconds:.1f} a second")
    both = times["encode"] + times["decode"]
    print(f"cold / (encode + decode): {times['cold'] / both:.2f} (limit {COLD})")
    print(f"warm / decode: {times['warm'] / times['decode']:.2f} (limit {WARM})")
    if "three together" in times:
        print(f"three together / one: {times['three together'] / times['warm']:.2f} (limit {TOGETHER})")
    else:
        print("three together: the package follows one object at a time")
    return 0


def measure(volume: Volume, radius: int, options: argparse.Namespace) -> dict[str, list[float]]:
    """Run the rounds; the first is not counted. Returns seconds a plane of each kind of work."""
    times_s: dict[str, list[float]] = {}
    for round_number in range(options.repeats + 1):
        works = {**_model_alone(options), **_propagations(volume, radius, options)}
        for name, work in works.items():
            started_s = time.perf_counter()
            n_planes = work()
            if round_number:
                times_s.setdefault(name, []).append((time.perf_counter() - started_s) / max(1, n_planes))
    return times_s


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


def _propagations(volume: Volume, radius: int, options: argparse.Namespace) -> dict[str, Callable[[], int]]:
    """Make what is timed; each session has its boxes answered before the clock starts."""
    segmenter = _load(options)
    sessions = {name: _prompted(segmenter, volume, radius, 1) for name in _SESSIONS}

    def follow(name: str) -> Callable[[], int]:
        return lambda: _n_followed(propagate(sessions[name], segmenter, 1, axis=0))

    works = {"cold": follow("cold"), "warm": follow("warm")}
    if find_spec(_TOGETHER) is not None:
        together = importlib.import_module(_TOGETHER).propagate_together
        encoded = _load(options)
        session = _prompted(encoded, volume, radius, _N_OBJECTS)

        def follow_all() -> int:
            return _n_followed(together(session, encoded, range(1, _N_OBJECTS + 1), axis=0))

        follow_all()  # all planes are encoded then, as they are for one object
        works["three together"] = follow_all
    return works


_SESSIONS = ("cold", "warm")


def _prompted(segmenter: Segmenter, volume: Volume, radius: int, n_objects: int) -> Session:
    session, plane = Session(volume, window=_WINDOW), PlaneRef(0, volume.shape[0] // 2)
    for number in range(n_objects):
        row, col = _centre(number, volume.shape[1])
        box = plane.box_of((row - radius, col - radius, row + radius + 1, col + radius + 1))
        request = session.prompt(plane, BoxPrompt(box), object_id=number + 1)
        session.apply(segmenter.segment(request), request)
    return session


def _n_followed(told: object) -> int:
    """Exhaust a propagation; returns how many planes it asked the model for."""
    planes = set()
    for one in told:  # type: ignore[attr-defined]
        prediction = one[1] if isinstance(one, tuple) else one
        if prediction.state != "anchor":
            planes.add(prediction.plane)
    return len(planes)


def _load(options: argparse.Namespace) -> Segmenter:
    """Load the model anew, with nothing kept from before, neither in memory nor on disk."""
    from napari_sam import load_segmenter
    from napari_sam.settings import Settings

    settings = replace(Settings.resolve(), disk_budget_bytes=0)
    return load_segmenter(options.model, weights=options.weights, device="cpu", settings=settings)


def _model_alone(options: argparse.Namespace) -> dict[str, Callable[[], int]]:
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

    def encode() -> int:
        with torch.inference_mode():
            for _ in range(_MODEL_ROUNDS):
                model.encode(pixels_for(spec, pixels)[None])
        return _MODEL_ROUNDS

    def decode() -> int:
        points = torch.tensor([[[100.0, 90.0], [200.0, 210.0], [150.0, 150.0]]]), torch.tensor([[2, 3, 1]])
        with torch.inference_mode():
            for _ in range(_MODEL_ROUNDS):
                model.decode(features, *points)
        return _MODEL_ROUNDS

    return {"encode": encode, "decode": decode}


_MODEL_ROUNDS = 10


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.propagation_speed", description=__doc__)
    parser.add_argument("--model", default="default")
    parser.add_argument("--weights")
    parser.add_argument("--planes", type=int, default=40)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    return parser


if __name__ == "__main__":
    sys.exit(main())
