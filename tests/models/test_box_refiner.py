"""The network that draws boxed objects anew."""

from __future__ import annotations

import pytest
import torch

from napari_sam.models.box_refiner import CROP_SIDE, HELD, BoxRefiner


def seen(n: int) -> tuple[torch.Tensor, ...]:
    """Pictures, boxes, candidates and scores."""
    torch.manual_seed(4)
    box = torch.tensor([-0.3, -0.2, 0.3, 0.2]).expand(n, -1)
    side = (CROP_SIDE, CROP_SIDE)
    return 255 * torch.rand(n, 3, *side), box, 9 * torch.randn(n, 3, *side), torch.rand(n, 3)


def test_it_begins_with_what_the_candidates_say() -> None:
    pictures, box, candidates, scores = seen(3)
    found = BoxRefiner().eval()(pictures, box, candidates, scores)
    shares = torch.softmax(torch.tensor([1.0, 0.0, 0.0]), dim=0)
    wanted = (candidates.clamp(-HELD, HELD) * shares[None, :, None, None]).sum(dim=1)
    assert torch.allclose(found.mask_logits, wanted, atol=1e-4)
    assert found.scores.shape == (3, 4)


def test_each_is_looked_at_by_itself() -> None:
    torch.manual_seed(5)
    network = BoxRefiner().eval()
    torch.nn.init.normal_(network.drawing.weight, std=0.1)
    parts = seen(3)
    together = network(*parts)
    for i in range(3):
        alone = network(*(part[i : i + 1] for part in parts))
        assert torch.allclose(alone.mask_logits[0], together.mask_logits[i], atol=1e-4)
        assert torch.allclose(alone.scores[0], together.scores[i], atol=1e-4)


def test_brightness_and_contrast_hardly_matter() -> None:
    torch.manual_seed(6)
    network = BoxRefiner().eval()
    torch.nn.init.normal_(network.drawing.weight, std=0.1)
    pictures, *others = seen(1)
    plain = network(pictures, *others).mask_logits
    assert torch.allclose(network(0.5 * pictures + 60, *others).mask_logits, plain, atol=0.15)


def test_an_even_picture_gives_numbers() -> None:
    pictures, *others = seen(2)
    found = BoxRefiner()(torch.full_like(pictures, 7.0), *others)
    assert found.mask_logits.isfinite().all()
    assert found.scores.isfinite().all()


@pytest.mark.parametrize("edge", [0, 1, 2, 3])
def test_it_sees_the_box(edge: int) -> None:
    torch.manual_seed(7)
    network = BoxRefiner().eval()
    torch.nn.init.normal_(network.drawing.weight, std=0.1)
    pictures, box, candidates, scores = seen(1)
    other = box.clone()
    other[0, edge] *= 0.5
    plain, moved = (network(pictures, one, candidates, scores).mask_logits for one in (box, other))
    assert (plain - moved).abs().max() > 1e-3
