"""The newest click is obeyed, and nothing else is touched."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_sam.core.prompts import PointPrompt
from napari_sam.engine.frame import Frame
from napari_sam.engine.model_prompts import ModelPrompts
from napari_sam.engine.newest_click import GIVEN_LOGIT, obeying
from napari_sam.engine.upscaling import above_in_plane
from napari_sam.models.prompt_encoder import BOX_FIRST, BOX_SECOND, NEGATIVE, POSITIVE
from napari_sam.models.refiner import Refiners
from tests.engine.asking import PLANE, ask
from tests.engine.test_refining import BOX, Says, make_volume

PLANE_HW = (120, 90)
FRAME = Frame(PLANE_HW, 384)


def clicked(*clicks: tuple[int, int, bool], box: bool = False) -> ModelPrompts:
    """Ask by clicks on (row, col), and by a box of most of the plane."""
    places = tuple(FRAME.to_model_xy(click[:2]) for click in clicks)
    labels = tuple(POSITIVE if positive else NEGATIVE for *_, positive in clicks)
    corners = FRAME.corners_xy((20, 20, 100, 80)) if box else ()
    return ModelPrompts((*places, *corners), (*labels, *((BOX_FIRST, BOX_SECOND) if box else ())), None)


def some_logits() -> torch.Tensor:
    """A smooth answer with an object in the middle and unsure surroundings."""
    noise = np.random.default_rng(2).standard_normal((96, 96))
    rows, cols = np.ogrid[:96, :96]
    field = 6 - 0.4 * np.hypot(rows - 45, cols - 35) + 8 * ndimage.gaussian_filter(noise, 4)
    return torch.from_numpy(field.astype(np.float32))


@pytest.mark.parametrize("box", [False, True])
@pytest.mark.parametrize("at", [(2, 3), (55, 43), (70, 50), (90, 80), (119, 89), (0, 89)])
@pytest.mark.parametrize("positive", [False, True])
def test_the_newest_click_is_on_its_own_side(at: tuple[int, int], positive: bool, box: bool) -> None:
    logits = some_logits()
    asked = clicked((55, 43, True), (*at, positive), box=box)
    drawn = obeying(logits[None], [FRAME], [asked])[0]
    part, row0, col0 = above_in_plane(FRAME, drawn, 0.0)
    mask = np.zeros(PLANE_HW, np.bool_)
    mask[row0 : row0 + part.shape[0], col0 : col0 + part.shape[1]] = part > 0
    assert mask[at] == positive
    far = np.hypot(*np.ogrid[-at[0] : 120 - at[0], -at[1] : 90 - at[1]]) > 30
    before = FRAME.plane_logits(logits[None])[0].numpy() > 0
    assert (mask == before)[far].all()


def test_what_is_right_stays_bit_for_bit() -> None:
    logits = some_logits()
    asked = [
        clicked((55, 43, True)),
        clicked((2, 3, False)),
        clicked((2, 3, True), (55, 43, True)),  # an older click is not what counts
        clicked(box=True),
    ]
    drawn = obeying(logits.expand(4, -1, -1), [FRAME] * 4, asked)
    assert torch.equal(drawn, logits.expand(4, -1, -1))


def test_the_outline_moves_no_farther_than_it_must() -> None:
    logits = torch.full((96, 96), -4.0)
    logits[30:60, 30:60] = 4.0
    drawn = obeying(logits[None], [FRAME], [clicked((81, 42, True))])[0]
    col, row = ((at + 0.5) / 384 * 96 - 0.5 for at in FRAME.to_model_xy((81, 42)))
    assert float(drawn.max()) <= 4.0 + GIVEN_LOGIT
    added = (drawn > 0) & (logits <= 0)
    rows, cols = added.nonzero().unbind(dim=1)
    assert 0 < len(rows) < 40
    assert float(torch.hypot(rows - row, cols - col).max()) < 4


@pytest.mark.parametrize("positive", [False, True])
def test_a_click_is_obeyed_whatever_is_drawn_anew(positive: bool, make_segmenter) -> None:
    segmenter, volume = make_segmenter(), make_volume()
    drawn = Says(-30.0 if positive else 30.0)  # the whole square, or nothing of it
    segmenter._refiner = Refiners(drawn, drawn).eval()
    answer = segmenter.segment(ask(volume, PointPrompt((1.0, 44.0, 62.0), positive), BOX))
    mask = answer.masks[answer.best].to_plane(PLANE, volume.shape)
    assert mask[44, 62] == positive
    assert mask[44, 52] != positive
