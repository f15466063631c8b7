"""Results of `benchmarks.propagation` in a file of JSON lines, so that a run that was cut off can go on.

A line is one object by one method from one way of showing it, or a person's work on one object. It carries
the digest of all that it hangs on: the model's weights, the source of the package and of the methods, the
versions of the libraries, the folder's index, the machine. Lines of another digest stay in the file and are
not looked at, so a table never mixes two models. A line that was cut off in writing counts as not there.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, TypeAlias

from benchmarks._correcting import Work
from benchmarks._machine import machine
from benchmarks._propagation_table import Corrected, Outcome
from napari_sam.core.scores import SurfaceDistance
from napari_sam.nodes.volume_scores import VolumeScore

Result: TypeAlias = Outcome | Corrected
Row: TypeAlias = tuple[str, str]
"""From what is followed, and by which method."""

PERSON: Row = ("corrected", "a person")
"""The row of a person's work."""

_ROOT = Path(__file__).parents[1]
_SOURCES = (
    "volumes/**/*.py",
    *(f"napari_sam/{part}/**/*.py" for part in ("core", "engine", "models", "nodes", "zoo")),
    *(f"benchmarks/_{name}.py" for name in ("correcting", "growing", "micro_sam", "remembered", "shown")),
    *(f"benchmarks/_propagation_{name}.py" for name in ("cases", "judged", "methods")),
    "benchmarks/_worn_truth.py",
)
_LIBRARIES = ("numpy", "scipy", "scikit-image", "SimpleITK", "torch")


@dataclass(frozen=True)
class Kept:
    """The file and the digest of this run.

    Parameters
    ----------
    path : Path or None
        The file; None keeps nothing.
    digest : str
        Of all that results hang on; see `digest_of`.
    lock : context manager
        Held while a line is written, where several processes write.
    """

    path: Path | None
    digest: str
    lock: AbstractContextManager[Any] = field(default_factory=nullcontext, compare=False)

    def read(self) -> dict[tuple[str, Row], Result]:
        """Return this run's results by object and row; raises OSError where the file cannot be read."""
        found: dict[tuple[str, Row], Result] = {}
        for line in _lines(self.path):
            if line.pop("digest", None) == self.digest:
                result = _result(line)
                found[result.id, row_of(result)] = result
        return found

    def add(self, result: Result) -> None:
        """Write a line; raises OSError where that cannot be done."""
        if self.path is None:
            return
        with self.lock, self.path.open("a+b") as file:
            if file.tell() and not _ends_a_line(file):
                file.write(b"\n")
            file.write(json.dumps({"digest": self.digest, **_line(result)}).encode() + b"\n")


def row_of(result: Result) -> Row:
    """Name the row that a result belongs to."""
    return PERSON if isinstance(result, Corrected) else (result.shown, result.method)


def digest_of(model: str, weights: str, index: Path | None) -> str:
    """Digest all that results hang on but the object and the row.

    Parameters
    ----------
    model, weights : str
        The model's name, and the digest of its weights.
    index : Path or None
        The folder's list of images, where there is one.
    """
    sources = sorted(path for pattern in _SOURCES for path in _ROOT.glob(pattern))
    hung_on = {
        "model": [model, weights],
        "sources": [hashlib.sha256(path.read_bytes()).hexdigest() for path in sources],
        "versions": [version(name) for name in _LIBRARIES],
        "index": hashlib.sha256(index.read_bytes()).hexdigest() if index and index.is_file() else None,
        "machine": machine(),
    }
    return hashlib.sha256(json.dumps(hung_on).encode()).hexdigest()


def _lines(path: Path | None) -> Iterator[dict[str, Any]]:
    if path is None or not path.exists():
        return
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            yield line


def _ends_a_line(file: IO[bytes]) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read() == b"\n"


def _line(result: Result) -> dict[str, Any]:
    line = asdict(result)
    if isinstance(result, Outcome) and result.surface is not None and math.isinf(result.surface.mean_mm):
        line["surface"] = {"mean_mm": None, "p95_mm": None}
    return line


def _result(line: dict[str, Any]) -> Result:
    if "propagated" in line:
        works = {name: Work(**line.pop(name)) for name in ("propagated", "by_plane")}
        return Corrected(**line, **works)
    score, surface = VolumeScore(**line.pop("score")), line.pop("surface")
    score = replace(
        score, too_many=_pair(score.too_many), too_few=_pair(score.too_few),
        counts=tuple(_pair(band) for band in score.counts),
    )  # fmt: skip
    if surface is not None:
        surface = SurfaceDistance(**{k: math.inf if v is None else v for k, v in surface.items()})
    return Outcome(**line, score=score, surface=surface)


def _pair(two: Iterable[int]) -> tuple[int, int]:
    first, second = two
    return first, second
