"""Run the rows of `benchmarks.propagation`, object by object, in processes of one thread each.

Each process has a model of its own and takes whole objects, the largest first: planes are encoded once for
all rows of an object. Results hang neither on the number of processes nor on which of them took what.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from tqdm import tqdm

from benchmarks._propagation_cases import Case, Cases
from benchmarks._propagation_judged import correct_one, follow_one
from benchmarks._propagation_kept import PERSON, Kept, Result, Row
from benchmarks._shown import SHOWN, Shown, show
from benchmarks._worn_truth import WEAR, WornTruth
from napari_sam.core.segmenter import Segmenter
from napari_sam.core.window import resolve_window

Ask: TypeAlias = Callable[[Case], Segmenter]

RAM_BYTES = 2**30
"""For the embeddings of one process. None are kept on disk: every run begins alike."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@dataclass(frozen=True)
class Model:
    """Which model is asked.

    Attributes
    ----------
    name : str
        A model's name, or one of `WEAR`.
    weights : Path or None
        A file of weights instead of the model's own.
    digest : str
        Of the weights that results are wanted of; empty takes any.
    """

    name: str
    weights: Path | None = None
    digest: str = ""

    def named(self) -> Model:
        """Fill in the model's own name and its weights' digest; raises what loading raises."""
        if self.name in WEAR:
            return replace(self, digest=repr(WEAR[self.name]))
        segmenter = self._load()
        return replace(self, name=segmenter.name, digest=_digest(segmenter))

    def ask(self) -> Ask:
        """Load it.

        Raises
        ------
        ValueError
            Weights that are no longer those of the digest.
        """
        if self.name in WEAR:
            return lambda case: WornTruth(case.labels, WEAR[self.name])
        segmenter = self._load()
        if self.digest and _digest(segmenter) != self.digest:
            raise ValueError(
                f"the weights of {self.name} were {self.digest[:12]} when the run began and are "
                f"{_digest(segmenter)[:12]} now; run again"
            )
        return lambda _: segmenter

    def _load(self) -> Segmenter:
        from napari_sam import load_segmenter
        from napari_sam.settings import Settings

        settings = Settings.resolve(disk_budget_bytes=0, ram_budget_bytes=RAM_BYTES)
        return load_segmenter(self.name, weights=self.weights, device="cpu", settings=settings)


@dataclass(frozen=True, eq=False)
class Worker:
    """Does rows of objects, one after another.

    Attributes
    ----------
    cases, ask, kept
        The objects, whom to ask about them, and where each result is written at once.
    """

    cases: Cases
    ask: Ask
    kept: Kept

    def do(self, number: int, rows: Sequence[Row]) -> list[Result]:
        """Do some rows of one object."""
        case = self.cases.case(number)
        segmenter, window = self.ask(case), resolve_window(case.volume)
        shown: dict[str, Shown] = {}
        done: list[Result] = []
        for way, name in rows:
            if way in SHOWN and way not in shown:
                shown[way] = show(case.volume, case.truth, way, case.is_film)
            one: Result
            if (way, name) == PERSON:
                one = correct_one(segmenter, case, window)
            else:
                one = follow_one(segmenter, case, shown[way], way, name)
            self.kept.add(one)
            done.append(one)
        return done


def run(model: Model, cases: Cases, rows: Sequence[Row], kept: Kept, jobs: int = 1) -> list[Result]:
    """Do all rows of all objects that the file does not have yet.

    Parameters
    ----------
    model, cases, rows
        Who is asked about what, in which ways.
    kept : Kept
        The file; what it has already is not done again.
    jobs : int
        So many processes; 0 works in this one, with as many threads as it has.

    Returns
    -------
    list of Result
        By object and row, in the order of both, whoever did them and when.

    Raises
    ------
    OSError, ValueError
        What reading, loading and writing raise.
    BrokenExecutor
        A process that ended unasked, such as for want of memory.
    """
    done = kept.read()
    todo = {n: [row for row in rows if (one, row) not in done] for n, one in enumerate(cases.ids)}
    todo = {n: own for n, own in todo.items() if own}
    largest_first = {n: todo[n] for n in sorted(todo, key=cases.size, reverse=True)}
    n_rows = len(cases.ids) * len(rows)
    n_left = sum(map(len, todo.values()))
    with tqdm(total=n_rows, initial=n_rows - n_left, disable=None) as bar:
        for number, results in _work(model, cases, largest_first, kept, jobs):
            done |= {(cases.ids[number], row): one for row, one in zip(todo[number], results, strict=True)}
            bar.update(len(results))
    return [done[one, row] for one in cases.ids for row in rows]


def _work(
    model: Model, cases: Cases, todo: Mapping[int, Sequence[Row]], kept: Kept, jobs: int
) -> Iterator[tuple[int, list[Result]]]:
    """Yield each object's number with what its rows gave, as it is done."""
    if not todo:
        return
    if jobs == 0:
        worker = Worker(cases, model.ask(), kept)
        yield from ((number, worker.do(number, rows)) for number, rows in todo.items())
        return
    context = multiprocessing.get_context("spawn")
    begin = (model, cases, replace(kept, lock=context.Lock()))
    n_processes = min(jobs, len(todo))
    with _one_thread(), ProcessPoolExecutor(n_processes, context, _begin, begin) as pool:
        asked = {pool.submit(_do, number, rows): number for number, rows in todo.items()}
        try:
            for future in as_completed(asked):
                yield asked[future], future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def _one_thread() -> Iterator[None]:
    """Have processes that begin meanwhile use one thread: libraries read this when they are loaded."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@dataclass
class _Process:
    """What a process was sent when it began, and its worker, which is made with the first object."""

    begin: tuple[Model, Cases, Kept] | None = None
    worker: Worker | None = None


_THIS = _Process()


def _begin(model: Model, cases: Cases, kept: Kept) -> None:
    _THIS.begin = model, cases, kept
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the first one does, however that was ended: another may go on with the file."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do(number: int, rows: Sequence[Row]) -> list[Result]:
    """Do rows of an object in a process of its own; raises there what is to be raised in the first one."""
    if _THIS.worker is None and _THIS.begin is not None:
        model, cases, kept = _THIS.begin
        _limit_threads(model)
        _THIS.worker = Worker(cases, model.ask(), kept)
    if _THIS.worker is None:
        raise RuntimeError("this process was sent nothing to work on; start it with _begin")
    return _THIS.worker.do(number, rows)


def _limit_threads(model: Model) -> None:
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    if model.name not in WEAR:
        import torch

        torch.set_num_threads(1)


def _digest(segmenter: Segmenter) -> str:
    return str(getattr(segmenter, "weights_sha256", segmenter.name))
