"""Sessions in a folder: what is saved is loaded, older ones too, and nothing else is touched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import volumes
from napari_sam.core.classes import ObjectClass
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.errors import StoreError
from napari_sam.store.session_file import ModelReference, SessionFolder
from tests.store.sessions import SHAPE, ct, session_with_a_choice, session_with_everything

MODEL = ModelReference("tiny_sam.v6", "0" * 64)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    volume = ct()
    session = session_with_everything(volume)
    folder = SessionFolder(tmp_path / "case.samsession")
    folder.save(session, MODEL)
    saved = SessionFolder(tmp_path / "case.samsession").load()
    assert saved.volume_sha256 == volume.digest()
    assert saved.volume_shape == SHAPE
    assert saved.model == MODEL
    assert saved.window == Window(-160, 240)
    assert np.array_equal(saved.labels, session.labels)
    assert set(saved.objects) == {1, 4}
    for number, state in saved.objects.items():
        original = session.objects[number]
        assert state.name == original.name
        assert state.locked == original.locked
        assert state.anchors == original.anchors  # planes, prompts, scores; logits are not compared
        assert state.propagated == original.propagated
    again = Session(volume, saved.labels.astype(np.uint16), window=saved.window, objects=saved.objects)
    assert again.objects[1].prompts == session.objects[1].prompts


def test_labels_lie_where_the_image_lies(tmp_path: Path) -> None:
    volume = ct()
    SessionFolder(tmp_path / "s").save(session_with_everything(volume))
    labels = volumes.read(tmp_path / "s" / "labels.nii.gz")
    assert labels.geometry.is_close(volume.geometry)


def test_nothing_tells_whose_image_it_is_or_where(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path / "secret-place" / "s")
    session = session_with_everything(ct())
    folder.begin(session)
    folder.follow(session)
    session.paint(volumes.Box((0, 0, 0), (1, 2, 2)), np.zeros((1, 2, 2), int), np.ones((1, 2, 2), int))
    folder.save(session, MODEL)
    for name in ("session.json", "log.jsonl"):
        text = (folder.path / name).read_text(encoding="utf-8")
        for private in ("secret-place", str(tmp_path), "jane", "1.2.3.4.5", "9.8.7"):
            assert private not in text


def test_prompts_are_written_as_the_command_line_reads_them(tmp_path: Path) -> None:
    session = Session(ct())
    session.prompt(
        PlaneRef(0, 1), PointPrompt((1, 5, 6)), BoxPrompt(volumes.Box((1, 2, 3), (2, 8, 9))), object_id=3
    )
    SessionFolder(tmp_path).save(session)
    content = json.loads((tmp_path / "session.json").read_text(encoding="utf-8"))
    point, box = content["objects"][0]["prompts"]
    assert content["objects"][0]["id"] == 3
    assert (point["type"], point["at"], point["positive"]) == ("point", [1.0, 5.0, 6.0], True)
    assert (box["type"], box["plane"], box["box"]) == ("box", 1, [2, 3, 8, 9])


@pytest.mark.parametrize("candidate", ["left out", "text"])
def test_sessions_of_before_there_were_choices_load_and_damaged_ones_do_not(
    tmp_path: Path, candidate: str
) -> None:
    folder = SessionFolder(tmp_path / "s")
    folder.save(session_with_a_choice(folder))
    content = json.loads((tmp_path / "s" / "session.json").read_text(encoding="utf-8"))
    anchor = content["objects"][0]["anchors"][0]
    if candidate == "left out":
        del anchor["candidate"]
    else:
        anchor["candidate"] = candidate
    (tmp_path / "s" / "session.json").write_text(json.dumps(content), encoding="utf-8")
    (tmp_path / "s" / "log.jsonl").unlink()
    if candidate == "left out":
        saved = folder.load()
        assert saved.objects[1].anchors[0].candidate is None
        assert "the log is missing" in saved.notes[0]
    else:
        with pytest.raises(StoreError, match="'text'"):
            folder.load()


def test_a_session_of_version_1_opens_without_history_and_is_saved_as_version_2(
    tmp_path: Path, repository: Path
) -> None:
    old = tmp_path / "old.samsession"
    shutil.copytree(repository / "tests" / "golden" / "session_1", old)
    data = np.arange(240, dtype=np.int16).reshape(3, 8, 10)
    volume = volumes.Volume(data, volumes.Geometry.from_spacing(data.shape), volumes.Provenance("test"))
    folder = SessionFolder(old)
    session = folder.open(volume)
    assert np.bincount(session.labels.ravel()).tolist() == [222, 0, 12, 0, 0, 6]
    assert (session.objects[2].name, session.objects[2].locked) == ("liver", True)
    assert session.objects[2].prompts == (PointPrompt((1, 3, 4)), PointPrompt((1, 7, 9), False))
    assert not session.can_undo
    folder.begin(session)
    folder.follow(session)
    session.rename(5, "spleen")
    folder.close()
    again = SessionFolder(old).open(volume)
    assert again.state == session.state
    assert np.array_equal(again.labels, session.labels)
    again.undo()
    assert again.objects[5].name == "object 5"


def test_a_session_of_version_2_opens_as_it_was(tmp_path: Path, repository: Path) -> None:
    kept = tmp_path / "kept.samsession"
    shutil.copytree(repository / "tests" / "golden" / "session_2", kept)
    data = np.arange(240, dtype=np.int16).reshape(3, 8, 10)
    volume = volumes.Volume(data, volumes.Geometry.from_spacing(data.shape), volumes.Provenance("test"))
    session = SessionFolder(kept).open(volume)
    assert np.bincount(session.labels.ravel()).tolist() == [222, 0, 12, 0, 0, 6]
    assert session.objects[2].locked
    assert session.objects[2].object_class == ObjectClass(
        "liver", (1, 2, 3), kind=volumes.Code("10200004", "SCT", "Liver")
    )
    causes = [step.cause for step in session.history.done]
    assert causes == ["prompt", "mask", "set class", "lock", "paint"]
    session.redo()
    assert session.objects[5].name == "cyst"
    for _ in range(5):
        session.undo()
    assert not session.labels[0].any()
    while session.can_undo:
        session.undo()
    assert not session.labels.any()
    assert not session.objects


def test_second_save_replaces_the_first(tmp_path: Path) -> None:
    session = Session(ct())
    folder = SessionFolder(tmp_path)
    folder.save(session)
    session.prompt(PlaneRef(0, 1), PointPrompt((1, 5, 6)), object_id=2)
    folder.save(session, MODEL)
    saved = folder.load()
    assert list(saved.objects) == [2]
    assert saved.model == MODEL
    assert {path.name for path in tmp_path.iterdir()} == {"session.json", "labels.nii.gz", "log.jsonl"}


def test_session_of_another_image_is_not_overwritten(tmp_path: Path) -> None:
    SessionFolder(tmp_path).save(Session(ct()))
    before = (tmp_path / "session.json").read_bytes()
    with pytest.raises(StoreError, match="another image"):
        SessionFolder(tmp_path).save(Session(ct(seed=1)))
    assert (tmp_path / "session.json").read_bytes() == before


def test_folder_of_other_things_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("mine")
    with pytest.raises(StoreError, match="choose a new or empty folder"):
        SessionFolder(tmp_path).save(Session(ct()))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]


def test_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("a file")
    for attempt in (lambda f: f.save(Session(ct())), lambda f: f.begin(Session(ct()))):
        with pytest.raises(StoreError, match="cannot write"):
            attempt(SessionFolder(tmp_path / "s"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read"),
        ("[]", "no session"),
        ('{"format": "napari-sam session", "version": 99}', "version 99"),
        ('{"format": "napari-sam session", "version": 1}', "damaged"),
    ],
)
def test_damaged_session_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    SessionFolder(tmp_path).save(Session(ct()))
    (tmp_path / "session.json").write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match=message) as caught:
        SessionFolder(tmp_path).load()
    assert "\n" not in str(caught.value)


def test_folder_without_session_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no session"):
        SessionFolder(tmp_path / "none").load()
