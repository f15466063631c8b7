"""``napari-sam evaluate``: simulated boxes and clicks on images whose masks are known."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from napari_sam.cli.arguments import add_model_arguments, model_choice
from napari_sam.cli.console import cancel_on_interrupt, say, shown_progress

_DESCRIPTION = """\
Measure a model on images with masks: a simulated person draws one box, or clicks where the mask is most
wrong, and follows objects from one box through volumes.

FOLDER holds an INDEX.tsv, or folders images/ and labels/ (imagesTr/, labelsTr/), or files NAME.ext beside
NAME_seg.ext. The list of objects is fixed: it depends on the folder and on --per-kind and --per-item alone.
"""


def add_to(commands: Any) -> None:
    """Add the command."""
    from argparse import RawDescriptionHelpFormatter

    parser = commands.add_parser(
        "evaluate",
        help="measure a model on images with masks",
        description=_DESCRIPTION,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="images with masks")
    add_model_arguments(parser)
    parser.add_argument("--baselines", action="store_true", help="measure the classical methods beside it")
    parser.add_argument("--only", metavar="KIND", help="only kinds of image with this in their name")
    parser.add_argument("--per-kind", type=int, default=48, metavar="N", help="most objects a kind (48)")
    parser.add_argument(
        "--per-item", type=int, default=8, metavar="N", help="most objects an image (8; a volume twice that)"
    )
    parser.add_argument("--max-clicks", type=int, default=20, metavar="N", help="most clicks an object (20)")
    parser.add_argument(
        "--jitter", type=float, default=0.0, metavar="SHARE",
        help="move each side of a box by up to this share of its extent (0)",
    )  # fmt: skip
    parser.add_argument("--no-volumes", action="store_true", help="stay in planes")
    parser.add_argument(
        "--anchor", choices=("middle", "largest"), default="middle",
        help="which plane of an object in a volume gets the box (middle)",
    )  # fmt: skip
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")
    parser.add_argument("--json", type=Path, metavar="FILE.json", help="write all figures, object by object")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="write a picture of the figures")
    parser.set_defaults(run=run)


def run(given: Namespace) -> None:
    """Measure, and print the tables."""
    from napari_sam.errors import Cancelled
    from napari_sam.nodes.evaluate import EvaluateJob, evaluate_folder
    from napari_sam.nodes.evaluation_report import evaluation_text
    from napari_sam.nodes.tasks import TaskLimits

    job = EvaluateJob(
        folder=given.folder,
        model=model_choice(given),
        baselines=given.baselines,
        limits=TaskLimits(given.per_kind, given.per_item, given.jitter),
        only=given.only,
        max_clicks=given.max_clicks,
        volumes=not given.no_volumes,
        anchor=given.anchor,
        json=given.json,
        plot=given.plot,
    )
    try:
        with cancel_on_interrupt() as cancel, shown_progress() as progress:
            found = evaluate_folder(job, progress=progress, cancel=cancel)
    except Cancelled as error:
        raise Cancelled("cancelled; nothing was written") from error
    say(evaluation_text(found, markdown=given.markdown))
    for name in ("json", "plot"):
        if getattr(given, name) is not None:
            say(f"{name}: {getattr(given, name)}")
