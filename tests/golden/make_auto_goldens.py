"""How ``auto_*.npz`` were made: masks of everything, by the reference implementation on a network for tests.

Run by hand by whoever has the reference; the tests only read the files::

    pip install torch torchvision opencv-python-headless
    PYTHONPATH=<clone of facebookresearch/segment-anything> python tests/golden/make_auto_goldens.py

A network with random numbers answers every point with much the same mask, and non-maximum suppression would
leave one. So the numbers here have gone through some hundred steps of finding the disc under a point, which
is enough for masks that differ; thresholds are lax, so that many of them come through. The masks are made in
double precision: nothing in these files hangs on the order of a sum.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from torch.nn import functional

HERE = Path(__file__).parent
WEIGHTS = HERE / "auto_weights.npz"
SIDE, DIM, SEED = 64, 32, 3
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
N_STEPS, N_PICTURES, N_POINTS = 3000, 4, 12
LAX = {
    "points_per_batch": 7, "pred_iou_thresh": 0.3, "stability_score_thresh": 0.4,
    "box_nms_thresh": 0.8, "crop_nms_thresh": 0.8,
}  # fmt: skip
CASES: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {
    "grid": ((90, 90), {"points_per_side": 8}),
    "oblong": ((60, 170), {"points_per_side": 8}),
    "crops_1": ((180, 150), {"points_per_side": 6, "crop_n_layers": 1}),
    "crops_2": (
        (200, 240),
        {"points_per_side": 6, "crop_n_layers": 2, "crop_n_points_downscale_factor": 2},
    ),
    "regions": ((90, 110), {"points_per_side": 8, "min_mask_region_area": 60}),
}


def build() -> Sam:
    """Build the reference's classes at a size for tests, with random numbers."""
    torch.manual_seed(SEED)
    grid = SIDE // 16
    encoder = ImageEncoderViT(
        img_size=SIDE, embed_dim=DIM, depth=2, num_heads=2, out_chans=DIM, window_size=3,
        global_attn_indexes=(1,), use_rel_pos=True, norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
    )  # fmt: skip
    transformer = TwoWayTransformer(depth=2, embedding_dim=DIM, num_heads=2, mlp_dim=2 * DIM)
    model = Sam(
        encoder,
        PromptEncoder(DIM, (grid, grid), (SIDE, SIDE), mask_in_chans=8),
        MaskDecoder(transformer_dim=DIM, transformer=transformer, iou_head_hidden_dim=DIM),
        MEAN,
        STD,
    )
    return model.eval()


def draw(shape_hw: tuple[int, int], seed: int, n_discs: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Draw discs on a dark ground: RGB of uint8, and the number of the disc that each pixel shows."""
    rng = np.random.default_rng(seed)
    rows, cols = np.indices(shape_hw)
    image = rng.normal(60, 8, (*shape_hw, 3))
    shown = np.zeros(shape_hw, dtype=int)
    for number in range(1, n_discs + 1):
        row, col = rng.uniform(0, shape_hw[0]), rng.uniform(0, shape_hw[1])
        radius = rng.uniform(0.06, 0.2) * max(shape_hw)
        inside = (rows - row) ** 2 + (cols - col) ** 2 < radius**2
        image[inside] = rng.normal(0, 8, (np.count_nonzero(inside), 3)) + rng.uniform(90, 240, 3)
        shown[inside] = number
    return image.clip(0, 255).astype(np.uint8), shown


def teach(model: Sam) -> None:
    """Let the network find the disc under a point."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, N_STEPS)
    for step in range(N_STEPS):
        drawn = [draw((SIDE, SIDE), 1000 + step * N_PICTURES + i) for i in range(N_PICTURES)]
        pixels = torch.stack([torch.from_numpy(image).permute(2, 0, 1).float() for image, _ in drawn])
        features = model.image_encoder(model.preprocess(pixels))
        loss = sum(_loss(model, features[i : i + 1], shown, step) for i, (_, shown) in enumerate(drawn))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


def numbers_of(model: Sam) -> None:
    """Give the network the stored numbers; where there are none, teach it, and store them as halves."""
    if not WEIGHTS.exists():
        teach(model)
        state = {name: value.half().numpy() for name, value in model.state_dict().items()}
        np.savez_compressed(WEIGHTS, **state)
    with np.load(WEIGHTS) as stored:
        model.load_state_dict({name: torch.from_numpy(stored[name]).float() for name in stored.files})
    model.eval().requires_grad_(False)


def make(model: Sam, image: np.ndarray, settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """Segment everything, and give what is stored of it."""
    found = SamAutomaticMaskGenerator(model, output_mode="uncompressed_rle", **settings).generate(image)
    counts = [one["segmentation"]["counts"] for one in found]
    names = ("predicted_iou", "stability_score", "point_coords", "crop_box", "area")
    return {
        "image": image,
        "settings": np.array(json.dumps(settings)),
        "n_counts": np.array([len(some) for some in counts]),
        "counts": np.array([count for some in counts for count in some]),
        **{name: np.array([one[name] for one in found]) for name in names},
    }


def main() -> int:
    """Make all files; fails where single precision gives other masks, for then a case hangs by a hair."""
    torch.set_num_threads(1)
    plain, double = build(), build()
    numbers_of(plain)
    numbers_of(double)
    in_double(double)
    for name, (shape_hw, settings) in CASES.items():
        image, _ = draw(shape_hw, sum(shape_hw))
        stored = make(double, image, {**LAX, **settings})
        again = make(plain, image, {**LAX, **settings})
        if not np.array_equal(stored["counts"], again["counts"]):
            raise SystemExit(f"{name}: single precision gives other masks; change the case")
        np.savez_compressed(HERE / f"auto_{name}.npz", **stored)
        sys.stdout.write(f"{name}: {len(stored['area'])} masks\n")
    return 0


def _loss(model: Sam, features: torch.Tensor, shown: np.ndarray, seed: int) -> torch.Tensor:
    places = np.argwhere(shown > 0)
    at = places[np.random.default_rng(seed).integers(0, len(places), N_POINTS)]
    truth = torch.from_numpy(shown[None] == shown[at[:, 0], at[:, 1], None, None]).float()
    points = torch.from_numpy(at[:, None, ::-1].copy()), torch.ones(N_POINTS, 1, dtype=torch.int)
    sparse, dense = model.prompt_encoder(points=points, boxes=None, masks=None)
    position = model.prompt_encoder.get_dense_pe()
    low, iou = model.mask_decoder(features, position, sparse, dense, multimask_output=True)
    truth = functional.avg_pool2d(truth[:, None], 4)
    wrong = functional.binary_cross_entropy_with_logits(low, truth.expand_as(low), reduction="none")
    common, either = ((low > 0) * truth).sum((2, 3)), ((low > 0) + truth).clamp(max=1).sum((2, 3))
    best = wrong.mean((2, 3)).min(1).values + 0.1 * wrong.mean((2, 3)).mean(1)
    return best.mean() + (iou - common / either.clamp(min=1)).square().mean()


def in_double(model: Sam) -> Sam:
    """Let the network compute in double precision; scores are single again, as suppression wants them."""
    model.double()
    model.mask_decoder.register_forward_hook(
        lambda _module, _given, decoded: (decoded[0], decoded[1].float())
    )
    encode = model.prompt_encoder.pe_layer._pe_encoding
    model.prompt_encoder.pe_layer._pe_encoding = lambda coords: encode(coords.double())
    return model


if __name__ == "__main__":
    sys.exit(main())
