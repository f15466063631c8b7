"""Real objects cut out of their pictures and put before others, with soft edges.

Films and nuclei lend the objects; any real picture, or generated stuff, is the ground. Some objects
are put into the first plane only, so that real-looking objects end, too.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_sam.training.anything import figures, regions
from napari_sam.training.appearance import paint
from napari_sam.training.fields import blur, chance, looked_up, uniform, whole
from napari_sam.training.real_images import LabelledFrames, draw_real_pair

LENDERS = ("video", "nuclei")
"""Words in the modality of pictures whose objects are cut out."""

ENDED_SHARE = 0.2
"""Part of the objects that are missing in the second plane."""


def can_paste(items: Sequence[LabelledFrames]) -> bool:
    """Say whether any picture lends objects."""
    return any(word in item.kind for item in items for word in LENDERS)


def paste_pair(
    items: Sequence[LabelledFrames], hw: tuple[int, int], rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Put real objects before another ground.

    Parameters
    ----------
    items : sequence of LabelledFrames
        Real pictures, some of which lend objects.
    hw : tuple of int
        Height and width in pixels.
    rng : torch.Generator
        Where chance comes from.

    Returns
    -------
    tuple of Tensor
        Image ``(2, 3, H, W)`` from 0 to 1 and labels ``(2, H, W)`` int64.
    """
    word = LENDERS[whole(0, len(LENDERS) - 1, rng)]
    lenders = [i for i in items if word in i.kind] or [i for i in items if any(w in i.kind for w in LENDERS)]
    image = _ground(items, hw, rng)
    labels = torch.zeros(2, *hw, dtype=torch.int64, device=rng.device)
    for _ in range(whole(1, 2, rng)):
        seen, numbers = draw_real_pair(lenders[whole(0, len(lenders) - 1, rng)], hw, rng)
        numbers = _thinned(numbers, rng)
        soft = blur((numbers > 0).float(), uniform(0.4, 1.2, rng)).unsqueeze(1)
        image = torch.lerp(image, _recoloured(seen, rng), soft)
        labels = torch.where(numbers > 0, numbers + int(labels.max()), labels)
    return image, labels


def put_before_film(
    items: Sequence[LabelledFrames], image: Tensor, labels: Tensor, rng: torch.Generator
) -> Tensor:
    """Put things of a drawn photograph ``(2, 3, H, W)`` before a real one, with soft edges.

    What the real one holds is not labelled. Without a film among `items` the image stays as it is.
    """
    films = [item for item in items if "video" in item.kind]
    if not films:
        return image
    hw = (labels.shape[1], labels.shape[2])
    ground = draw_real_pair(films[whole(0, len(films) - 1, rng)], hw, rng)[0]
    soft = blur((labels > 0).float(), uniform(0.3, 1.0, rng)).unsqueeze(1)
    return torch.lerp(_recoloured(ground, rng), image, soft)


def _ground(items: Sequence[LabelledFrames], hw: tuple[int, int], rng: torch.Generator) -> Tensor:
    """Take another picture as the ground, its own objects left as they are, or something generated."""
    if chance(0.65, rng):
        kinds = sorted({item.kind for item in items})
        kind = kinds[whole(0, len(kinds) - 1, rng)]
        of_kind = [item for item in items if item.kind == kind]
        image = draw_real_pair(of_kind[whole(0, len(of_kind) - 1, rng)], hw, rng)[0]
        return _recoloured(image, rng)
    family = figures if chance(0.5, rng) else regions
    return paint(family(hw, rng), None, rng).clamp(0, 1)


def _recoloured(image: Tensor, rng: torch.Generator) -> Tensor:
    """Change brightness, contrast and colours a little, at times a lot."""
    spread = 0.15 if chance(0.7, rng) else 0.5
    gain = 1 + (torch.rand(3, generator=rng, device=rng.device) - 0.5) * spread
    image = image * (gain * uniform(0.75, 1.25, rng)).view(1, 3, 1, 1)
    image.add_(uniform(-0.1, 0.1, rng)).clamp_(0, 1)
    if chance(0.1, rng):
        image = image[:, torch.randperm(3, generator=rng, device=rng.device)]
    return image


def _thinned(numbers: Tensor, rng: torch.Generator) -> Tensor:
    """Leave out some objects, and others in the second plane only."""
    n_most = int(numbers.max())
    luck = torch.rand(n_most + 1, generator=rng, device=rng.device)
    kept = luck > uniform(0.0, 0.7, rng)
    ended = torch.rand(n_most + 1, generator=rng, device=rng.device) < ENDED_SHARE
    first = torch.where(looked_up(kept, numbers[0]), numbers[0], 0)
    second = torch.where(looked_up(kept & ~ended, numbers[1]), numbers[1], 0)
    return torch.stack([first, second])
