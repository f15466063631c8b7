"""Our Segment Anything beside `segment-anything`: seconds and bytes, with the same random numbers in both.

``python -m benchmarks.speed [--only encoder point points memory] [--reference FOLDER]``. Both are asked in
turn, and medians are compared. The floor is what the reference's multiply-adds take at the rate at which this
machine multiplies large matrices: by torch's own product, and by the fastest that torch carries.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from benchmarks._machine import load_average, machine
from benchmarks._published import (
    SIZES,
    MissingReference,
    build_ours,
    build_reference,
    fill,
    reference_networks,
)
from napari_sam.models.products import has_native_bfloat16, product
from napari_sam.models.sam import PlaneFeatures, Sam

FIGURES = ("encoder", "point", "points", "memory")
MATRIX_SIDE = 2048
N_POINTS = 64
Clock = Callable[[], float]
CLOCKS: dict[str, Clock] = {"wall": time.perf_counter, "processor": time.process_time}


@dataclass(frozen=True)
class Rates:
    """Multiply-adds a second in large matrix products, in 10^9: torch's in float32, the best, in bfloat16."""

    torch_float32: float
    float32: float
    bfloat16: float


@dataclass(frozen=True)
class Line:
    """One figure: ours and theirs in seconds, and what is asked of their ratio."""

    name: str
    ours_s: float
    theirs_s: float
    bar: float
    floor_s: float
    torch_floor_s: float

    def __str__(self) -> str:
        """Give the line as it is printed."""
        ratio = self.theirs_s / self.ours_s
        verdict = "reached" if ratio >= self.bar else "missed"
        of_floor, of_torchs = self.ours_s / self.floor_s, self.ours_s / self.torch_floor_s
        return (
            f"{self.name}: ours {_shown(self.ours_s)}, theirs {_shown(self.theirs_s)}: {ratio:.2f} times as "
            f"fast (bar {self.bar:g}, {verdict}); floor {_shown(self.floor_s)}, ours {of_floor:.2f} of it; "
            f"floor by torch's own float32 product {_shown(self.torch_floor_s)}, ours {of_torchs:.2f} of it"
        )


class Pair:
    """The published ViT-B and ours, in float32 and in bfloat16, with one set of numbers."""

    def __init__(self, networks: Any, clock: Clock = time.perf_counter) -> None:
        self.clock = clock
        self.theirs: Any = build_reference(networks, SIZES["b"])
        fill(self.theirs)
        state = {
            name: value for name, value in self.theirs.state_dict().items() if not name.startswith("pixel_")
        }
        self.ours: dict[str, Sam] = {}
        for precision in ("float32", "bfloat16") if has_native_bfloat16() else ("float32",):
            model = build_ours(SIZES["b"])
            model.load_state_dict(state)
            model.use_precision(getattr(torch, precision))
            self.ours[precision] = model

    def their_masks(self, embedding: Tensor, points_xy: Tensor) -> Tensor:
        """Ask the reference for the three masks of each of ``points_xy (N, 1, 2)``, as its predictor does."""
        labels = torch.ones(len(points_xy), 1, dtype=torch.long)
        sparse, dense = self.theirs.prompt_encoder(points=(points_xy, labels), boxes=None, masks=None)
        masks: Tensor = self.theirs.mask_decoder(
            image_embeddings=embedding,
            image_pe=self.theirs.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=True,
        )[0]
        return masks

    def our_masks(self, precision: str, features: PlaneFeatures, points_xy: Tensor) -> Tensor:
        """Ask ours for the same, on a plane that was asked before."""
        labels = torch.ones(len(points_xy), 1, dtype=torch.long)
        return self.ours[precision].decode(features, points_xy, labels)[0]


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; 2 where the reference is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=FIGURES, default=FIGURES)
    parser.add_argument("--reference", type=Path, help="a copy of the repository of segment-anything")
    parser.add_argument(
        "--repeats", type=int, default=3, help="rounds of the encoder; of a point ten times it"
    )
    parser.add_argument(
        "--sizes", nargs="+", choices=SIZES, default=("b", "h"), help="encoders for the memory"
    )
    parser.add_argument("--threads", type=int, default=0, help="threads of torch (default: its own choice)")
    parser.add_argument(
        "--clock",
        choices=CLOCKS,
        default="wall",
        help="processor: seconds of processor time, which with --threads 1 other load disturbs little",
    )
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        networks = reference_networks(options.reference)
    except MissingReference as error:
        print(error, file=sys.stderr)
        return 2
    print(
        f"{machine()} (load {load_average() or 0:.1f}), {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, {options.clock} clock"
    )
    with torch.inference_mode():
        timed = [figure for figure in options.only if figure != "memory"]
        if timed:
            clock = CLOCKS[options.clock]
            rates = measure_rates(clock)
            print(
                f"multiply-adds a second in large products: float32 {rates.torch_float32:.0f} G by torch's "
                f"product, {rates.float32:.0f} G by the fastest; bfloat16 {rates.bfloat16:.0f} G"
            )
            pair = Pair(networks, clock)
            for figure in timed:
                for line in _MEASURES[figure](pair, rates, options.repeats):
                    print(line, flush=True)
    if "memory" in options.only:
        for size in options.sizes:
            print(compare_memory(size, options.reference), flush=True)
    return 0


