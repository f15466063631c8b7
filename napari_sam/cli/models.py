"""``napari-sam models``: which models there are."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from napari_sam.cli.arguments import Parser
from napari_sam.cli.console import say


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: Parser = commands.add_parser(
        "models",
        help="list models, and show one",
        description="Which models there are, and where their weights are.",
    )
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    listing = actions.add_parser("list", help="all models", description="List all models.")
    listing.set_defaults(run=run_list)
    showing = actions.add_parser(
        "show", help="one model", description="Show what there is to know of one model."
    )
    showing.add_argument("name", metavar="NAME", nargs="?", default="default")
    showing.set_defaults(run=run_show)


def run_list(given: Namespace) -> None:
    """List all models, a line each."""
    from napari_sam.nodes.models import list_models

    for model in list_models():
        state = "ready" if model.is_here else "no weights here"
        mark = " (default)" if model.is_default else ""
        say(f"{model.name:<18} {state:<16} {model.summary}{mark}")


def run_show(given: Namespace) -> None:
    """Show one model."""
    from napari_sam.nodes.models import describe_model

    model = describe_model(given.name)
    rows = [
        ("name", model.name + (" (default)" if model.is_default else "")),
        ("summary", model.summary),
        ("prompts", ", ".join(model.prompts)),
        ("input", f"{model.side} × {model.side} pixels"),
        ("licence", model.licence),
        ("origin", model.origin),
        ("weights", f"{model.weights}{'' if model.is_here else ' (not there yet)'}"),
    ]
    if model.n_bytes is not None:
        rows.append(("size", f"{model.n_bytes / 1e6:.1f} MB"))
    if model.url is not None:
        rows.append(("from", model.url))
    if model.sha256 is not None:
        rows.append(("sha256", model.sha256))
    for name, value in rows:
        say(f"{name:<10} {value}")
