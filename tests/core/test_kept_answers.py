"""Answers that a session keeps: nothing of them is lost, and undo brings all of it back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_sam.core.kept_answers import KeptAnswer, PackedArray
from napari_sam.core.masks import BoxedMask
from napari_sam.core.objects import Anchor
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.segmenter import MaskPrediction
from napari_sam.core.session import Session
from tests.fakes import labelled_volume

PLANE = PlaneRef(0, 1)
SHAPE = (3, 40, 50)


def answer(seed: int, *, side: int = 64, same: bool = False) -> MaskPrediction:
    """Three nested masks with smooth logits and noise; the second is the first again if they are the same."""
    rng = np.random.default_rng(seed)
    radii = (6, 6 if same else 9, 14)
    row, col = np.ogrid[: SHAPE[1], : SHAPE[2]]
    inside = [(row - 18) ** 2 + (col - 22) ** 2 <= radius**2 for radius in radii]
    masks = tuple(BoxedMask.of_plane(one, PLANE, SHAPE) for one in inside)
    smooth = np.add.outer(np.linspace(-20, 20, side), np.linspace(-9, 4, side))
    hints = (smooth + rng.random((3, 1, 1))).astype(np.float16)
    return MaskPrediction(
        PLANE, masks, rng.random(3).astype(np.float32), hints, preferred=1, presence=float(rng.random())
    )


@given(
    arrays.arrays(
        st.sampled_from([np.float16, np.float32, np.uint16, np.bool_]),
        arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=7),
    )
)
def test_packed_arrays_come_back_bit_by_bit(array: np.ndarray) -> None:
    packed = PackedArray.of(array)
    back = packed.to_array()
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()
    assert packed == PackedArray.of(np.asfortranarray(array))


def test_an_answer_comes_back_whole() -> None:
    given_ = answer(0)
    back = KeptAnswer.of(given_).to_prediction()
    assert (back.plane, back.masks, back.preferred, back.presence) == (
        given_.plane,
        given_.masks,
        given_.preferred,
        given_.presence,
    )
    assert back.best == given_.best == KeptAnswer.of(given_).best
    assert np.array_equal(back.scores, given_.scores)
    assert back.hints.dtype == given_.hints.dtype
    assert np.array_equal(back.hints, given_.hints)


def test_kept_logits_take_less_than_half_of_the_room() -> None:
    hints = answer(0, side=192).hints
    assert sum(len(PackedArray.of(hint).packed) for hint in hints) < hints.nbytes / 2


@pytest.mark.parametrize(("same", "order"), [(False, [1, 2, 0]), (True, [2, 2, 0])])
def test_next_candidate_is_another_mask(same: bool, order: list[int]) -> None:
    kept = KeptAnswer.of(answer(0, same=same))
    assert [kept.next_after(taken) for taken in range(3)] == order


def test_undo_brings_back_candidates_and_logits_of_every_answer() -> None:
    session = Session(labelled_volume(np.zeros(SHAPE, np.uint16)))
    seen = []
    for seed in range(6):
        request = session.prompt(PLANE, PointPrompt((1, 10 + seed, 20)), object_id=1)
        session.apply(answer(seed), request, candidate=seed % 3)
        seen.append(_state(session))
    for at in (*reversed(range(5)), None):
        session.undo()
        assert at is None or _same(_state(session), seen[at])
    assert not session.objects
    for expected in seen:
        session.redo()
        assert _same(_state(session), expected)
    session.undo()
    session.choose(PLANE, 0)
    assert np.array_equal(_anchor(session).hint, answer(4).hints[0])


def _anchor(session: Session) -> Anchor:
    found = session.objects[1].anchor_on(PLANE)
    assert found is not None
    return found


def _state(session: Session) -> tuple[np.ndarray, Anchor, np.ndarray, np.ndarray]:
    anchor = _anchor(session)
    assert anchor.hint is not None
    assert anchor.answer is not None
    return session.labels.copy(), anchor, anchor.hint, anchor.answer.hints


def _same(one: tuple, other: tuple) -> bool:
    return one[1] == other[1] and all(np.array_equal(one[k], other[k]) for k in (0, 2, 3))
