"""A second look: what is asked again, and what of the first answer it replaces."""

from __future__ import annotations

import torch

from napari_sam.models.prompt_encoder import BOX_FIRST, BOX_SECOND, POSITIVE
from napari_sam.models.second_look import boxes_of_logits, second_prompts
from napari_sam.models.tiny_sam import TinySam

SIDE = 64


def _logits(rows: slice, columns: slice) -> torch.Tensor:
    logits = torch.full((1, 16, 16), -4.0)
    logits[0, rows, columns] = 4.0
    return logits


def test_the_box_of_a_mask_is_its_edges_in_pixels_of_the_input():
    logits = _logits(slice(4, 10), slice(6, 12))
    tight = boxes_of_logits(logits, SIDE, margin=0.0)
    assert tight.tolist() == [[[22.5, 14.5], [48.5, 40.5]]]  # a pixel wider than the cells
    wider = boxes_of_logits(logits, SIDE, margin=0.25)
    assert wider.tolist() == [[[17.5, 9.5], [53.5, 45.5]]]


def test_an_empty_mask_has_the_box_of_its_likeliest_cell():
    logits = torch.full((1, 16, 16), -4.0)
    logits[0, 3, 5] = -1.0
    assert boxes_of_logits(logits, SIDE, margin=0.0).tolist() == [[[18.5, 10.5], [24.5, 16.5]]]


def test_clicks_are_asked_again_with_the_answer_and_its_box():
    logits = _logits(slice(4, 10), slice(6, 12))
    points, labels, masks = second_prompts(torch.tensor([[[30.0, 20.0]]]), torch.tensor([[1]]), logits, SIDE)
    assert labels.tolist() == [[POSITIVE, BOX_FIRST, BOX_SECOND]]
    assert points[0, 0].tolist() == [30.0, 20.0]
    assert torch.equal(masks[:, 0], logits)


def test_a_box_that_was_drawn_stays():
    corners, labels = torch.tensor([[[3.0, 4.0], [50.0, 60.0]]]), torch.tensor([[BOX_FIRST, BOX_SECOND]])
    points, same, _ = second_prompts(corners, labels, _logits(slice(4, 10), slice(6, 12)), SIDE)
    assert torch.equal(points, corners)
    assert torch.equal(same, labels)


def _model() -> tuple[TinySam, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    model = TinySam(SIDE, dim=32).eval()
    return model, model.encode(torch.randn(1, 3, SIDE, SIDE))


def test_after_one_click_the_best_candidate_is_looked_at_again():
    model, features = _model()
    points, labels = torch.tensor([[[20.0, 9.0]], [[40.0, 50.0]]]), torch.ones(2, 1, dtype=torch.long)
    with torch.inference_mode():
        first, answer = (f(features, points, labels) for f in (model.decode_all, model.answer))
        for row, best in enumerate((first.iou_scores[:, 1:].argmax(dim=1) + 1).tolist()):
            prompts = second_prompts(points, labels, first.mask_logits[[0, 1], best], SIDE)
            again = model.decode_all(features, *prompts)
            torch.testing.assert_close(
                answer.mask_logits[row, best], again.mask_logits[row, 0], rtol=0, atol=1e-4
            )
            mean = (first.iou_scores[row, best] + again.iou_scores[row, 0]) / 2
            torch.testing.assert_close(answer.iou_scores[row, best], mean, rtol=0, atol=1e-5)
            others = [i for i in range(4) if i != best]
            assert torch.equal(answer.mask_logits[row, others], first.mask_logits[row, others])


def test_a_box_says_enough_the_first_time():
    model, features = _model()
    corners, labels = torch.tensor([[[3.0, 4.0], [50.0, 60.0]]]), torch.tensor([[BOX_FIRST, BOX_SECOND]])
    with torch.inference_mode():
        first, answer = (f(features, corners, labels) for f in (model.decode_all, model.answer))
    assert torch.equal(answer.mask_logits, first.mask_logits)


def test_what_came_with_a_mask_is_not_asked_twice():
    model, features = _model()
    prompts = torch.tensor([[[20.0, 9.0]]]), torch.tensor([[1]]), torch.randn(1, 1, 16, 16)
    with torch.inference_mode():
        first, answer = (f(features, *prompts) for f in (model.decode_all, model.answer))
    assert torch.equal(answer.mask_logits, first.mask_logits)
    assert torch.equal(answer.iou_scores, first.iou_scores)


def test_answers_to_prompts_of_one_batch_do_not_touch_each_other():
    model, features = _model()
    points, labels = torch.tensor([[[20.0, 9.0]], [[40.0, 50.0]]]), torch.ones(2, 1, dtype=torch.long)
    with torch.inference_mode():
        together, alone = (
            model.answer(features, points, labels),
            model.answer(features, points[1:], labels[1:]),
        )
    torch.testing.assert_close(together.mask_logits[1:], alone.mask_logits, rtol=0, atol=1e-4)
    torch.testing.assert_close(together.iou_scores[1:], alone.iou_scores, rtol=0, atol=1e-5)
