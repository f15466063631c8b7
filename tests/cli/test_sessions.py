"""``napari-sam sessions``: what is kept is shown, and goes only when asked to."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from napari_sam.core.session import Session
from napari_sam.settings import Settings
from napari_sam.store import Journal
from napari_sam.store.folder_lock import FolderLock
from tests.cli.running import assert_one_line, run
from volumes import Box, Geometry, Provenance, Volume

DAY_S = 86_400


@pytest.fixture
def folder() -> Path:
    return Settings.resolve().sessions_dir


def keep(folder: Path, level: int, *, days_ago: float = 0, closed: bool = True) -> str:
    shape = (2, 8, 8)
    volume = Volume(
        np.full(shape, level, np.uint8), Geometry.from_spacing(shape, (1.0, 1.0, 1.0)), Provenance("test")
    )
    session = Session(volume)
    journal = Journal.start(folder, session)
    box = Box((0, 0, 0), (1, 8, 8))
    session.paint(box, session.labels[box.slices()].copy(), np.full(box.shape, 1))
    path = journal.folder.path
    if closed:
        journal.close()
    else:
        journal._lock.release()
    then = time.time() - days_ago * DAY_S
    for file in path.rglob("*"):
        os.utime(file, (then, then))
    return path.name


def test_nothing_kept_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sessions", "list"], capsys) == (0, "no session is kept\n", "")


def test_kept_sessions_are_listed_the_newest_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    older, newer = keep(folder, 1, days_ago=3), keep(folder, 2, closed=False)
    code, shown, err = run(["sessions", "list"], capsys)
    assert (code, err) == (0, "")
    first, second = shown.splitlines()
    assert first.startswith(newer)
    assert first.endswith("cut off")
    assert "2 × 8 × 8, 1 object" in second
    assert second.startswith(older)
    _, shown, _ = run(["sessions", "list", "--json"], capsys)
    assert [(one["name"], one["closed"]) for one in json.loads(shown)] == [(newer, False), (older, True)]


def test_only_what_is_named_or_old_goes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, named, left = keep(folder, 1, days_ago=40), keep(folder, 2), keep(folder, 3, days_ago=20)
    code, shown, err = run(["sessions", "remove", named, "--older-than", "30"], capsys)
    assert (code, err) == (0, "")
    assert shown.startswith("removed 2 sessions, 0.0 MB\n")
    assert old in shown
    assert sorted(path.name for path in folder.glob("*.samsession")) == [left]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ([], ("--older-than",)),
        (["none.samsession"], ("'none.samsession'", "sessions list")),
        (["--older-than", "-1"], ("-1", "0 or more")),
        (["--older-than", "nan"], ("nan", "0 or more")),
    ],
)
def test_bad_requests_are_one_line_and_remove_nothing(
    folder: Path, arguments: list[str], parts: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    name = keep(folder, 1)
    code, _, err = run(["sessions", "remove", *arguments], capsys)
    assert_one_line(code, err, *parts)
    assert (folder / name).is_dir()


def test_a_session_that_is_worked_on_stays(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = keep(folder, 1)
    lock = folder / f"{name}.lock"
    held = FolderLock(lock)
    assert held.take()
    try:
        code, _, err = run(["sessions", "remove", name], capsys)
        assert_one_line(code, err, name, "works on it")
    finally:
        held.release()
    assert (folder / name).is_dir()
