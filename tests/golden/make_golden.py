"""Write what the reference implementations answer, for the tests to compare with.

Run from the repository's root, where the packages can be imported::

    PYTHONPATH=.:…/segment-anything:…/MobileSAM:…/EfficientSAM python -m tests.golden.make_golden

It needs torch, torchvision, Pillow, numpy and scikit-image, timm for MobileSAM, and clones of
facebookresearch/segment-anything (dca509f), ChaoningZhang/MobileSAM (34bbbfd) and yformer/EfficientSAM
(d525f62). A family whose package is not there is left out, and said so. ``<family>.npz`` holds, for each of
its cases in `recipe`, the stages of `benchmarks._answers`, as ``<picture>/embedding`` and ``<case>/<stage>``,
all but the scores thinned by `recipe.sampled`; and ``<case>/mask``, where ``full`` is above 0, whole and
packed into bits.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import _answers
from tests.golden.recipe import (
    PICTURES,
    SAM_GLOBAL,
    SAM_WINDOW,
    SIZES,
    TINY_WINDOWS,
    Sizes,
    cases_of,
    fill,
    mask_input,
    picture,
    sampled,
)

FOLDER = Path(__file__).parent
Arrays = dict[str, NDArray[Any]]


def answers(show: Callable[..., _answers.Ask], reference: Any, family: str) -> Arrays:
    """Put all cases of a family to its reference, and thin what it says."""
    found: Arrays = {}
    for name, (picture_name, asked) in cases_of(family).items():
        given = mask_input(SIZES[family].side // 4) if asked.with_mask else None
        said = show(reference, picture(picture_name, *PICTURES[picture_name]))(asked, given)
        found[f"{picture_name}/embedding"] = sampled(said.pop("embedding"))
        found[f"{name}/scores"] = said.pop("scores").numpy()
        found[f"{name}/mask"] = np.packbits(said["full"].numpy() > 0)
        found |= {f"{name}/{stage}": sampled(values) for stage, values in said.items()}
    return found


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
    return answers(_answers.of_sam, SamPredictor(model), family)


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
    # eval() lays the attention's biases out, so that it comes last.
    return answers(_answers.of_sam, SamPredictor(model.eval()), family)


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
    return answers(_answers.of_efficient_sam, model, family)


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
