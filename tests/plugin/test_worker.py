"""Jobs on another thread, and what comes back to the window's thread."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from napari_sam.errors import Cancelled
from napari_sam.plugin._jobs import Job

pytest.importorskip("napari")
pytest.importorskip("qtpy", exc_type=ImportError)
pytestmark = [pytest.mark.viewer, pytest.mark.filterwarnings("default")]


@pytest.fixture
def worker(qtbot):
    from napari_sam.plugin._worker import Worker

    made = Worker()
    yield made
    made.close()
    qtbot.waitUntil(lambda: made.is_idle)


def test_work_is_done_elsewhere_and_told_here(worker, qtbot):
    threads, told = [], []

    def work(cancel):
        for number in range(3):
            threads.append(threading.get_ident())
            yield number

    def part(number):
        threads.append(threading.get_ident())
        told.append(number)

    worker.submit(Job("segment", work, part, lambda: told.append("done")))
    qtbot.waitUntil(lambda: "done" in told)
    assert told == [0, 1, 2, "done"]
    assert len(set(threads)) == 2


def test_error_is_handed_over_and_the_next_job_runs(worker, qtbot):
    errors, told = [], []

    def work(cancel):
        raise ValueError("no")

    worker.submit(Job("load", work, on_error=errors.append, on_done=lambda: told.append("never")))
    worker.submit(Job("segment", lambda cancel: [1], told.append))
    qtbot.waitUntil(lambda: told == [1])
    assert [str(error) for error in errors] == ["no"]


def test_cancelled_job_is_done_not_failed(worker, qtbot):
    told, started = [], threading.Event()

    def work(cancel):
        started.set()
        while not cancel.requested:
            yield "part"
        raise Cancelled("stopped")

    worker.submit(Job("propagate", work, on_done=lambda: told.append("done"), on_error=told.append))
    qtbot.waitUntil(started.is_set)
    worker.cancel("propagate")
    qtbot.waitUntil(lambda: told == ["done"])


def test_closed_worker_tells_nothing(worker, qtbot):
    told, release = [], threading.Event()

    def work(cancel):
        release.wait(10)
        yield 1

    worker.submit(Job("segment", work, told.append, lambda: told.append("done")))
    worker.close()
    release.set()
    qtbot.waitUntil(lambda: worker.is_idle)
    worker.submit(Job("segment", lambda cancel: [2], told.append))
    assert told == []


def test_window_can_wait_for_the_part_of_a_running_job_and_is_told_of_it_as_always(worker, qtbot):
    told, answered = [], threading.Event()

    def work(cancel):
        answered.set()
        yield "answer"

    worker.submit(Job("segment", work, told.append))
    worker.leave_to("segment", 60)
    assert answered.is_set()
    assert told == []
    qtbot.waitUntil(lambda: told == ["answer"])


def test_window_waits_for_no_other_job_and_not_for_ever(worker, qtbot):
    release, told = threading.Event(), []

    def work(cancel):
        release.wait(60)
        return [1]

    worker.leave_to("segment", 60)
    worker.submit(Job("segment", work, told.append))
    worker.leave_to("propagate", 60)
    worker.leave_to("segment", 0.001)
    assert told == []
    release.set()
    qtbot.waitUntil(lambda: told == [1])


def test_a_job_that_fails_keeps_nobody_waiting(worker, qtbot):
    errors = []

    def work(cancel):
        raise ValueError("no")

    worker.submit(Job("segment", work, on_error=errors.append))
    worker.leave_to("segment", 60)
    qtbot.waitUntil(lambda: bool(errors))


def test_a_click_is_answered_while_a_plane_is_prepared(worker, qtbot):
    release, told = threading.Event(), []

    def prepare(cancel):
        release.wait(60)
        return ["prepared"]

    worker.submit(Job("prefetch", prepare, told.append))
    worker.submit(Job("segment", lambda cancel: ["answer"], told.append))
    qtbot.waitUntil(lambda: told == ["answer"])
    release.set()
    qtbot.waitUntil(lambda: told == ["answer", "prepared"])


def test_a_job_starts_at_once_while_the_window_is_busy_with_an_event(worker, qtbot):
    from qtpy.QtCore import QEventLoop, QTimer

    started, found = threading.Event(), []
    loop = QEventLoop()

    def work(cancel):
        started.set()
        return ["answer"]

    def press():
        worker.submit(Job("segment", work))
        worker.leave_to("segment", 60)
        found.append(started.is_set())
        loop.quit()

    QTimer.singleShot(0, press)
    loop.exec()
    assert found == [True]


def test_a_worker_that_nobody_holds_tells_to_the_end(qtbot):
    from napari_sam.plugin._worker import Worker

    told = []
    Worker().submit(Job("save", lambda cancel: ["part"], told.append, lambda: told.append("done")))
    qtbot.waitUntil(lambda: told == ["part", "done"])


PROGRAM = """
import sys, threading
from pathlib import Path
from qtpy.QtCore import QCoreApplication, QTimer
from napari_sam.plugin._jobs import Job
from napari_sam.plugin._worker import Worker

program, has_ended, worker = QCoreApplication([]), threading.Event(), Worker()

def prepare(cancel):
    try:
        while not cancel.requested:
            yield
    finally:
        Path(sys.argv[1], "stopped").touch()

def save(cancel):
    has_ended.wait(60)
    Path(sys.argv[1], "saved").touch()
    return ()

worker.submit(Job("prefetch", prepare))
Worker().submit(Job("save", save))
QTimer.singleShot(0, program.quit)
program.exec()
has_ended.set()
"""


def test_at_the_end_of_the_program_preparing_stops_and_a_file_is_written_to_its_end(tmp_path):
    told = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(told, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["saved", "stopped"]
