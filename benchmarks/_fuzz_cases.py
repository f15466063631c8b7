"""Make the numbered damaged file, read it, and judge what happened."""

from __future__ import annotations

import io
import math
import os
import re
import shutil
import sys
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

import volumes
from benchmarks._fuzz_dicom_planes import SECRETS
from benchmarks._fuzz_mutations import mutate
from benchmarks._fuzz_seeds import Seed

READ, REFUSED, FAILED = "read", "refused", "failed"
_WEIGHT = {REFUSED: 0, READ: 1, FAILED: 2}
_LONGEST_LINE = 1000
_ALL_OF_IT_BYTES = 1 << 27
_OUT_OF_MEMORY = ("bad_alloc", "failed to allocate", "cannot allocate", "unable to allocate", "out of memory")


@dataclass(frozen=True)
class Outcome:
    """What became of one damaged file, and in words why."""

    kind: str
    words: str = ""


@dataclass(frozen=True)
class Case:
    """One damaged file: what a reader gets, and how it came to be."""

    number: int
    seed: Seed
    path: Path
    mutation: str
    random: Random

    @property
    def words(self) -> str:
        """Name it in one line."""
        return f"{self.number} ({self.seed.format}, {self.seed.name}: {self.mutation})"


def make_case(seeds: Sequence[Seed], seed: int, number: int, folder: Path) -> Case:
    """Write the damaged file with that number into an empty folder; the same for the same seed and seeds.

    Formats take turns; within a format the seed file, and in a folder the file to be damaged, are drawn.
    """
    random = Random(f"{seed}/{number}")
    formats = list(dict.fromkeys(one.format for one in seeds))
    format_ = formats[number % len(formats)]
    chosen = random.choice([one for one in seeds if one.format == format_])
    shutil.copytree(chosen.folder, folder, dirs_exist_ok=True)
    name = random.choice(chosen.files)
    if len(chosen.files) > 1 and random.random() < 0.05:
        (folder / name).unlink()
        return Case(number, chosen, folder / chosen.entry, f"{name} removed", random)
    content, words = mutate((folder / name).read_bytes(), random)
    (folder / name).write_bytes(content)
    return Case(number, chosen, folder / chosen.entry, f"{name}: {words}", random)


def reference_of(seeds: Sequence[Seed]) -> volumes.Volume:
    """Return the image that the seeds' segmentations and structures belong to."""
    return volumes.read(Path(seeds[0].folder).parents[1] / "DICOM-folder" / "series")