def measure_encoder(pair: Pair, rates: Rates, repeats: int) -> Iterator[object]:
    """Encode one picture; yields lines on time and on how far embeddings and masks agree."""
    pixels = picture()
    encoders = {name: model.image_encoder for name, model in pair.ours.items()}
    works = {name: lambda e=encoder: e(pixels) for name, encoder in encoders.items()}
    seconds = medians({"theirs": lambda: pair.theirs.image_encoder(pixels), **works}, repeats, pair.clock)
    with FlopCounterMode(display=False) as counter:
        embedding = pair.theirs.image_encoder(pixels)
    multiply_adds = counter.get_total_flops() / 2e9
    points_xy = torch.rand(N_POINTS, 1, 2, generator=torch.Generator().manual_seed(1)) * 1024
    expected = pair.their_masks(embedding, points_xy) > 0
    for name, encoder in encoders.items():
        yield _line(
            f"ViT-B encoder, {name}", seconds, name, {"float32": 1.6, "bfloat16": 2.5}, multiply_adds, rates
        )
        found = encoder(pixels)
        masks = pair.our_masks(name, PlaneFeatures(image_embedding=found), points_xy) > 0
        overlap = (masks & expected).sum((2, 3)) / (masks | expected).sum((2, 3)).clamp(min=1)
        cosine = F.cosine_similarity(found.double(), embedding.double(), dim=1)
        yield (
            f"  against theirs in float32: largest difference {(found - embedding).abs().max():.1e}, cosine "
            f"{cosine.mean():.6f} (smallest of a cell {cosine.min():.6f}), IoU of {overlap.numel()} masks "
            f"{overlap.mean():.4f} (smallest {overlap.min():.4f})"
        )


def measure_point(pair: Pair, rates: Rates, repeats: int) -> Iterator[object]:
    """Decode one point on a plane that was asked before."""
    return _measure_points(pair, rates, 10 * repeats, 1, {"float32": 2.0, "bfloat16": 3.0})


def measure_points(pair: Pair, rates: Rates, repeats: int) -> Iterator[object]:
    """Decode 64 points on such a plane in one batch."""
    return _measure_points(pair, rates, repeats, N_POINTS, {"float32": 2.0, "bfloat16": 2.0})


