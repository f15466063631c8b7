"""``napari-sam replay``: a session's labels again, from its log or with a model."""

from __future__ import annotations

from argparse import Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam.cli.arguments import UsageError, add_model_arguments, add_reading_arguments, model_choice
from napari_sam.cli.console import cancel_on_interrupt, say, shown_progress

if TYPE_CHECKING:
    from napari_sam.nodes.replay import ReplayReport
    from volumes import Volume

_DESCRIPTION = """\
Make the labels of a session again, and say whether they are those that it keeps.

From the log alone this needs neither the image nor a model. With --again every prompt and every propagation
is put to the model anew, on the image, and the Dice coefficient of each object says what came out otherwise.
Several sessions, or a folder of them, are replayed one after the other; each takes that of the images that it
was made on. OUT is a file for one session and a folder for several.
"""


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "replay",
        help="make the labels of a session again",
        description=_DESCRIPTION,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "places", nargs="+", type=Path, metavar="SESSION|INPUT", help="sessions, folders of them, and images"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", help="labels to write, or a folder")
    parser.add_argument("--again", action="store_true", help="ask the model anew")
    add_reading_arguments(parser)
    add_model_arguments(parser)
    parser.set_defaults(run=run)


def run(given: Namespace) -> None:
    """Replay, and say of each session what came of it."""
    from napari_sam.nodes.models import load_model
    from napari_sam.nodes.replay import replay_session, sessions_in

    sessions = [one for place in given.places for one in sessions_in(place)]
    images = [place for place in given.places if not sessions_in(place)]
    missing = next((place for place in images if not place.exists()), None)
    if missing is not None:
        raise UsageError(f"there is no {missing}; give sessions, and the images that they were made on")
    if not sessions:
        raise UsageError(f"{given.places[0]} holds no session; give a folder with a session.json")
    if given.again and not images:
        raise UsageError("--again needs the image; give it after the session")
    with cancel_on_interrupt() as cancel, shown_progress() as progress:
        read = _images(given, images)
        segmenter = load_model(model_choice(given)) if given.again else None
        for done, session in enumerate(sessions):
            progress("replaying", done, len(sessions))
            cancel.check()
            out = _output(given.output, session, len(sessions))
            volume = _image_of(session, read)
            report = replay_session(session, out, volume=volume, segmenter=segmenter, cancel=cancel)
            _tell(report, out)


def _images(given: Namespace, places: list[Path]) -> list[Volume]:
    from napari_sam.cli.arguments import chosen_image

    return [chosen_image(given, place).read() for place in places]


def _image_of(session: Path, volumes: list[Volume]) -> Volume | None:
    """Return the image that a session was made on; the only one given is for `replay_session` to check."""
    from napari_sam.store.session_file import SessionFolder

    if len(volumes) <= 1:
        return volumes[0] if volumes else None
    saved = SessionFolder(session).load()
    return next((volume for volume in volumes if saved.belongs_to(volume)), None)


def _output(wanted: Path | None, session: Path, n_sessions: int) -> Path | None:
    if wanted is None or n_sessions == 1:
        return wanted
    if not wanted.is_dir():
        raise UsageError(f"{wanted} is no folder; give one for the labels of {n_sessions} sessions")
    return wanted / f"{session.name.removesuffix('.samsession')}.nii.gz"


def _tell(report: ReplayReport, out: Path | None) -> None:
    verdict = "the labels are those it keeps" if report.is_same else "the labels differ from those it keeps"
    say(f"{report.session}: {report.n_actions} actions; {verdict}")
    for one in report.objects:
        differs = "" if report.is_same else f", kept {one.voxels_kept}, Dice {one.dice:.4f}"
        say(f"{one.id} {one.name}: {one.voxels} voxels{differs}")
    for note in report.notes:
        say(f"note: {note}")
    if out is not None:
        say(f"labels: {out}")
