"""How `benchmarks.propagation` is run: in several processes, and on from where it was cut off."""

from __future__ import annotations

import math
import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import propagation
from benchmarks._growing import level_set, random_walker
from benchmarks._propagation_cases import Case, MadeCases
from benchmarks._propagation_judged import correct_one, judge
from benchmarks._propagation_kept import PERSON, Kept, Result, Row, digest_of
from benchmarks._propagation_run import Model, run
from benchmarks._propagation_table import Corrected, Outcome, sections
from benchmarks._remembered import Remembered
from benchmarks._shown import Method, show
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt
from napari_sam.core.scores import surface_distance
from napari_sam.core.segmenter import SegmentRequest
from napari_sam.core.window import Window, resolve_window
from napari_sam.nodes.volume_scores import planes_to_correct, score_volume
from tests.fakes import FakeSegmenter, ellipsoid_labels, labelled_volume
from volumes import Geometry

LABELS = ellipsoid_labels((9, 32, 64), n_objects=2)
VOLUME = labelled_volume(LABELS)
STUB = Model("stub-rough")
ROWS: tuple[Row, ...] = (("box", "ours"), ("point", "neighbour overlap, box, 0.8"), ("three", "ours"), PERSON)


class TwoEllipsoids:
    """Two objects of one small volume."""

    ids = ("one", "two")

    def size(self, number: int) -> int:
        return number

    def case(self, number: int) -> Case:
        return Case("ellipsoids", self.ids[number], VOLUME, LABELS, np.equal(LABELS, number + 1))


class Unreadable(TwoEllipsoids):
    """Objects that are not there any more."""

    def case(self, number: int) -> Case:
        raise FileNotFoundError(f"{self.ids[number]} is gone")


def timeless(results: Sequence[Result]) -> list[Result]:
    """Results without what differs from run to run."""
    return [replace(one, seconds=0.0) if isinstance(one, Outcome) else one for one in results]


def table(results: Sequence[Result]) -> str:
    return sections(
        [one for one in results if isinstance(one, Outcome)],
        [one for one in results if isinstance(one, Corrected)],
    )


def test_results_hang_on_no_number_of_processes(tmp_path: Path) -> None:
    rows = [*ROWS, ("three", "shapes between anchors"), ("point", "region growing in 3-D")]
    found = [
        run(STUB, TwoEllipsoids(), rows, Kept(tmp_path / f"{jobs}.jsonl", "a"), jobs=jobs) for jobs in (1, 2)
    ]
    assert timeless(found[0]) == timeless(found[1])
    assert [one.id for one in found[0]] == ["one"] * len(rows) + ["two"] * len(rows)
    assert all(len((tmp_path / f"{jobs}.jsonl").read_text().splitlines()) == 12 for jobs in (1, 2))


def test_drawn_objects_are_drawn_again_elsewhere() -> None:
    cases = MadeCases(1)
    sent = pickle.loads(pickle.dumps(cases))
    assert sent.ids == cases.ids == ("phantom:liver",)
    assert sent.size(0) == np.count_nonzero(cases.case(0).truth)


def test_what_is_wrong_in_a_process_is_told_here() -> None:
    with pytest.raises(FileNotFoundError, match="is gone"):
        run(STUB, Unreadable(), ROWS, Kept(None, "a"), jobs=1)


def test_a_whole_run_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(tmp_path / "kept.jsonl", "a")
    first = run(STUB, TwoEllipsoids(), ROWS, kept, jobs=0)
    monkeypatch.setattr(TwoEllipsoids, "case", Unreadable.case)
    again = run(STUB, TwoEllipsoids(), ROWS, kept, jobs=0)
    assert again == first
    assert table(again) == table(first)
    assert run(STUB, TwoEllipsoids(), ROWS[:2], kept, jobs=0) == [*first[:2], *first[4:6]]


@pytest.mark.parametrize("n_bytes", [0, 700, 2000])
def test_a_run_goes_on_where_it_was_cut_off(tmp_path: Path, n_bytes: int) -> None:
    """Even in the middle of a line."""
    kept = Kept(tmp_path / "kept.jsonl", "a")
    whole = run(STUB, TwoEllipsoids(), ROWS, kept, jobs=0)
    assert kept.path is not None
    kept.path.write_bytes(kept.path.read_bytes()[:n_bytes])
    n_before = len(kept.read())
    assert timeless(run(STUB, TwoEllipsoids(), ROWS, kept, jobs=0)) == timeless(whole)
    assert n_before < len(kept.read()) == len(whole)
    assert kept.path.read_text().count("\n{") + 1 >= len(whole)


def test_results_of_another_model_are_not_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    digests = [digest_of("one", weights, None) for weights in ("a", "b")]
    run(STUB, TwoEllipsoids(), ROWS[:1], Kept(path, digests[0]), jobs=0)
    assert len(Kept(path, digests[0]).read()) == 2
    assert Kept(path, digests[1]).read() == {}
    assert digest_of("one", "a", None) == digests[0]
    assert digest_of("one", "a", path) != digests[0]


