"""Largest differences between the package's networks and the reference implementations, at full size.

``python -m benchmarks.parity``. Each published architecture is built from its reference, filled with random
numbers, saved as its checkpoint is published, read by the package, and asked the same prompts as the
reference, stage by stage. Needs ``segment_anything``, ``mobile_sam`` or ``efficient_sam`` to be importable,
from pip or by PYTHONPATH; what is not there is said and left out. Ends with 1 where a difference is above the
limit or a reference is missing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks._answers import Ask, Asked, of_efficient_sam, of_sam, ours
from benchmarks._machine import machine
from napari_sam.zoo.registry import get
from napari_sam.zoo.weights import load_model

LIMIT = 1e-4
STAGES = ("embedding", "sparse", "dense", "low", "scores", "full")

_POINTS = ((210.0, 300.5, True), (90.0, 500.0, False), (350.0, 120.0, True))
_BOX = (100, 80, 390, 560)
CASES = {
    "point": Asked(((_POINTS[0],),)),
    "points": Asked((_POINTS,)),
    "box": Asked(boxes=(_BOX,)),
    "box and points": Asked((_POINTS,), (_BOX,)),
    "point and mask": Asked(((_POINTS[0],),), with_mask=True),
    "three points at once": Asked(tuple((point,) for point in _POINTS)),
}
PICTURE_HW = (427, 640)


@dataclass(frozen=True)
class Reference:
    """How a reference is built, how its checkpoint is nested, and how it is shown a picture."""

    build: Callable[[], Any]
    nest: str | None
    show: Callable[[Any, NDArray[np.uint8]], Ask]


def _sam(size: str) -> Any:
    import segment_anything

    return segment_anything.sam_model_registry[f"vit_{size}"]()


def _mobile_sam() -> Any:
    import mobile_sam

    return mobile_sam.sam_model_registry["vit_t"]()


def _efficient_sam(width: int, n_heads: int) -> Any:
    from efficient_sam.efficient_sam import build_efficient_sam

    return build_efficient_sam(width, n_heads)


def _show_sam(model: Any, picture: NDArray[np.uint8]) -> Ask:
    from segment_anything import SamPredictor

    return of_sam(SamPredictor(model), picture)


def _show_mobile_sam(model: Any, picture: NDArray[np.uint8]) -> Ask:
    from mobile_sam import SamPredictor

    return of_sam(SamPredictor(model), picture)


REFERENCES = {
    "sam_vit_b.meta": Reference(lambda: _sam("b"), None, _show_sam),
    "sam_vit_l.meta": Reference(lambda: _sam("l"), None, _show_sam),
    "sam_vit_h.meta": Reference(lambda: _sam("h"), None, _show_sam),
    "mobile_sam.vit_t": Reference(_mobile_sam, None, _show_mobile_sam),
    "efficient_sam_ti.yformer": Reference(lambda: _efficient_sam(192, 3), "model", of_efficient_sam),
    "efficient_sam_s.yformer": Reference(lambda: _efficient_sam(384, 6), "model", of_efficient_sam),
}


def main(arguments: list[str] | None = None) -> int:
    """Compare and print; 1 where something differs or is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity", description=__doc__)
    parser.add_argument("models", nargs="*", help=f"of {', '.join(REFERENCES)}; all unless given")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.models if name not in REFERENCES]
    if unknown:
        parser.error(f"no reference is known for {unknown[0]!r}; choose of {', '.join(REFERENCES)}")
    print(f"largest absolute differences in float32, limit {LIMIT:g}; {machine()}, torch {torch.__version__}")
    faults = 0
    for name in options.models or REFERENCES:
        try:
            worst = compare(name)
        except ImportError as error:
            package = (error.name or "its reference").partition(".")[0]
            print(f"\n{name}: not compared, {package} is not installed ({error})")
            faults += 1
            continue
        _print_table(name, worst)
        faults += max(value for row in worst.values() for value in row.values()) > LIMIT
    return int(faults > 0)


def compare(name: str) -> dict[str, dict[str, float]]:
    """Compare one model with its reference; gives the largest difference by case and stage.

    Raises
    ------
    ImportError
        The reference is not installed.
    """
    reference = REFERENCES[name]
    theirs = reference.build().requires_grad_(False)
    _fill(theirs.state_dict())
    theirs.eval()  # after filling: MobileSAM lays the attention's biases out here
    spec = get(name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.pth"
        state = theirs.state_dict()
        torch.save(state if reference.nest is None else {reference.nest: state}, path)
        model, _ = load_model(spec, path)
    generator = np.random.default_rng(0)
    picture = generator.integers(0, 256, (*PICTURE_HW, 3), dtype=np.uint8)
    picture[60:300, 100:420] //= 3
    mask_input = torch.from_numpy(generator.normal(0, 5, (1, 1, 256, 256)).astype(np.float32))
    ask_theirs, ask_ours = reference.show(theirs, picture), ours(model, spec, picture)
    worst = {}
    for case, asked in CASES.items():
        if asked.with_mask and "mask" not in spec.prompts:
            continue
        given = mask_input if asked.with_mask else None
        expected, found = ask_theirs(asked, given), ask_ours(asked, given)
        worst[case] = {stage: float((found[stage] - expected[stage]).abs().max()) for stage in found}
        worst[case]["masks"] = float(((found["full"] > 0) != (expected["full"] > 0)).sum())
    return worst


def _fill(state: dict[str, Tensor]) -> None:
    """Overwrite a state with random numbers of sizes as after training; nothing stays zero."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in state.items():
        if not tensor.is_floating_point():
            continue
        noise = torch.randn(tensor.shape, generator=generator)
        if name.endswith("running_var"):
            tensor.copy_(1 + 0.2 * noise.clamp(-2, 2))
        elif tensor.ndim == 1:
            tensor.copy_((1.0 if name.endswith("weight") else 0.0) + 0.1 * noise)
        elif name.endswith("gaussian_matrix"):
            tensor.copy_(noise)
        elif "pos" in name or "attention_biases" in name:
            tensor.copy_(0.2 * noise)
        else:
            tensor.copy_(noise / tensor[0].numel() ** 0.5)


def _print_table(name: str, worst: dict[str, dict[str, float]]) -> None:
    heads = [stage for stage in STAGES if stage in next(iter(worst.values()))]
    print(f"\n{name}\n{'':<22}" + "".join(f"{head:>11}" for head in heads) + "  voxels of masks that differ")
    for case, row in worst.items():
        print(f"{case:<22}" + "".join(f"{row[head]:>11.1e}" for head in heads) + f"{int(row['masks']):>8}")


if __name__ == "__main__":
    sys.exit(main())
