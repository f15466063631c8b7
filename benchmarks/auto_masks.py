"""Seconds to find everything in a plane, beside the reference implementation, encoder aside.

``python -m benchmarks.auto_masks``. Needs `segment_anything` and `torchvision`, installed or with their
folder named by ``--reference``. Both run in one process on the same random numbers, in turn. As random
numbers answer all points alike, a disc around the point is added to the logits of both, and a score goes with
it, both drawn from the point's place: masks then overlap, nest and vary in stability as those of a trained
model do. The encoder is replaced by its stored output. At the end the two lists of masks are compared.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks._machine import load_average, machine
from napari_sam.core.auto_plan import AutoMaskSettings
from napari_sam.core.planes import PlaneRef
from napari_sam.core.run_lengths import RunLengths
from napari_sam.engine.auto_masks import AutoMasker
from napari_sam.models.image_encoder import EncoderShape, ImageEncoder
from napari_sam.models.mask_decoder import Decoded, MaskDecoder
from napari_sam.models.prompt_encoder import PromptEncoder
from napari_sam.models.sam import IMAGE_EMBEDDING, Sam
from napari_sam.models.two_way_transformer import TwoWayTransformer
from napari_sam.zoo.registry import get
from napari_sam.zoo.spec import ModelSpec

LIMIT_RATIO = 2.0
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class Layout:
    """What differs between the decoders of two models; encoders have one block, for they are not timed."""

    side: int
    dim: int
    n_heads: int
    mlp_dim: int
    iou_hidden: int


LAYOUTS = {"small": Layout(512, 64, 4, 256, 64), "vit_b": Layout(1024, 256, 8, 2048, 256)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where masks differ, 2 without the reference, else 0, since a time is no test."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.auto_masks", description=__doc__)
    parser.add_argument("--layout", nargs="+", choices=sorted(LAYOUTS), default=["small", "vit_b"])
    parser.add_argument("--points", type=int, default=32, help="points a side of the grid")
    parser.add_argument("--plane", type=int, nargs=2, default=(768, 1024), help="height and width in pixels")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--batch", type=int, default=64, help="points decoded at once, by both")
    parser.add_argument("--reference", help="folder in which segment_anything lies")
    options = parser.parse_args(arguments)
    if options.reference:
        sys.path.insert(0, options.reference)
    missing = [name for name in ("segment_anything", "torchvision") if find_spec(name) is None]
    if missing:
        print(f"{' and '.join(missing)}: not installed; install it, or give --reference", file=sys.stderr)
        return 2
    print(f"{machine()}, load {load_average() or 0:.1f}, torch {torch.__version__}, ", end="")
    print(f"{torch.get_num_threads()} threads")
    settings = AutoMaskSettings(points_per_side=options.points, points_per_batch=options.batch)
    n_different = 0
    for name in options.layout:
        n_different += _compare(name, LAYOUTS[name], settings, tuple(options.plane), options.repeats)
    return 1 if n_different else 0


def _compare(
    name: str, layout: Layout, settings: AutoMaskSettings, plane_hw: tuple[int, int], repeats: int
) -> int:
    """Time both, print a line, and return how many masks differ."""
    picture = np.random.default_rng(0).integers(0, 256, (*plane_hw, 3), dtype=np.uint8)
    theirs, ours = _pair(layout)
    works: dict[str, Callable[[], Any]] = {
        "theirs": partial(_their_generator(theirs, settings).generate, picture),
        "ours": partial(_our_masker(ours, layout, settings).masks, picture, PlaneRef(0, 0), (1, *plane_hw)),
    }
    found, clock_s, cpu_s = _timed(works, repeats)
    n_different, n_pixels = _differences(found["theirs"], found["ours"], (1, *plane_hw))
    print(
        f"{name}: {settings.points_per_side} x {settings.points_per_side} points on {plane_hw[0]} x "
        f"{plane_hw[1]} pixels: ours {clock_s['ours']:.2f} s, theirs {clock_s['theirs']:.2f} s, "
        f"{clock_s['theirs'] / clock_s['ours']:.2f} times as fast (bar {LIMIT_RATIO:.0f}); processor time "
        f"{cpu_s['ours']:.2f} s and {cpu_s['theirs']:.2f} s, {cpu_s['theirs'] / cpu_s['ours']:.2f} times"
    )
    print(
        f"{name}: {len(found['theirs'])} masks, {n_different} of them different; "
        f"{n_pixels} pixels differ in all the others"
    )
    return n_different


def _timed(
    works: dict[str, Callable[[], Any]], repeats: int
) -> tuple[dict[str, Any], dict[str, float], dict[str, float]]:
    """Do the works in turn; gives the last results, and medians of seconds by the clock and of the processor.

    Where other programs run at the same time, the processor's are the fairer.
    """
    clock_s: dict[str, list[float]] = {key: [] for key in works}
    cpu_s: dict[str, list[float]] = {key: [] for key in works}
    found: dict[str, Any] = {}
    for _ in range(repeats):
        for key, work in works.items():
            started_s, cpu_started_s = time.perf_counter(), time.process_time()
            found[key] = work()
            clock_s[key].append(time.perf_counter() - started_s)
            cpu_s[key].append(time.process_time() - cpu_started_s)
    clock, cpu = ({key: statistics.median(some) for key, some in each.items()} for each in (clock_s, cpu_s))
    return found, clock, cpu


def _differences(theirs: list[Any], ours: Any, shape: tuple[int, int, int]) -> tuple[int, int]:
    """Count masks that are not in both lists at the same place, and pixels that differ in those that are."""
    n_different, n_pixels = abs(len(theirs) - len(ours)), 0
    for one, other in zip(theirs, ours, strict=False):
        record = one["segmentation"]
        expected = RunLengths(tuple(record["size"]), tuple(record["counts"])).to_mask()
        n = int(np.count_nonzero(other.mask.to_plane(other.plane, shape) != expected))
        if n > 1e-4 * expected.size or abs(one["predicted_iou"] - other.predicted_iou) > 1e-5:
            n_different += 1
        else:
            n_pixels += n
    return n_different, n_pixels


def _pair(layout: Layout) -> tuple[Any, Sam]:
    """Build the reference's network and ours with the same numbers; only decoders matter."""
    from segment_anything.modeling import ImageEncoderViT
    from segment_anything.modeling import MaskDecoder as TheirDecoder
    from segment_anything.modeling import PromptEncoder as TheirPrompts
    from segment_anything.modeling import Sam as TheirSam
    from segment_anything.modeling import TwoWayTransformer as TheirTransformer

    torch.manual_seed(0)
    side, dim, grid = layout.side, layout.dim, layout.side // 16
    transformer = TheirTransformer(
        depth=2, embedding_dim=dim, num_heads=layout.n_heads, mlp_dim=layout.mlp_dim
    )
    decoder = TheirDecoder(
        transformer_dim=dim, transformer=transformer, iou_head_hidden_dim=layout.iou_hidden
    )
    prompts = TheirPrompts(dim, (grid, grid), (side, side), mask_in_chans=16)
    encoder = ImageEncoderViT(
        img_size=side, embed_dim=64, depth=1, num_heads=1, out_chans=dim, use_rel_pos=True,
        global_attn_indexes=(0,), norm_layer=partial(nn.LayerNorm, eps=1e-6),
    )  # fmt: skip
    theirs = TheirSam(encoder, prompts, decoder, list(MEAN), list(STD)).eval()
    shape = EncoderShape(64, 1, 1, (0,), side=side, out_dim=dim)
    ours = Sam(
        ImageEncoder(shape),
        PromptEncoder(dim, 16),
        MaskDecoder(dim, TwoWayTransformer(2, dim, layout.n_heads, layout.mlp_dim), layout.iou_hidden),
        side,
    ).eval()
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def _their_generator(model: Any, settings: AutoMaskSettings) -> Any:
    """Make the reference's generator, with stored features and discs."""
    from segment_anything import SamAutomaticMaskGenerator

    model.image_encoder = _Stored(model.image_encoder.img_size, _features(model))
    asked: dict[str, Tensor] = {}

    def remember(_module: nn.Module, _given: Any, named: dict[str, Any]) -> None:
        asked["points"] = named["points"][0]

    def add(_module: nn.Module, _given: Any, decoded: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        discs, scores = _discs(asked["points"][:, 0], decoded[0].shape[-1], model.image_encoder.img_size)
        return decoded[0] + discs, scores

    model.prompt_encoder.register_forward_pre_hook(remember, with_kwargs=True)
    model.mask_decoder.register_forward_hook(add)
    return SamAutomaticMaskGenerator(
        model,
        points_per_side=settings.points_per_side,
        points_per_batch=settings.points_per_batch,
        output_mode="uncompressed_rle",
    )


def _our_masker(model: Sam, layout: Layout, settings: AutoMaskSettings) -> AutoMasker:
    """Make ours, with the same features and discs."""
    features = {IMAGE_EMBEDDING: _features(model)}
    decode_all = model.decode_all

    def with_discs(known: Any, points_xy: Tensor, labels: Tensor, *rest: Any) -> Decoded:
        decoded = decode_all(known, points_xy, labels, *rest)
        discs, scores = _discs(points_xy[:, 0], decoded.mask_logits.shape[-1], layout.side)
        logits = decoded.mask_logits.clone()
        logits[:, 1:] += discs
        return Decoded(logits, torch.cat([scores[:, :1], scores], dim=1))

    model.encode = lambda pixels: features  # type: ignore[method-assign]
    model.decode_all = with_discs  # type: ignore[method-assign,assignment]
    known = get("sam_vit_b.meta")
    spec = ModelSpec("random.auto", "random numbers", known.build, known.weights, layout.side, MEAN, STD)
    return AutoMasker(model, spec, torch.device("cpu"), settings)


class _Stored(nn.Module):
    """Stands for an encoder whose output is known."""

    def __init__(self, img_size: int, features: Tensor) -> None:
        super().__init__()
        self.img_size = img_size
        self.register_buffer("features", features)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.features


def _features(model: Any) -> Tensor:
    """Give features that are the same for both."""
    dim, grid = model.prompt_encoder.embed_dim, LAYOUT_GRID[model.prompt_encoder.embed_dim]
    return torch.randn(1, dim, grid, grid, generator=torch.Generator().manual_seed(1))


LAYOUT_GRID = {layout.dim: layout.side // 16 for layout in LAYOUTS.values()}


def _discs(points_xy: Tensor, n_cells: int, side: int) -> tuple[Tensor, Tensor]:
    """Give the discs ``(N, 3, n, n)`` and scores ``(N, 3)`` of points ``(N, 2)``, from their places alone."""
    place = points_xy.double().round()
    drawn = [_drawn(place, number) for number in range(5)]
    cells = torch.arange(n_cells, dtype=torch.float32) + 0.5
    middle = (points_xy.float() + 0.5) * n_cells / side
    far = ((cells - middle[:, 1:])[:, :, None].square() + (cells - middle[:, :1])[:, None].square()).sqrt()
    radius = n_cells * 0.012 * 2 ** (4 * drawn[0])
    slope = 0.5 * 2 ** (4 * drawn[1])
    discs = [(radius * grow)[:, None, None] - far for grow in (1.0, 1.7, 3.0)]
    logits = torch.stack(discs, dim=1) * slope[:, None, None, None]
    return logits, torch.stack([0.75 + 0.25 * some for some in drawn[2:]], dim=1)


def _drawn(place: Tensor, number: int) -> Tensor:
    """Draw a number from 0 to 1 for each place, the same every time."""
    phase = (place[:, 0] * 12.9898 + place[:, 1] * 78.233 + number * 37.719).sin() * 43758.5453
    return phase.remainder(1.0).float()


if __name__ == "__main__":
    sys.exit(main())
