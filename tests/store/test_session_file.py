from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import volumes
from napari_sam.core.classes import ObjectClass
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt
from napari_sam.core.propagation import propagate
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.errors import StoreError
from napari_sam.store.session_codec import from_runs, to_runs
from napari_sam.store.session_file import ModelReference, SessionFolder
from tests.fakes import FakeSegmenter, NestedSegmenter

SHAPE = (4, 10, 12)
MODEL = ModelReference("tiny_sam.v6", "0" * 64)


def ct(seed: int = 0) -> volumes.Volume:
    data = np.random.default_rng(seed).integers(-1000, 1000, SHAPE).astype(np.int16)
    affine = np.array([[0, 0, 0.7, -120.5], [0, 0.8, 0, 33.25], [2.5, 0, 0, -900.0], [0, 0, 0, 1.0]])
    provenance = volumes.Provenance(
        "DICOM", "CT", series_uid="1.2.3.4.5", notes=("read from /home/jane/doe",)
    )
    return volumes.Volume(data, volumes.Geometry(SHAPE, affine, "9.8.7"), provenance)


def session_with_everything(volume: volumes.Volume) -> Session:
    session = Session(volume, window=Window(-160, 240))
    mask = np.zeros(SHAPE[1:], bool)
    mask[2:6, 3:9] = True
    mask[3, 4] = False
    plane, across = PlaneRef(0, 2), PlaneRef(2, 5)
    painted = BoxedMask.of_plane(mask, plane, SHAPE)
    session.prompt(plane, PointPrompt((2, 3, 5)), PointPrompt((2, 9.25, 0), False), object_id=1)
    session.prompt(plane, BoxPrompt(volumes.Box((2, 1, 2), (3, 7, 10))), MaskPrompt(painted), object_id=1)
    session.write(plane, painted, 1)
    session.write(PlaneRef(0, 3), painted.moved_to(PlaneRef(0, 3)), 1, propagated=True)
    session.prompt(across, BoxPrompt(volumes.Box((0, 7, 5), (3, 10, 6))), object_id=4)
    session.rename(4, "Milz – spleen")
    session.lock(4)
    return session


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


def test_log_is_one_line_an_action_and_on_disk_at_once(tmp_path: Path) -> None:
    folder, session = SessionFolder(tmp_path / "s"), Session(ct())
    folder.begin(session)
    folder.follow(session)
    session.prompt(PlaneRef(0, 1), PointPrompt((1, 5, 6)), object_id=2)
    session.undo()
    lines = (tmp_path / "s" / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["action"] for line in lines] == ["begin session", "prompt", "undo"]


def test_what_was_done_after_the_last_save_is_there_after_a_crash(tmp_path: Path) -> None:
    volume = ct()
    session = session_with_everything(volume)
    folder = SessionFolder(tmp_path / "s")
    box = volumes.Box((1, 4, 4), (3, 8, 7))
    session.paint(box, session.labels[box.slices()], np.full(box.shape, 7))
    folder.save(session)
    folder.follow(session)
    session.paint(box, session.labels[box.slices()], np.full(box.shape, 9))
    session.undo()
    session.paint(volumes.Box((0, 0, 0), (1, 1, 1)), np.zeros((1, 1, 1), int), np.ones((1, 1, 1), int))
    again = SessionFolder(tmp_path / "s").open(volume)  # a crash: nothing was saved since
    while True:
        assert np.array_equal(again.labels, session.labels)
        assert again.state == session.state
        assert again.can_undo == session.can_undo
        if not session.can_undo:
            break
        session.undo()
        again.undo()


def session_with_a_choice(folder: SessionFolder) -> Session:
    """Three planes of discs, the largest of three candidates chosen, every edit in the log."""
    session = Session(ct_of_discs(), window=Window(0, 300))
    request = session.prompt(PlaneRef(0, 1), PointPrompt((1, 15, 23)))
    session.apply(NestedSegmenter().segment(request), request)
    folder.save(session)
    folder.follow(session)
    session.choose(PlaneRef(0, 1), 2)
    return session


