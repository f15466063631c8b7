"""``napari-sam models``: which models there are, and their files of weights."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from napari_sam.cli.arguments import Parser
from napari_sam.cli.console import say, shown_progress

if TYPE_CHECKING:
    from napari_sam.nodes.model_files import CheckedWeights
    from napari_sam.nodes.models import ModelInfo


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: Parser = commands.add_parser(
        "models",
        help="list, show, download and verify models",
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
    downloading = actions.add_parser(
        "download",
        help="get published weights",
        description="Download published weights into the cache folder, and check them. The same command "
        "goes on with a download that was interrupted.",
    )
    downloading.add_argument("names", metavar="NAME", nargs="+")
    downloading.set_defaults(run=run_download)
    verifying = actions.add_parser(
        "verify",
        help="check weights that are here",
        description="Compare the weights that are here with what is published. The exit code is 2 where a "
        "file differs.",
    )
    verifying.add_argument("names", metavar="NAME", nargs="*", help="all models where none is named")
    verifying.set_defaults(run=run_verify)
    for action in (listing, showing, verifying):
        action.add_argument("--json", action="store_true", help="as JSON")


def run_list(given: Namespace) -> None:
    """List all models, a line each."""
    from napari_sam.nodes.models import list_models

    models = list_models()
    if given.json:
        _say_json(models)
        return
    width = max(len(model.name) for model in models)
    for model in models:
        state = "ready" if model.is_here else "no weights here"
        mark = " (default)" if model.is_default else ""
        say(f"{model.name:<{width}} {state:<16} {model.summary}{mark}")


def run_show(given: Namespace) -> None:
    """Show one model."""
    from napari_sam.nodes.models import describe_model

    model = describe_model(given.name)
    if given.json:
        _say_json(model)
        return
    for name, value in _rows(model):
        say(f"{name:<10} {value}")


def run_download(given: Namespace) -> None:
    """Download the weights of models, one after the other."""
    from napari_sam.errors import Cancelled
    from napari_sam.nodes.model_files import download_weights
    from napari_sam.nodes.models import describe_model

    for name in given.names:
        describe_model(name)  # every name is known before the first download
    for name in given.names:
        try:
            with shown_progress(counts_bytes=True) as progress:
                checked, is_new = download_weights(name, progress=progress)
        except KeyboardInterrupt:
            raise Cancelled(
                "stopped; what came so far is kept, and the same command goes on from there"
            ) from None
        say(_described_download(checked, is_new))


def run_verify(given: Namespace) -> None:
    """Check the weights that are here."""
    from napari_sam.errors import WeightsError
    from napari_sam.nodes.model_files import verify_weights

    with shown_progress(counts_bytes=True) as progress:
        checked = verify_weights(given.names, progress=progress)
    if given.json:
        _say_json(checked)
    else:
        width = max(len(one.name) for one in checked)
        for one in checked:
            digest = "" if one.found is None else f"{one.algorithm} {one.found}  "
            say(f"{one.name:<{width}} {one.verdict:<18} {digest}{one.path}")
    different = [one for one in checked if one.verdict == "differs"]
    if different:
        names = " ".join(one.name for one in different)
        raise WeightsError(
            f"{len(different)} of {len(checked)} files of weights are not what was published: "
            f"{', '.join(str(one.path) for one in different)}; run `napari-sam models download {names}`"
        )


def _described_download(checked: CheckedWeights, is_new: bool) -> str:
    if checked.is_embedded:
        return f"{checked.name}: the weights are part of the package; there is nothing to download"
    digest = f"{checked.algorithm} {checked.found}"
    proof = f"no hash is published; its {digest}" if checked.expected is None else f"{digest}, as published"
    return f"{checked.name}: {'downloaded to' if is_new else 'there already,'} {checked.path} ({proof})"


def _rows(model: ModelInfo) -> list[tuple[str, str]]:
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
    rows += [(name, value) for name in ("sha256", "xxh128") if (value := getattr(model, name)) is not None]
    if model.url is not None:
        rows.append(("from", model.url))
        if not model.is_here:
            rows.append(("get it by", f"napari-sam models download {model.name}"))
    return rows


def _say_json(records: Any) -> None:
    """Write a record, or several, as JSON."""
    import json
    from dataclasses import asdict

    content = [asdict(one) for one in records] if isinstance(records, tuple) else asdict(records)
    say(json.dumps(content, indent=1, default=str))
