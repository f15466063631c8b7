"""A small network that was taught to find the disc under a point; see tests/golden/make_auto_goldens.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from napari_sam.models.image_encoder import EncoderShape, ImageEncoder
from napari_sam.models.mask_decoder import MaskDecoder
from napari_sam.models.prompt_encoder import PromptEncoder
from napari_sam.models.sam import Sam
from napari_sam.models.two_way_transformer import TwoWayTransformer
from tests.tiny_models import DIM, SIDE


def taught_sam() -> Sam:
    """Load it: what it finds depends on the point."""
    shape = EncoderShape(DIM, 2, 2, (1,), side=SIDE, window=3, out_dim=DIM)
    transformer = TwoWayTransformer(depth=2, dim=DIM, n_heads=2, mlp_dim=2 * DIM)
    decoder = MaskDecoder(DIM, transformer, iou_hidden_dim=DIM)
    model = Sam(ImageEncoder(shape), PromptEncoder(DIM, 8), decoder, SIDE)
    with np.load(Path(__file__).parent / "golden" / "auto_weights.npz") as stored:
        model.load_state_dict({name: torch.from_numpy(stored[name]).float() for name in stored.files})
    return model.eval().requires_grad_(False)
