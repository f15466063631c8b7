"""``napari-sam embed``: encode images ahead of time."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from napari_sam.cli.arguments import (
    add_image_argument,
    add_model_arguments,
    add_plane_arguments,
    chosen_image,
    model_choice,
)
from napari_sam.cli.console import cancel_on_interrupt, say, shown_progress


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "embed",
        help="encode images ahead of time, so that prompts are answered at once",
        description="Encode images into the cache, for later prompts with the same window and model.",
    )
    add_image_argument(parser, several=True)
    add_plane_arguments(parser)
    add_model_arguments(parser)
    parser.set_defaults(run=run)


def run(given: Namespace) -> None:
    """Encode, and say how many planes are ready."""
    from napari_sam.core.window import parse_window
    from napari_sam.errors import Cancelled
    from napari_sam.nodes.embed import EmbedOptions, embed_file
    from napari_sam.nodes.models import load_model

    choice = model_choice(given)
    choice.check()
    if given.window is not None:
        parse_window(given.window)
    images = [chosen_image(given, place) for place in given.images]
    for image in images:
        image.check_exists()
    options = EmbedOptions(given.axis, given.planes, given.window)
    try:
        with cancel_on_interrupt() as cancel, shown_progress() as progress:
            segmenter = load_model(choice)
            for image in images:
                done = embed_file(image, segmenter, options, progress=progress, cancel=cancel)
                say(
                    f"{image.place}: {done.n_planes} planes ready, {done.cache.n_encoded} of them encoded "
                    f"now in {done.seconds:.1f} s; window {done.window.low:g},{done.window.high:g}"
                )
    except Cancelled as error:
        raise Cancelled("cancelled; what was encoded is in the cache") from error
