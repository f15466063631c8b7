"""Write what the reference implementations answer, for the tests to compare with.

Run from the repository's root, where the packages can be imported::

    PYTHONPATH=.:…/segment-anything:…/MobileSAM:…/EfficientSAM python -m tests.golden.make_golden

It needs torch, torchvision, Pillow and numpy, timm for MobileSAM, and clones of facebookresearch/segment-anything
(dca509f), ChaoningZhang/MobileSAM (34bbbfd) and yformer/EfficientSAM (d525f62). A family whose package is not
there is left out, and said so. Each file ``<family>.npz`` holds, for each case of `recipe.CASES`:

- ``<picture>/embedding``: the image embedding
- ``<case>/sparse``, ``<case>/dense``: embeddings of the prompts (EfficientSAM has no dense ones)
- ``<case>/low``, ``<case>/scores``: logits (N, 4, h, w) and predicted IoU (N, 4), the single mask first
- ``<case>/full``, ``<case>/mask``: logits on the picture (N, 4, H, W), and the same above 0, packed into bits

Arrays but scores and masks are thinned by `recipe.sampled`. Positions are given to the references in their own
terms: what they call x = 3 lies at 3 · scale + 0.5 from the edge of the model's input, in model pixels, whereas
the middle of the package's column 3 lies at 3.5 · scale.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tests.golden.recipe import (
    PICTURES,
    SAM_GLOBAL,
    SAM_WINDOW,
    SIZES,
    TINY_WINDOWS,
    Case,
    Sizes,
    cases_of,
    fill,
    mask_input,
    picture,
    sampled,
)

FOLDER = Path(__file__).parent
Arrays = dict[str, NDArray[Any]]


def their_xy(row: float, column: float, scale_hw: tuple[float, float]) -> tuple[float, float]:
    """Turn a place in voxels, whole numbers at their middles, into the references' (x, y)."""
    down, across = scale_hw
    return column + 0.5 - 0.5 / across, row + 0.5 - 0.5 / down


def their_prompts(case: Case, scale_hw: tuple[float, float]) -> tuple[NDArray[Any], ...]:
    """Give points ``(N, K, 2)``, labels ``(N, K)`` and boxes ``(N, 4)`` in the references' terms."""
    points = [[their_xy(row, column, scale_hw) for row, column, _ in prompt] for prompt in case.points]
    labels = [[int(positive) for *_, positive in prompt] for prompt in case.points]
    boxes = [
        (*their_xy(r0 - 0.5, c0 - 0.5, scale_hw), *their_xy(r1 - 0.5, c1 - 0.5, scale_hw))
        for r0, c0, r1, c1 in case.boxes
    ]
    return np.array(points, float), np.array(labels, int), np.array(boxes, float)