def judge_case(case: Case, like: volumes.Volume, *, with_cli: bool = False) -> Outcome:
    """List and read a damaged file as an image, as labels, and on demand through the command line."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for library in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", library)
        outcome = _attempt(case, _read)
        if outcome.kind != FAILED and hasattr(volumes, "read_labels"):
            for onto in (None, like) if case.seed.format.startswith(("DICOM", "COCO")) else (None,):
                labels = _attempt(case, lambda path, onto=onto: volumes.read_labels(path, like=onto))
                outcome = max(outcome, labels, key=lambda one: _WEIGHT[one.kind])
        if outcome.kind != FAILED and with_cli:
            trouble = _cli_trouble(case.path)
            outcome = Outcome(FAILED, trouble) if trouble else outcome
    if caught and outcome.kind != FAILED:
        first = f"{Path(caught[0].filename).name}:{caught[0].lineno}: {caught[0].message}"
        return Outcome(
            FAILED, f"warned at {' '.join(first.split())[:300]}; {outcome.kind} {outcome.words[:200]}"
        )
    return outcome


def _attempt(case: Case, read: Any) -> Outcome:
    """Call a reader, and judge the error that it raises."""
    try:
        notes = read(case.path)
    except volumes.VolumeError as error:
        trouble = _line_trouble(str(error), case) or _memory_trouble(error)
        return Outcome(FAILED, trouble) if trouble else Outcome(REFUSED, f"{type(error).__name__}: {error}")
    except Exception as error:
        frames = _frames(error)
        return Outcome(FAILED, f"{type(error).__name__} at {frames}: {' '.join(str(error).split())[:200]}")
    for note in notes if isinstance(notes, tuple) else ():
        if trouble := _line_trouble(note, case):
            return Outcome(FAILED, f"a note: {trouble}")
    return Outcome(READ)


def _read(path: Path) -> tuple[str, ...]:
    """List the volumes, read one, look at its voxels; returns what was noted."""
    found = volumes.list_series(path)
    volume = volumes.read(path, series=found[0].key if len(found) > 1 else None)
    middle = volume.data[volume.shape[0] // 2]
    if isinstance(volume.data, volumes.LazyArray):
        volume.data.overview()
    if volume.data.nbytes <= _ALL_OF_IT_BYTES:
        np.asarray(volume.data)
    if middle.shape[:2] != volume.shape[1:] or not np.isfinite(volume.geometry.affine).all():
        raise AssertionError(f"a plane of shape {middle.shape} in a volume of {volume.shape}")
    return volume.provenance.notes


def _line_trouble(line: str, case: Case) -> str:
    """Say what is wrong with a message; empty where nothing is."""
    if not line or "\n" in line or len(line) > _LONGEST_LINE:
        return f"a message of {len(line)} characters and {line.count(chr(10)) + 1} lines: {line[:200]!r}"
    if "Traceback" in line or re.search(r"\b0x[0-9a-f]{6,}", line):
        return f"a message for programmers: {line[:300]!r}"
    secret = next((one for one in SECRETS if one in line), None)
    return f"a message that tells {secret}: {line[:300]!r}" if secret else ""


def _memory_trouble(error: BaseException | None) -> str:
    """Say where memory ran out underneath an error; empty where it did not."""
    while error is not None:
        words = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        if type(error).__module__.startswith("av."):  # FFmpeg says so of what it never tries to allocate
            return ""
        if isinstance(error, MemoryError) or any(one in words.lower() for one in _OUT_OF_MEMORY):
            return f"memory ran out at {_frames(error)}: {words}"
        error = error.__cause__ or error.__context__
    return ""


def _frames(error: BaseException) -> str:
    """Name the last two places of our own code, and the last of all, that an error came through."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    own = [f"{Path(one.filename).name}:{one.lineno}" for one in frames if f"volumes{os.sep}" in one.filename]
    last = [f"{Path(one.filename).name}:{one.lineno}" for one in frames[-1:]]
    return " < ".join([*last, *own[-2:][::-1]])


def _cli_trouble(path: Path) -> str:
    """Run ``napari-sam info`` in this process; say what is wrong with its answer."""
    from napari_sam.cli.main import main

    shown, told = io.StringIO(), io.StringIO()
    with redirect_stdout(shown), redirect_stderr(told):
        code = main(["info", str(path)])
    lines = told.getvalue().splitlines()
    if "Traceback" in told.getvalue() + shown.getvalue():
        return f"a traceback in the command line: {lines[-1]!r}"
    if code == 0:
        strange = [line for line in lines if not line.startswith("napari-sam: ")]
        return f"the command line prints {strange[0][:200]!r}" if strange else ""
    if code != 2 or len(lines) != 1 or not lines[0].startswith("napari-sam: "):
        return f"the command line ends with {code} and {len(lines)} lines: {told.getvalue()[:300]!r}"
    is_surprised = lines[0].startswith(("napari-sam: unexpected ", "napari-sam: out of memory"))
    return f"the command line is surprised: {lines[0][:300]!r}" if is_surprised else ""


def size_words(n_bytes: float) -> str:
    """Write bytes as GiB."""
    return f"{n_bytes / 2**30:.2f} GiB" if math.isfinite(n_bytes) else "?"


def flush_streams() -> None:
    """Have what Python holds back written, so that it is counted with the right case."""
    sys.stdout.flush()
    sys.stderr.flush()
