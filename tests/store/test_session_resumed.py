"""What is there of a session after a crash, and what is asked after it is taken up again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import volumes
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.propagation import propagate
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.store.session_file import SessionFolder
from tests.fakes import FakeSegmenter, NestedSegmenter
from tests.store.sessions import ct, ct_of_discs, session_with_a_choice, session_with_everything


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