def ct_of_discs() -> volumes.Volume:
    rows, cols = np.ogrid[:32, :48]
    disc = (rows - 15) ** 2 + (cols - 23) ** 2 <= 64
    data = np.repeat(np.where(disc, 200, 50)[None], 3, 0).astype(np.int16)
    return volumes.Volume(data, volumes.Geometry.from_spacing(data.shape), volumes.Provenance("test"))


def test_a_choice_of_candidates_is_logged_and_done_again_after_a_crash(tmp_path: Path) -> None:
    session = session_with_a_choice(SessionFolder(tmp_path / "s"))
    saved = SessionFolder(tmp_path / "s").load()
    assert saved.actions[-1]["action"] == "candidate"
    assert saved.actions[-1]["values"]["candidate"] == 2
    assert np.array_equal(saved.labels, session.labels)


def test_a_plane_that_clicks_mend_is_mended_after_a_resume_too(tmp_path: Path) -> None:
    volume = ct()
    session = Session(volume, window=Window(-160, 240))
    plane = PlaneRef(0, 1)
    bits = np.zeros(volume.shape[1:], bool)
    bits[1:4, 1:4] = True
    session.write(plane, BoxedMask.of_plane(bits, plane, volume.shape), 1, propagated=True)
    request = session.prompt(plane, PointPrompt((1, 2, 2)))
    session.apply(FakeSegmenter((session.labels > 0).astype(np.uint16)).segment(request), request)
    folder = SessionFolder(tmp_path / "s")
    folder.save(session)
    saved = SessionFolder(tmp_path / "s").load()
    again = Session(volume, saved.labels.astype(np.uint16), window=saved.window, objects=saved.objects)
    assert again.objects[1].anchors[0].mends
    asked = again.prompt(plane, PointPrompt((1, 3, 3)), object_id=1).prompts
    assert asked == session.prompt(plane, PointPrompt((1, 3, 3))).prompts
    assert [type(prompt).__name__ for prompt in asked[2:]] == ["BoxPrompt", "MaskPrompt"]


def test_a_chosen_candidate_is_followed_after_a_resume(tmp_path: Path) -> None:
    folder = SessionFolder(tmp_path / "s")
    folder.save(session_with_a_choice(folder))
    saved = SessionFolder(tmp_path / "s").load()
    for kinds in ({"point", "box", "mask"}, {"point"}):
        again = Session(
            ct_of_discs(), saved.labels.astype(np.uint16), window=saved.window, objects=saved.objects
        )
        assert again.objects[1].anchors[0].candidate == 2
        largest = again.labels[1].copy()
        list(propagate(again, NestedSegmenter(prompts=frozenset(kinds)), 1))
        assert np.array_equal(again.labels, np.repeat(largest[None], 3, 0))


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


def test_line_cut_short_by_a_crash_is_left_out_and_the_log_goes_on(tmp_path: Path) -> None:
    volume = ct()
    folder = SessionFolder(tmp_path)
    session = session_with_everything(volume)
    folder.save(session)
    folder.close()
    n_actions = len(folder.load().actions)
    with (tmp_path / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"action":"ed')
    folder = SessionFolder(tmp_path)
    again = folder.open(volume)
    assert len(folder.load().actions) == n_actions
    folder.follow(again)
    again.rename(1, "liver")
    assert [action["action"] for action in SessionFolder(tmp_path).load().actions][n_actions:] == ["rename"]


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


@given(
    hnp.arrays(st.sampled_from([np.bool_, np.uint16]), hnp.array_shapes(max_dims=3, min_side=0, max_side=6))
)
def test_run_lengths_round_trip(values: np.ndarray) -> None:
    runs = json.loads(json.dumps(to_runs(values)))
    back = from_runs(runs, values.shape, values.dtype)
    assert back.dtype == values.dtype
    assert np.array_equal(back, values)


@pytest.mark.parametrize("runs", [[1], [1, 5], [1, -6], [1, 7, 0, -1]])
def test_run_lengths_that_do_not_fill_the_shape_are_refused(runs: list[int]) -> None:
    with pytest.raises(StoreError, match="do not fill"):
        from_runs(runs, (2, 3), np.dtype(np.uint16))
