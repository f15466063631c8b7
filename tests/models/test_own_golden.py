"""Networks with numbers from a formula: their outputs stay what they were, here and elsewhere."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from napari_sam.models.sam import Sam
from tests.tiny_models import SIDE, build_conv_sam, build_vit_sam

EXPECTED: dict[str, tuple[list[float], list[float]]] = {
    "build_conv_sam": (
        [0.453401, 0.170733, -0.215121, -1.885906, 2.836069, 1.092312, 3.643723, -0.55061],
        [-0.341783, -0.530138, -0.433976, -2.608785],
    ),
    "build_vit_sam": (
        [-0.568506, 0.221659, -0.077887, 0.027594, -1.160229, -0.995581, 0.515201, 0.080801],
        [-2.314093, -1.725413, 0.872796, 2.301934],
    ),
}


def _fill(model: nn.Module) -> None:
    """Give every number of a model a value that depends on its name's place and its own."""
    for number, (name, tensor) in enumerate(sorted(model.state_dict().items())):
        if not tensor.is_floating_point():
            continue
        phase = torch.arange(tensor.numel(), dtype=torch.float64) * 12.9898 + 78.233 * number
        wave = 2 * (torch.sin(phase) * 4375.85).frac().abs() - 1  # as good as random, and the same everywhere
        if name.endswith("running_var"):
            values = 1 + 0.2 * wave
        elif tensor.ndim == 1:
            values = (1.0 if name.endswith("weight") else 0.0) + 0.1 * wave
        else:
            values = wave * math.sqrt(6 / max(tensor[0].numel(), 1))
        tensor.copy_(values.reshape(tensor.shape))


def _answer(model: Sam) -> tuple[Tensor, Tensor]:
    _fill(model)
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    pixels = torch.stack([torch.sin(rows / (3 + c)) * torch.cos(columns / (5 - c)) for c in range(3)])[None]
    points = torch.tensor([[[20.0, 31.5], [50.0, 8.0], [10.0, 12.0], [55.0, 60.0]]])
    mask = torch.cos(rows / 9.0)[None, None, ::4, ::4] * 4
    with torch.inference_mode():
        decoded = model.eval().decode_all(model.encode(pixels), points, torch.tensor([[1, 0, 2, 3]]), mask)
        return decoded.mask_logits, decoded.iou_scores


@pytest.mark.parametrize("build", [build_conv_sam, build_vit_sam])
def test_outputs_are_what_they_were(build: object) -> None:
    assert callable(build)
    logits, scores = _answer(build())
    expected_logits, expected_scores = EXPECTED[build.__name__]
    assert logits[0, :, 3::6, 2::6].flatten().tolist()[::5] == pytest.approx(
        expected_logits, rel=1e-5, abs=1e-4
    )
    assert scores[0].tolist() == pytest.approx(expected_scores, rel=1e-5, abs=1e-4)