def answers_of_sam(model: Any, predictor_class: Any, family: str) -> Arrays:
    """Ask a model of segment-anything, or of a package that keeps its classes, through its predictor."""
    predictor, side, found = predictor_class(model), SIZES[family].side, {}
    for name, (picture_name, case) in cases_of(family).items():
        image = picture(picture_name, *PICTURES[picture_name])
        rgb = image if image.ndim == 3 else np.stack([image] * 3, axis=-1)
        predictor.set_image(rgb)
        found[f"{picture_name}/embedding"] = sampled(predictor.features)
        size, new = predictor.original_size, predictor.input_size
        points, labels, boxes = their_prompts(case, (new[0] / size[0], new[1] / size[1]))
        mask = torch.from_numpy(mask_input(side // 4))[None, None] if case.with_mask else None
        given = {
            "point_coords": _tensor(predictor.transform.apply_coords(points, size)) if len(points) else None,
            "point_labels": torch.from_numpy(labels) if len(points) else None,
            "boxes": _tensor(predictor.transform.apply_boxes(boxes, size)) if len(boxes) else None,
            "mask_input": mask,
        }
        with torch.no_grad():
            sparse, dense = model.prompt_encoder(
                None if not len(points) else (given["point_coords"], given["point_labels"]),
                given["boxes"],
                mask,
            )
            both = [
                predictor.predict_torch(**given, multimask_output=multimask, return_logits=True)
                for multimask in (False, True)
            ]
        full, scores, low = (torch.cat(parts, dim=1) for parts in zip(*both, strict=True))
        found |= _stored(name, low, scores, full)
        found[f"{name}/sparse"], found[f"{name}/dense"] = sampled(sparse), sampled(dense)
    return found


def answers_of_efficient_sam(model: Any, family: str) -> Arrays:
    """Ask a model of EfficientSAM."""
    side, found = SIZES[family].side, {}
    for name, (picture_name, case) in cases_of(family).items():
        height, width, _ = PICTURES[picture_name]
        image = picture(picture_name, *PICTURES[picture_name])
        rgb = image if image.ndim == 3 else np.stack([image] * 3, axis=-1)
        pixels = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
        points, labels, boxes = their_prompts(case, (side / height, side / width))
        if len(boxes):
            corners = boxes.reshape(-1, 2, 2)
            points = np.concatenate([points, corners], axis=1) if len(points) else corners
            ends = np.tile([2, 3], (len(boxes), 1))
            labels = np.concatenate([labels, ends], axis=1) if len(labels) else ends
        given, kinds = _tensor(points)[None], torch.from_numpy(labels)[None]
        with torch.no_grad():
            embedding = model.get_image_embeddings(pixels)
            low, full = (
                [
                    model.predict_masks(embedding, given, kinds, multimask, height, width, *size)
                    for multimask in (False, True)
                ]
                for size in ((-1, -1), (height, width))
            )
            scaled = model.get_rescaled_pts(given, height, width)[0]
            filling = 6 - scaled.shape[1]
            sparse = model.prompt_encoder(
                torch.nn.functional.pad(scaled, (0, 0, 0, filling), value=-1.0),
                torch.nn.functional.pad(kinds[0], (0, filling), value=-1),
            )
        low_logits, scores = (torch.cat(parts, dim=2)[0] for parts in zip(*low, strict=True))
        full_logits = torch.cat([logits for logits, _ in full], dim=2)[0]
        found |= _stored(name, low_logits, scores, full_logits)
        found[f"{picture_name}/embedding"], found[f"{name}/sparse"] = sampled(embedding), sampled(sparse)
    return found


def _stored(name: str, low: torch.Tensor, scores: torch.Tensor, full: torch.Tensor) -> Arrays:
    return {
        f"{name}/low": sampled(low),
        f"{name}/scores": scores.numpy(),
        f"{name}/full": sampled(full),
        f"{name}/mask": np.packbits(full.numpy() > 0),
    }


def _tensor(values: NDArray[Any]) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float)


def _sam_parts(modeling: Any, sizes: Sizes) -> tuple[Any, Any]:
    grid = sizes.side // 16
    prompts = modeling.PromptEncoder(sizes.dim, (grid, grid), (sizes.side, sizes.side), 16)
    transformer = modeling.TwoWayTransformer(2, sizes.dim, sizes.decoder_heads, sizes.mlp_dim)
    decoder = modeling.MaskDecoder(
        transformer_dim=sizes.dim, transformer=transformer, iou_head_hidden_dim=sizes.iou_hidden
    )
    return prompts, decoder


def make_segment_anything(family: str) -> Arrays:
    """Build SAM from the reference's classes, and ask it."""
    from segment_anything import SamPredictor, modeling

    sizes = SIZES[family]
    encoder = modeling.ImageEncoderViT(
        img_size=sizes.side, embed_dim=sizes.widths[0], depth=sizes.depths[0], num_heads=sizes.heads[0],
        out_chans=sizes.dim, norm_layer=lambda width: torch.nn.LayerNorm(width, eps=1e-6), use_rel_pos=True,
        window_size=SAM_WINDOW, global_attn_indexes=SAM_GLOBAL,
    )  # fmt: skip
    model = modeling.Sam(encoder, *_sam_parts(modeling, sizes)).eval()
    fill(model.requires_grad_(False).state_dict())
    return answers_of_sam(model, SamPredictor, family)


def make_mobile_sam(family: str) -> Arrays:
    """Build MobileSAM from the reference's classes, and ask it."""
    from mobile_sam import SamPredictor, modeling

    sizes = SIZES[family]
    encoder = modeling.TinyViT(
        img_size=sizes.side, num_classes=10, embed_dims=list(sizes.widths), depths=list(sizes.depths),
        num_heads=list(sizes.heads), window_sizes=list(TINY_WINDOWS), drop_path_rate=0.0,
    )  # fmt: skip
    model = modeling.Sam(encoder, *_sam_parts(modeling, sizes))
    fill(model.requires_grad_(False).state_dict())
    return answers_of_sam(model.eval(), SamPredictor, family)  # eval() lays the attention's biases out


def make_efficient_sam(family: str) -> Arrays:
    """Build EfficientSAM from the reference's classes, and ask it."""
    from efficient_sam import efficient_sam as theirs

    sizes, gelu = SIZES[family], torch.nn.GELU
    grid = sizes.side // 16
    encoder = theirs.ImageEncoderViT(
        sizes.side, 16, 3, sizes.widths[0], "layer_norm", sizes.depths[0], sizes.heads[0], 4.0,
        [sizes.dim, sizes.dim], gelu,
    )  # fmt: skip
    decoder = theirs.MaskDecoder(
        transformer_dim=sizes.dim,
        transformer=theirs.TwoWayTransformer(
            2, sizes.dim, sizes.decoder_heads, sizes.mlp_dim, gelu, normalize_before_activation=False
        ),
        num_multimask_outputs=3, activation=gelu, normalization_type="layer_norm",
        normalize_before_activation=False, iou_head_depth=2, iou_head_hidden_dim=sizes.iou_hidden,
        upscaling_layer_dims=[64, 32],
    )  # fmt: skip
    prompts = theirs.PromptEncoder(sizes.dim, (grid, grid), (sizes.side, sizes.side))
    model = theirs.EfficientSam(encoder, prompts, 6, decoder).eval()
    fill(model.requires_grad_(False).state_dict())
    return answers_of_efficient_sam(model, family)


MAKERS: dict[str, Callable[[str], Arrays]] = {
    "segment_anything": make_segment_anything,
    "mobile_sam": make_mobile_sam,
    "efficient_sam_ti": make_efficient_sam,
    "efficient_sam_s": make_efficient_sam,
}


def main() -> int:
    """Write a file for each family whose reference is installed; 1 where one is missing."""
    missing = 0
    for family, make in MAKERS.items():
        try:
            found = make(family)
        except ImportError as error:
            sys.stderr.write(f"{family}: left out, {error}\n")
            missing = 1
            continue
        np.savez_compressed(FOLDER / f"{family}.npz", **found)
    return missing


if __name__ == "__main__":
    sys.exit(main())
