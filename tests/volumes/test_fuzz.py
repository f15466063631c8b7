"""A few hundred damaged files are read or refused with one line; `benchmarks/fuzz.py` reads ten thousand."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks._fuzz_cases import FAILED, judge_case, make_case, reference_of
from benchmarks._fuzz_seeds import Seed, make_seeds
from benchmarks.fuzz import main

N_BLOCKS, N_FILES = 8, 50
SEED = 5


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[Seed]:
    return make_seeds(tmp_path_factory.mktemp("fuzz") / "seeds")


@pytest.mark.parametrize("block", range(N_BLOCKS))
def test_damaged_files_are_read_or_refused_with_one_line(
    block: int, seeds: list[Seed], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    failures, like = [], reference_of(seeds)
    for number in range(block * N_FILES, (block + 1) * N_FILES):
        folder = tmp_path / str(number)
        folder.mkdir()
        case = make_case(seeds, SEED, number, folder)
        outcome = judge_case(case, like, with_cli=number % 10 == 0)
        printed = capfd.readouterr()
        if outcome.kind == FAILED or printed.err or printed.out:
            failures.append(f"{case.words}: {outcome.words} {printed.err[:300]}{printed.out[:300]}")
    assert failures == []


def test_a_number_gives_the_same_file_again(seeds: list[Seed], tmp_path: Path) -> None:
    made = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        case = make_case(seeds, SEED, 17, folder)
        made.append((case.words, [(folder / file).read_bytes() for file in sorted(case.seed.files)]))
    assert made[0] == made[1]


def test_the_benchmark_counts_and_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--files", "19", "--workers", "1", "--seed", "5", "--keep", str(tmp_path / "kept")]) == 0
    shown = capsys.readouterr().out
    assert "19 files" in shown
    assert "| all | 19 |" in shown
