"""The benchmark of reading, on tiny files."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import reading


def test_all_readers_see_the_same(tmp_path: Path) -> None:
    for kind, peers in reading.PEERS.items():
        path, n_bytes = reading.make_file(tmp_path, kind, 1)
        largest = [reading.read_once(who, path)["largest"] for who in ("ours", *peers)]
        assert n_bytes > 0
        assert largest == [largest[0]] * len(largest)


def test_it_prints_a_line_for_each_peer(capsys: pytest.CaptureFixture[str]) -> None:
    assert reading.main(["--megabytes", "1", "--only", "nii", "--repeats", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[5].strip() for line in lines[3:]] == ["nibabel", "SimpleITK"]
