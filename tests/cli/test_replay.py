"""Sessions replayed in a terminal: exactly from the log, anew with a model, several at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import volumes
from napari_sam.cli.main import main
from napari_sam.core.classes import ObjectClass
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.propagation import propagate
from napari_sam.core.session import Session
from napari_sam.store.session_file import ModelReference, SessionFolder
from tests.fakes import FakeSegmenter, ellipsoid_labels, labelled_volume
from volumes import Box, Code, Segment

SHAPE = (9, 32, 40)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.nii.gz"
    volumes.write_image(path, labelled_volume(ellipsoid_labels(SHAPE)))
    return path


@pytest.fixture
def case(tmp_path: Path, image: Path) -> Path:
    """A session with prompts, a propagation, an undo, a stroke, a class and a merge."""
    session, segmenter = Session(volumes.read(image)), FakeSegmenter()
    plane = PlaneRef(0, 4)
    request = session.prompt(plane, PointPrompt((4, 16, 20)), object_id=1)
    session.apply(segmenter.segment(request), request)
    list(propagate(session, segmenter, 1))
    session.rename(1, "wrong")
    session.undo()
    session.rename(1, "liver")
    session.set_class(1, ObjectClass("liver", (1, 2, 3), kind=Code("10200004", "SCT", "Liver")))
    box = Box((0, 0, 0), (1, 3, 3))
    session.paint(box, np.zeros(box.shape, int), np.full(box.shape, 2))
    session.merge([1, 2], 1)
    path = tmp_path / "case.samsession"
    SessionFolder(path).save(session, ModelReference("fake.test", ""))
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def test_the_log_gives_the_same_labels_and_what_they_mean(
    case: Path, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.seg.nrrd"
    code, said, _ = run(capsys, "replay", case, "-o", out)
    assert code == 0
    assert "the labels are those it keeps" in said
    kept = SessionFolder(case).load()
    written = volumes.read_labels(out)
    assert np.array_equal(written.data, kept.labels)
    assert written.geometry.is_close(volumes.read(image).geometry)
    (segment,) = written.segments
    assert (segment.name, segment.colour) == ("liver", (1, 2, 3))


def test_again_asks_the_model_and_says_how_far_it_agrees(
    case: Path, image: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeSegmenter()
    monkeypatch.setattr("napari_sam.nodes.models.load_model", lambda choice: fake)
    code, said, _ = run(capsys, "replay", case, image, "--again")
    assert (code, "the labels are those it keeps" in said) == (0, True)
    assert len(fake.requests) > 5
    other = FakeSegmenter(ellipsoid_labels(SHAPE, fill=0.6))
    monkeypatch.setattr("napari_sam.nodes.models.load_model", lambda choice: other)
    code, said, _ = run(capsys, "replay", case, image, "--again")
    assert code == 0
    assert "the labels differ" in said
    dice = float(said.split("Dice ")[1].split()[0])
    assert 0.5 < dice < 1


def test_again_knows_what_adopted_objects_are_called(
    tmp_path: Path, image: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(volumes.read(image))
    older = np.where(ellipsoid_labels(SHAPE) == 1, 7, 0)
    lesion = Code("49755003", "SCT", "Morphologically abnormal structure")
    session.adopt(older, {7: Segment(7, "lesion", (9, 8, 7), lesion, Code("M-1", "99X", "Spot"), "reader")})
    found = np.zeros(SHAPE, int)
    found[0, :4, :4] = 2
    session.adopt(found, {2: Segment(2, algorithm="finder")}, found_across=0)
    path, out = tmp_path / "case.samsession", tmp_path / "out.seg.nrrd"
    SessionFolder(path).save(session, ModelReference("fake.test", ""))
    monkeypatch.setattr("napari_sam.nodes.models.load_model", lambda choice: FakeSegmenter())
    code, said, _ = run(capsys, "replay", path, image, "--again", "-o", out)
    assert code == 0
    assert "lesion" in said
    kept = tmp_path / "kept.seg.nrrd"
    assert run(capsys, "replay", path, "-o", kept)[0] == 0
    again, before = (volumes.read_labels(one) for one in (out, kept))
    assert [one.name for one in again.segments] == ["object 2", "lesion"]
    assert again.segments == before.segments


def test_a_folder_of_sessions_is_a_batch(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "cases", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.samsession").mkdir()
        for file in case.iterdir():
            (folder / f"{name}.samsession" / file.name).write_bytes(file.read_bytes())
    code, said, _ = run(capsys, "replay", folder, "-o", out)
    assert code == 0
    assert said.count("those it keeps") == 2
    assert sorted(path.name for path in out.iterdir()) == ["a.nii.gz", "b.nii.gz"]


def test_what_cannot_be_replayed_is_one_line(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.nii.gz"
    volumes.write_image(other, labelled_volume(ellipsoid_labels(SHAPE), seed=3))
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments, part in (
        ((case, other), "another image"),
        ((empty,), "holds no session"),
        ((case, "--again"), "needs the image"),
        ((case, tmp_path / "none.nii"), "there is no"),
    ):
        code, _, err = run(capsys, "replay", *arguments)
        assert (code, err.count("\n")) == (2, 1)
        assert part in err


def test_a_log_that_was_changed_is_found_out(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = case / "log.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    painted = next(k for k, line in enumerate(lines) if '"action":"paint"' in line)
    log.write_text("".join([*lines[:painted], lines[painted], *lines[painted:]]), encoding="utf-8")
    code, _, err = run(capsys, "replay", case)
    assert code == 2
    assert f"line {painted + 2} of log.jsonl cannot be used" in err
