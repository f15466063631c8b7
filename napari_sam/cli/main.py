"""``napari-sam``: choose the command, and turn every failure into one line.

Exit codes: 0 done, 2 bad usage or bad input, 130 cancelled.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from napari_sam.cli import (
    auto,
    clean,
    convert,
    demo,
    embed,
    evaluate,
    info,
    measure,
    models,
    replay,
    segment,
    sessions,
    train,
)
from napari_sam.cli.arguments import Parser, UsageError, VersionAction, join_negative_values
from napari_sam.cli.console import tell

__all__ = ["main"]

DONE, FAILED, CANCELLED = 0, 2, 130

_DEBUG = "--debug"
_DEBUG_VARIABLE = "NAPARI_SAM_DEBUG"
_OWN_LOGGERS = ("napari_sam", "volumes")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the program's name; from the process when None.

    Returns
    -------
    int
        The exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    is_debugging = _DEBUG in given or os.environ.get(_DEBUG_VARIABLE, "") not in ("", "0")
    try:
        chosen = build_parser().parse_args(join_negative_values([text for text in given if text != _DEBUG]))
        with _collected_notes(is_debugging) as notes:
            chosen.run(chosen)
        for note in notes:
            tell(f"note: {note}")
        sys.stdout.flush()
    except SystemExit as stop:  # --help and --version
        return int(stop.code or 0)
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - until the process ends
        return DONE
    except (Exception, KeyboardInterrupt) as error:
        if is_debugging and not isinstance(error, UsageError):
            traceback.print_exc()
        code, message = explain(error)
        tell(message)
        return code
    return DONE


def build_parser() -> Parser:
    """Make the parser of all commands; loads nothing heavy."""
    parser = Parser(
        prog="napari-sam",
        description="Segment objects in images and volumes from one click or one box.",
    )
    parser.add_argument("--version", action=VersionAction, help="show the version and stop")
    parser.add_argument(
        _DEBUG, action="store_true", help=f"show where an error comes from; anywhere (or {_DEBUG_VARIABLE}=1)"
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for module in (
        segment, auto, embed, info, convert, clean, measure, models, train, evaluate, replay, sessions, demo
    ):  # fmt: skip
        module.add_to(commands)
    return parser


def explain(error: BaseException) -> tuple[int, str]:
    """Turn what ended a command into an exit code and one line."""
    from napari_sam.errors import Cancelled, SamError
    from volumes import VolumeError

    text = " ".join(str(error).split())
    if isinstance(error, KeyboardInterrupt):
        return CANCELLED, "cancelled"
    if isinstance(error, Cancelled):
        return CANCELLED, text
    if isinstance(error, UsageError | SamError | VolumeError):
        return FAILED, text
    if isinstance(error, MemoryError):
        return FAILED, f"out of memory ({text or 'no details'}); use a smaller image, or close other programs"
    kind = type(error).__name__
    return FAILED, f"unexpected {kind}: {text or 'no details'}; run again with --debug to see where"


@contextmanager
def _collected_notes(is_debugging: bool) -> Iterator[list[str]]:
    """Keep warnings off the screen; our own are collected, to be shown where the command succeeds."""
    notes: list[str] = []
    handler = _NoteHandler(notes)
    root = logging.getLogger()
    with warnings.catch_warnings():
        if not is_debugging:
            warnings.simplefilter("ignore")
            root.addHandler(handler)
        try:
            yield notes
        finally:
            root.removeHandler(handler)


class _NoteHandler(logging.Handler):
    """Collects the warnings of our own packages, each once."""

    def __init__(self, notes: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._notes = notes

    def emit(self, record: logging.LogRecord) -> None:
        """Take one."""
        text = " ".join(record.getMessage().split())
        if record.name.partition(".")[0] in _OWN_LOGGERS and text not in self._notes:
            self._notes.append(text)


if __name__ == "__main__":
    sys.exit(main())
