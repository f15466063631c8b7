"""``napari-sam embed``: encode images ahead of time."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from napari_sam.cli.arguments import add_model_arguments, add_plane_arguments, model_choice
from napari_sam.cli.console import cancel_on_interrupt, say, shown_progress


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "embed",
        help="encode images ahead of time, so that prompts are answered at once",
        description="Encode images into the cache, for later prompts with the same window and model.",
    )
    parser.add_argument(
        "images", nargs="+", metavar="INPUT", type=Path, help="files, DICOM folders, or folders of pictures"
    )
    add_plane_arguments(parser)
    add_model_arguments(parser)
    parser.set_defaults(run=run)


def run(given: Namespace) -> None:
    """Encode, and say how many planes are ready."""
    from napari_sam.core.window import parse_window
    from napari_sam.errors import Cancelled
    from napari_sam.nodes.embed import EmbedOptions, embed_file
    from napari_sam.nodes.models import load_model
    from volumes import MissingFile

    choice = model_choice(given)
    choice.check()
    if given.window is not None:
        parse_window(given.window)
    missing = next((image for image in given.images if not image.exists()), None)
    if missing is not None:
        raise MissingFile(f"{missing} does not exist; check the path")
    options = EmbedOptions(given.axis, given.planes, given.window, given.series)
    try:
        with cancel_on_interrupt() as cancel, shown_progress() as progress:
            segmenter = load_model(choice)
            for image in given.images:
                done = embed_file(image, segmenter, options, progress=progress, cancel=cancel)
                say(
                    f"{image}: {done.n_planes} planes ready, {done.cache.n_encoded} of them encoded now "
                    f"in {done.seconds:.1f} s; window {done.window.low:g},{done.window.high:g}"
                )
    except Cancelled as error:
        raise Cancelled("cancelled; what was encoded is in the cache") from error