def compare_memory(size: str, reference: Path | None) -> str:
    """Compare the peaks of both encoders of a size, each in a process of its own."""
    told = {}
    for whose in ("ours", "theirs"):
        command = [sys.executable, "-m", "benchmarks._peak", whose, size]
        command += [] if reference is None else ["--reference", str(reference)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"peak memory, ViT-{size.upper()} encoder: {done.stderr.strip().splitlines()[-1]}"
        told[whose] = json.loads(done.stdout)
    whole = [told[whose]["peak_bytes"] / 2**20 for whose in ("ours", "theirs")]
    own = [(told[w]["peak_bytes"] - told[w]["loaded_bytes"]) / 2**20 for w in ("ours", "theirs")]
    return (
        f"peak memory, ViT-{size.upper()} encoder: ours {whole[0]:.0f} MiB, theirs {whole[1]:.0f} MiB: "
        f"{whole[0] / whole[1]:.0%} (bar 60 %); over the loaded model {own[0]:.0f} and {own[1]:.0f} MiB: "
        f"{own[0] / own[1]:.0%}"
    )


def measure_rates(clock: Clock) -> Rates:
    """Multiply two large matrices by each way there is."""
    a, b = torch.rand(MATRIX_SIDE, MATRIX_SIDE), torch.rand(MATRIX_SIDE, MATRIX_SIDE)
    low_a, low_b = a.bfloat16(), b.bfloat16()
    works = {"torch": lambda: a @ b, "ours": lambda: product(a, b), "bfloat16": lambda: low_a @ low_b}
    giga = {name: MATRIX_SIDE**3 / 1e9 / seconds for name, seconds in medians(works, 7, clock).items()}
    return Rates(giga["torch"], max(giga["torch"], giga["ours"]), giga["bfloat16"])


def medians(works: dict[str, Callable[[], object]], repeats: int, clock: Clock) -> dict[str, float]:
    """Run the works in turn, and give the median seconds of each; the first round is not counted."""
    times_s: dict[str, list[float]] = {name: [] for name in works}
    for round_number in range(repeats + 1):
        for name, work in works.items():
            started_s = clock()
            work()
            if round_number:
                times_s[name].append(clock() - started_s)
    return {name: statistics.median(some) for name, some in times_s.items()}


def picture() -> Tensor:
    """Draw smooth blobs with some noise: ``(1, 3, 1024, 1024)``, normalised."""
    random = torch.Generator().manual_seed(3)
    coarse = torch.randn(1, 3, 24, 24, generator=random)
    smooth = F.interpolate(coarse, (1024, 1024), mode="bicubic")
    return smooth.sign() * smooth.abs().sqrt() + 0.1 * torch.randn(smooth.shape, generator=random)


def _measure_points(
    pair: Pair, rates: Rates, repeats: int, n_points: int, bars: dict[str, float]
) -> Iterator[object]:
    embedding = torch.randn(1, 256, 64, 64, generator=torch.Generator().manual_seed(5))
    points_xy = torch.rand(n_points, 1, 2, generator=torch.Generator().manual_seed(1)) * 1024
    features = {name: PlaneFeatures(image_embedding=embedding) for name in pair.ours}
    works = {name: lambda name=name: pair.our_masks(name, features[name], points_xy) for name in pair.ours}
    seconds = medians(
        {"theirs": lambda: pair.their_masks(embedding, points_xy), **works}, repeats, pair.clock
    )
    with FlopCounterMode(display=False) as counter:
        pair.their_masks(embedding, points_xy)
    what = "one point" if n_points == 1 else f"{n_points} points"
    for name in pair.ours:
        multiply_adds = counter.get_total_flops() / 2e9
        yield _line(f"{what} on a cached plane, {name}", seconds, name, bars, multiply_adds, rates)


def _line(
    what: str,
    seconds: dict[str, float],
    name: str,
    bars: dict[str, float],
    multiply_adds: float,
    rates: Rates,
) -> Line:
    floor_s = multiply_adds / (rates.float32 if name == "float32" else rates.bfloat16)
    return Line(
        what, seconds[name], seconds["theirs"], bars[name], floor_s, multiply_adds / rates.torch_float32
    )


def _shown(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.1f} ms"


_MEASURES: dict[str, Callable[[Pair, Rates, int], Iterator[object]]] = {
    "encoder": measure_encoder,
    "point": measure_point,
    "points": measure_points,
}


if __name__ == "__main__":
    sys.exit(main())