def test_weights_that_change_meanwhile_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = SimpleNamespace(name="a.model", weights_sha256="old")
    monkeypatch.setattr("napari_sam.load_segmenter", lambda *_, **__: weights)
    model = Model("default").named()
    assert (model.name, model.digest) == ("a.model", "old")
    weights.weights_sha256 = "new"
    with pytest.raises(ValueError, match="were old when the run began and are new now"):
        run(model, TwoEllipsoids(), ROWS, Kept(None, "a"), jobs=0)


def test_nothing_is_measured_for_a_page_without_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("no marks")
    monkeypatch.setattr("benchmarks.propagation.run", lambda *_: pytest.fail("measured"))
    assert propagation.main(["--model", "stub-mild", "--markdown", str(page)]) == 2
    assert "stub-mild: start" in capsys.readouterr().err


@pytest.mark.parametrize("n_found", [0, 1, 400])
def test_masks_are_judged_as_in_the_whole_volume(n_found: int) -> None:
    rng = np.random.default_rng(n_found)
    found = np.zeros(VOLUME.shape, np.bool_)
    found[tuple(rng.integers(0, n, n_found) for n in VOLUME.shape)] = True
    case = TwoEllipsoids().case(1)
    one = judge(found, case, "box", "ours", 1.5)
    planes = np.flatnonzero(case.truth.any(axis=(1, 2)))
    assert one.score == score_volume(found, case.truth, int(planes[len(planes) // 2]))
    assert one.surface == surface_distance(found, case.truth, VOLUME.geometry.spacing_mm)
    assert one.n_to_correct == planes_to_correct(found, case.truth)
    assert one.surface is not None
    assert math.isinf(one.surface.mean_mm) == (n_found == 0)


def test_a_result_comes_back_as_it_was(tmp_path: Path) -> None:
    kept, case = Kept(tmp_path / "kept.jsonl", "a"), TwoEllipsoids().case(0)
    empty = np.zeros(VOLUME.shape, np.bool_)
    of_film = replace(case, id="film", is_film=True)
    results = [judge(mask, one, "box", "ours", 0.1) for mask in (empty, ~empty) for one in (case, of_film)]
    for one in results:
        kept.add(one)
        assert kept.read()[one.id, ("box", "ours")] == one


@pytest.mark.parametrize("grow", [random_walker, level_set])
def test_growing_is_the_same_in_any_unit(grow: Method) -> None:
    truth = LABELS == 1
    found = [
        grow(FakeSegmenter(), show(replace(VOLUME, geometry=geometry), truth, "box"))
        for geometry in (
            Geometry.from_spacing(VOLUME.shape, [unit * k for k in (4, 1, 2)]) for unit in (1.0, 2**-13)
        )
    ]
    assert found[0].any()
    assert np.array_equal(found[0], found[1])


def test_the_same_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a person's work is counted alike, whether answers are remembered or not."""
    case, window = TwoEllipsoids().case(0), resolve_window(VOLUME)
    asked = FakeSegmenter(scores=lambda plane: 0.9 if plane.index % 3 else 0.4)
    counted = correct_one(asked, case, window)
    forgetful = FakeSegmenter(scores=lambda plane: 0.9 if plane.index % 3 else 0.4)
    monkeypatch.setattr("benchmarks._propagation_judged.Remembered", lambda inner: inner)
    assert counted == correct_one(forgetful, case, window)
    assert 0 < len(asked.requests) < len(forgetful.requests)


def test_what_is_asked_otherwise_is_asked() -> None:
    inner, window = FakeSegmenter(), resolve_window(VOLUME)
    plane = PlaneRef(0, 4)
    mask = BoxedMask.of_plane(LABELS[4] == 1, plane, VOLUME.shape)
    whole = [BoxPrompt(plane.box_of((2, 2, 30, 30))), PointPrompt((4.0, 16.0, 16.0)), MaskPrompt(mask)]
    requests = [SegmentRequest(VOLUME, plane, window, (prompt,)) for prompt in whole]
    requests += [replace(requests[0], plane=PlaneRef(0, 5), prompts=(whole[1],))]
    requests += [
        replace(requests[0], window=Window(0, 1)),
        replace(requests[0], volume=labelled_volume(LABELS)),
    ]
    hint = np.zeros((64, 64), np.float16)
    requests += [replace(requests[0], hint=some) for some in (hint, hint + 1, hint.astype(np.float32))]
    segmenter = Remembered(inner)
    answers = [segmenter.segment(request) for request in requests]
    assert len(inner.requests) == len(requests)
    assert [segmenter.segment(replace(request, generation=7)) for request in requests] == answers
    assert len(inner.requests) == len(requests)
