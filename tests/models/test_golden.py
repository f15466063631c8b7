"""Our networks against `transformers.SamModel` with the same random numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from napari_sam.models.image_encoder import EncoderShape, ImageEncoder
from napari_sam.models.mask_decoder import MaskDecoder
from napari_sam.models.prompt_encoder import PromptEncoder
from napari_sam.models.sam import Sam
from napari_sam.models.two_way_transformer import TwoWayTransformer

transformers = pytest.importorskip("transformers", reason="the reference of the golden test is not installed")

TOLERANCE = 1e-5
SIDE, DIM, HEADS, DEPTH, WINDOW, GLOBAL = 96, 32, 4, 4, 4, (1, 3)
"""A grid of 6 x 6 tokens: windows of 4 need padding, as 64 does with windows of 14."""

_RENAMED = (
    ("vision_encoder.patch_embed.projection.", "image_encoder.patch_embed.proj."),
    ("vision_encoder.neck.conv1.", "image_encoder.neck.0."),
    ("vision_encoder.neck.layer_norm1.", "image_encoder.neck.1."),
    ("vision_encoder.neck.conv2.", "image_encoder.neck.2."),
    ("vision_encoder.neck.layer_norm2.", "image_encoder.neck.3."),
    ("vision_encoder.layers.", "image_encoder.blocks."),
    ("vision_encoder.", "image_encoder."),
    (
        "prompt_encoder.shared_embedding.positional_embedding",
        "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
    ),
    ("prompt_encoder.point_embed.", "prompt_encoder.point_embeddings."),
    ("prompt_encoder.mask_embed.conv1.", "prompt_encoder.mask_downscaling.0."),
    ("prompt_encoder.mask_embed.layer_norm1.", "prompt_encoder.mask_downscaling.1."),
    ("prompt_encoder.mask_embed.conv2.", "prompt_encoder.mask_downscaling.3."),
    ("prompt_encoder.mask_embed.layer_norm2.", "prompt_encoder.mask_downscaling.4."),
    ("prompt_encoder.mask_embed.conv3.", "prompt_encoder.mask_downscaling.6."),
    ("mask_decoder.upscale_conv1.", "mask_decoder.output_upscaling.0."),
    ("mask_decoder.upscale_layer_norm.", "mask_decoder.output_upscaling.1."),
    ("mask_decoder.upscale_conv2.", "mask_decoder.output_upscaling.3."),
    (".layer_norm", ".norm"),
)
"""The reference's names by ours."""


def _our_name(name: str) -> str:
    if "output_hypernetworks_mlps" in name or "iou_prediction_head" in name:
        return (
            name.replace("layers.0.", "layers.1.")
            .replace("proj_in.", "layers.0.")
            .replace("proj_out.", "layers.2.")
        )
    for theirs, ours in _RENAMED:
        name = name.replace(theirs, ours)
    return name


def _reference_state(reference: Any) -> dict[str, Tensor]:
    """Name the reference's numbers as ours; its shared position matrix stands in its state several times."""
    state = reference.state_dict().items()
    return {
        _our_name(name): value.clone()
        for name, value in state
        if not name.startswith("shared_image_embedding")
    }


