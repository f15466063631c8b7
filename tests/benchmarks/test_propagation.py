"""What `benchmarks.propagation` is made of: worn truths, the person, growing, tables, the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import propagation, propagation_speed
from benchmarks._correcting import plane_by_plane, with_propagation
from benchmarks._growing import level_set, random_walker
from benchmarks._propagation_cases import Case, made_cases
from benchmarks._propagation_table import write_between_marks
from benchmarks._shown import Method, show
from benchmarks._worn_truth import WEAR, WornTruth
from napari_sam.core.masks import tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt
from napari_sam.core.scores import dice
from napari_sam.core.segmenter import SegmentRequest
from napari_sam.core.window import resolve_window
from tests.fakes import FakeSegmenter, ellipsoid_labels, labelled_volume

LABELS = ellipsoid_labels((11, 48, 64), n_objects=2)
VOLUME = labelled_volume(LABELS)
TRUTH = LABELS == 1
WINDOW = resolve_window(VOLUME)


def asked(index: int) -> SegmentRequest:
    """A request with the object's box."""
    plane = PlaneRef(0, index)
    box = plane.box_of(tight_box(TRUTH[5]) or (0, 0, 1, 1))
    return SegmentRequest(VOLUME, plane, WINDOW, (BoxPrompt(box),))


@pytest.mark.parametrize("wear", sorted(WEAR))
def test_worn_truth_is_the_object_nearly_and_the_same_each_time(wear: str) -> None:
    answers = [WornTruth(LABELS, WEAR[wear]).segment(asked(5)) for _ in range(2)]
    assert answers[0].masks == answers[1].masks
    assert np.array_equal(answers[0].scores, answers[1].scores)
    found = answers[0].masks[answers[0].best].to_plane(PlaneRef(0, 5), VOLUME.shape)
    assert 0.6 < dice(found, TRUTH[5]) < 1.0


def test_worn_truth_is_unsure_where_there_is_nothing() -> None:
    segmenter = WornTruth(LABELS, WEAR["stub-mild"])
    assert segmenter.segment(asked(5)).presence > 0.5
    answer = segmenter.segment(asked(0))
    assert answer.presence < 0.5
    assert answer.scores.max() < 0.5


def test_a_person_does_less_where_a_good_mask_is_carried_on() -> None:
    seen = (FakeSegmenter(), VOLUME, WINDOW, TRUTH)
    carried, alone = with_propagation(*seen), plane_by_plane(*seen)
    n_planes = int(TRUTH.any(axis=(1, 2)).sum())
    assert (carried.n_actions, carried.n_rounds) == (1, 1)
    assert (alone.n_actions, alone.n_boxes, alone.n_rounds) == (n_planes, n_planes, 0)
    assert min(carried.dice, alone.dice) >= 0.95


def test_a_person_paints_what_no_prompt_gives() -> None:
    """The model knows another object only: everything is done by brush, and comes out right."""
    elsewhere = np.where(LABELS == 2, LABELS, 0)
    work = with_propagation(WornTruth(elsewhere, WEAR["stub-mild"]), VOLUME, WINDOW, TRUTH)
    assert work.n_painted > 0
    assert work.dice >= 0.95


@pytest.mark.parametrize("grow", [random_walker, level_set])
@pytest.mark.parametrize("way", ["box", "three"])
def test_growing_finds_a_bright_body(grow: Method, way: str) -> None:
    found = grow(FakeSegmenter(), show(VOLUME, TRUTH, way))
    assert dice(found, TRUTH) > 0.5


def test_drawn_objects_are_the_same_each_time() -> None:
    first, again = list(made_cases()), list(made_cases())
    assert len(first) == 11
    assert all(np.array_equal(a.truth, b.truth) for a, b in zip(first, again, strict=True))
    assert np.array_equal(first[-1].volume.data, again[-1].volume.data)


def test_only_what_is_between_the_marks_changes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("above\n<!-- one: start -->\nold\n<!-- one: end -->\nbelow\n")
    write_between_marks(page, "one", "new")
    assert page.read_text() == "above\n<!-- one: start -->\n\nnew\n\n<!-- one: end -->\nbelow\n"
    with pytest.raises(ValueError, match="two: start"):
        write_between_marks(page, "two", "new")


def test_from_end_to_end_without_data_or_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case = Case("drawn", "drawn:1", VOLUME, LABELS, TRUTH)
    monkeypatch.setattr("benchmarks._propagation_cases.made_cases", lambda: [case])
    page, picture = tmp_path / "page.md", tmp_path / "plot.png"
    page.write_text("<!-- stub-rough: start --><!-- stub-rough: end -->")
    arguments = ["--model", "stub-rough", "--limit", "1", "--shown", "box", "--methods", "ours"]
    arguments += ["shapes between anchors", "neighbour overlap, box, 0.8", "--correct", "--jobs", "0"]
    assert propagation.main([*arguments, "--plot", str(picture), "--markdown", str(page)]) == 0
    assert "A person who corrects" in capsys.readouterr().out
    assert "| neighbour overlap, box, 0.8 |" in page.read_text()
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_speed_from_end_to_end(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What it prints, not how long anything takes."""
    monkeypatch.setattr("benchmarks.propagation_speed._load", lambda _: FakeSegmenter())
    alone = {"encode": lambda: (1, 0), "decode": lambda: (1, 0)}
    monkeypatch.setattr("benchmarks.propagation_speed._model_alone", lambda _: alone)
    assert propagation_speed.main(["--planes", "5", "--side", "96", "--repeats", "1"]) == 0
    printed = capsys.readouterr().out
    ratios = ("cold / (encode + decode)", "warm / decode", "three together / one, warm", "/ one, cold")
    assert all(words in printed for words in ratios)
    assert "encoded a plane, three cold: 0.00" in printed
