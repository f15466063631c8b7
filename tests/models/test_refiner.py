"""The network that draws answers anew."""

from __future__ import annotations

import pytest
import torch

from napari_sam.models.refiner import CROP_SIDE, HELD, MOST_CLICKS, NOWHERE, Refiner, Refiners, Seen


def seen(n: int) -> Seen:
    """What there is to see of some objects: a box and two clicks each."""
    torch.manual_seed(4)
    side = (CROP_SIDE, CROP_SIDE)
    clicks = torch.zeros(n, MOST_CLICKS, 3)
    clicks[:, 0] = torch.tensor([0.1, -0.2, 1.0])
    clicks[:, 1] = torch.tensor([-0.3, 0.2, -1.0])
    return Seen(
        picture=255 * torch.rand(n, 3, *side),
        box=torch.tensor([-0.3, -0.2, 0.3, 0.2]).expand(n, -1).clone(),
        clicks=clicks,
        candidates=9 * torch.randn(n, 3, *side),
        before=5 * torch.randn(n, 1, *side),
        scores=torch.rand(n, 3),
    )


@pytest.fixture
def network() -> Refiner:
    """One that says something of its own."""
    torch.manual_seed(5)
    made = Refiner().eval()
    torch.nn.init.normal_(made.drawing.weight, std=0.1)
    return made


def test_it_begins_with_what_the_candidates_say() -> None:
    shown = seen(3)
    found = Refiner().eval()(shown)
    shares = torch.softmax(torch.tensor([1.0, 0.0, 0.0]), dim=0)
    wanted = (shown.candidates.clamp(-HELD, HELD) * shares[None, :, None, None]).sum(dim=1)
    assert torch.allclose(found.mask_logits, wanted, atol=1e-4)
    assert found.scores.shape == (3, 4)


def test_each_kind_of_prompt_has_its_network(network: Refiner) -> None:
    both, shown = Refiners(Refiner(sees_clicks=False).eval(), network), seen(2)
    assert torch.equal(both(shown).mask_logits, network(shown).mask_logits)
    boxed = shown._replace(clicks=0 * shown.clicks)
    assert torch.equal(both(boxed).mask_logits, both.of_boxes(boxed).mask_logits)
    assert torch.equal(both.of_boxes(boxed).mask_logits, both.of_boxes(shown).mask_logits)


def test_each_is_looked_at_by_itself(network: Refiner) -> None:
    shown = seen(3)
    together = network(shown)
    for i in range(3):
        alone = network(Seen(*(part[i : i + 1] for part in shown)))
        assert torch.allclose(alone.mask_logits[0], together.mask_logits[i], atol=1e-4)
        assert torch.allclose(alone.scores[0], together.scores[i], atol=1e-4)


def test_brightness_and_contrast_hardly_matter(network: Refiner) -> None:
    shown = seen(1)
    plain = network(shown).mask_logits
    darker = shown._replace(picture=0.5 * shown.picture + 60)
    assert torch.allclose(network(darker).mask_logits, plain, atol=0.15)


def test_an_even_picture_gives_numbers() -> None:
    shown = seen(2)
    found = Refiner()(shown._replace(picture=torch.full_like(shown.picture, 7.0)))
    assert found.mask_logits.isfinite().all()
    assert found.scores.isfinite().all()


@pytest.mark.parametrize("edge", [0, 1, 2, 3])
def test_it_sees_the_box(edge: int, network: Refiner) -> None:
    shown = seen(1)
    moved = shown.box.clone()
    moved[0, edge] *= 0.5
    without = torch.full_like(moved, NOWHERE)
    plain = network(shown).mask_logits
    for box in (moved, without):
        assert (plain - network(shown._replace(box=box)).mask_logits).abs().max() > 1e-3


@pytest.mark.parametrize(("click", "part"), [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)])
def test_it_sees_each_click_and_what_it_means(click: int, part: int, network: Refiner) -> None:
    shown = seen(1)
    clicks = shown.clicks.clone()
    clicks[0, click, part] *= -1
    change = network(shown).mask_logits - network(shown._replace(clicks=clicks)).mask_logits
    assert change.abs().max() > 1e-3


def test_it_sees_which_click_is_the_newest(network: Refiner) -> None:
    shown = seen(1)
    turned = shown.clicks[:, [1, 0, *range(2, MOST_CLICKS)]]
    change = network(shown).mask_logits - network(shown._replace(clicks=turned)).mask_logits
    assert change.abs().max() > 1e-3


def test_it_sees_the_mask_before(network: Refiner) -> None:
    shown = seen(1)
    change = network(shown).mask_logits - network(shown._replace(before=-shown.before)).mask_logits
    assert change.abs().max() > 1e-3