@pytest.fixture(scope="module")
def reference() -> Any:
    torch.manual_seed(7)
    vision = transformers.SamVisionConfig(
        hidden_size=DIM,
        output_channels=DIM,
        num_hidden_layers=DEPTH,
        num_attention_heads=HEADS,
        image_size=SIDE,
        patch_size=16,
        window_size=WINDOW,
        global_attn_indexes=list(GLOBAL),
        num_pos_feats=DIM // 2,
        mlp_dim=4 * DIM,
    )
    prompt = transformers.SamPromptEncoderConfig(
        hidden_size=DIM, image_size=SIDE, patch_size=16, mask_input_channels=16
    )
    # The published two-way transformer has torch's default of 1e-5 in its layer norms, as ours has; the
    # reference's configuration says 1e-6, which moves logits by 3e-5.
    decoder = transformers.SamMaskDecoderConfig(
        hidden_size=DIM,
        mlp_dim=2 * DIM,
        num_attention_heads=HEADS,
        iou_head_hidden_dim=48,
        iou_head_depth=3,
        layer_norm_eps=1e-5,
    )
    config = transformers.SamConfig(
        vision_config=vision,
        prompt_encoder_config=prompt,
        mask_decoder_config=decoder,
        attn_implementation="eager",
    )
    model = transformers.SamModel(config).eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        fan_in = max(parameter[0].numel(), 1) if parameter.ndim > 1 else 1
        spread = 0.2 if parameter.ndim == 1 or "rel_pos" in name or "pos_embed" in name else 1.5 / fan_in**0.5
        centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
        parameter.copy_(centre + spread * torch.randn_like(parameter))
    matrix = torch.randn(2, DIM // 2)
    model.shared_image_embedding.positional_embedding.copy_(matrix)
    model.prompt_encoder.shared_embedding.positional_embedding.copy_(matrix)
    return model


@pytest.fixture(scope="module")
def ours(reference: Any) -> Sam:
    shape = EncoderShape(DIM, DEPTH, HEADS, GLOBAL, side=SIDE, window=WINDOW, out_dim=DIM)
    transformer = TwoWayTransformer(depth=2, dim=DIM, n_heads=HEADS, mlp_dim=2 * DIM)
    decoder = MaskDecoder(DIM, transformer, iou_hidden_dim=48, iou_depth=3)
    model = Sam(ImageEncoder(shape), PromptEncoder(DIM), decoder, SIDE)
    model.load_state_dict(_reference_state(reference), strict=True)
    return model.eval().requires_grad_(False)


@pytest.fixture(params=["as small models", "as large models", "as on a GPU"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every comparison in each way: large models and other devices take others to the same numbers."""
    if request.param == "as large models":
        monkeypatch.setattr("napari_sam.models.products.WORTH_IT", 0)
        monkeypatch.setattr("napari_sam.models.two_way_transformer.WORTH_FOLDING", 0)
        monkeypatch.setattr("napari_sam.models.mask_decoder.LARGE_IMAGE", 0)
        monkeypatch.setattr("napari_sam.models.grid_attention.LOGITS_AT_ONCE", 6**3)
    if request.param == "as on a GPU":
        for module in ("grid_attention", "image_encoder", "mask_decoder"):
            monkeypatch.setattr(f"napari_sam.models.{module}.is_on_processor", lambda tensor: False)


@pytest.fixture(scope="module")
def pixels() -> Tensor:
    return torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))


def _difference(a: Tensor, b: Tensor) -> float:
    assert a.shape == b.shape
    return float((a - b).abs().max())


def test_image_embedding(reference: Any, ours: Sam, pixels: Tensor) -> None:
    expected = reference.get_image_embeddings(pixels)
    found = ours.encode(pixels)["image_embedding"]
    assert float(expected.std()) > 0.1
    assert _difference(found, expected) <= TOLERANCE


def test_attention_in_parts_is_the_same(ours: Sam, pixels: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ours.encode(pixels)["image_embedding"]
    monkeypatch.setattr("napari_sam.models.grid_attention.LOGITS_AT_ONCE", 1)
    monkeypatch.setattr("napari_sam.models.grid_attention.BIASES_AT_ONCE", 1)
    assert _difference(ours.encode(pixels)["image_embedding"], whole) <= TOLERANCE


def test_position_encoding_of_the_grid(reference: Any, ours: Sam) -> None:
    grid = SIDE // 16
    assert (
        _difference(
            ours.prompt_encoder.dense_pe((grid, grid)), reference.get_image_wide_positional_embeddings()
        )
        <= 1e-6
    )


POINT = ([[[40.0, 31.0]]], [[1]])
POINTS = ([[[40.0, 31.0], [70.5, 12.25], [8.0, 90.0]]], [[1, 0, 1]])
BOX = [[[10.0, 22.5, 64.0, 80.0]]]
CASES = {
    "positive point": (POINT, None, False),
    "negative point": (([[[40.0, 31.0]]], [[0]]), None, False),
    "points": (POINTS, None, False),
    "box": (None, BOX, False),
    "box and points": (POINTS, BOX, False),
    "point and mask": (POINT, None, True),
    "box and mask": (None, BOX, True),
    "everything": (POINTS, BOX, True),
}


def _mask_input() -> Tensor:
    side = SIDE // 4
    return 6 * torch.randn(1, 1, side, side, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("multimask", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_prompts_to_masks(reference: Any, ours: Sam, pixels: Tensor, case: str, multimask: bool) -> None:
    points, box, with_mask = CASES[case]
    mask = _mask_input() if with_mask else None
    embedding = reference.get_image_embeddings(pixels)
    expected = reference(
        image_embeddings=embedding,
        input_points=None if points is None else torch.tensor([points[0]]),
        input_labels=None if points is None else torch.tensor([points[1]]),
        input_boxes=None if box is None else torch.tensor(box),
        input_masks=mask,
        multimask_output=multimask,
    )
    points_xy, labels = _our_prompts(points, box)
    logits, scores = ours.decode({"image_embedding": embedding}, points_xy, labels, mask, multimask)
    assert logits.shape == (1, 3 if multimask else 1, SIDE // 4, SIDE // 4)
    assert float(logits.std()) > 0.05
    assert _difference(logits, expected.pred_masks[0]) <= TOLERANCE
    assert _difference(scores, expected.iou_scores[0]) <= TOLERANCE


@pytest.mark.parametrize("case", CASES)
def test_prompt_embeddings(reference: Any, ours: Sam, case: str) -> None:
    points, box, with_mask = CASES[case]
    mask = _mask_input() if with_mask else None
    sparse, dense = reference.prompt_encoder(
        None if points is None else torch.tensor([points[0]]),
        None if points is None else torch.tensor([points[1]]),
        None if box is None else torch.tensor(box),
        mask,
    )
    points_xy, labels = _our_prompts(points, box)
    grid = SIDE // 16
    assert _difference(ours.prompt_encoder.sparse(points_xy, labels, (SIDE, SIDE)), sparse[0]) <= 1e-6
    ours_dense = ours.prompt_encoder.dense(mask, 1, (grid, grid))
    assert _difference(ours_dense, dense.expand_as(ours_dense)) <= TOLERANCE


def _our_prompts(points: Any, box: Any) -> tuple[Tensor, Tensor]:
    """Points, then the corners of the box as points with labels 2 and 3."""
    xy = torch.zeros(1, 0, 2) if points is None else torch.tensor(points[0])
    labels = torch.zeros(1, 0, dtype=torch.long) if points is None else torch.tensor(points[1])
    if box is not None:
        xy = torch.cat([xy, torch.tensor(box).reshape(1, 2, 2)], dim=1)
        labels = torch.cat([labels, torch.tensor([[2, 3]])], dim=1)
    return xy, labels


def test_many_prompts_at_once_are_as_one_by_one(ours: Sam, pixels: Tensor) -> None:
    features = ours.encode(pixels)
    xy = torch.rand(5, 2, 2, generator=torch.Generator().manual_seed(1)) * SIDE
    labels = torch.tensor([[1, 0]]).expand(5, -1)
    together, scores, _presence = ours.decode_all(features, xy, labels)
    for i in range(5):
        alone, score, _presence = ours.decode_all(features, xy[i : i + 1], labels[i : i + 1])
        assert _difference(together[i : i + 1], alone) <= TOLERANCE
        assert _difference(scores[i : i + 1], score) <= TOLERANCE
