"""``napari-sam sessions``: the work that the window keeps by itself, and making room."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from napari_sam.cli.arguments import Parser
from napari_sam.cli.console import say

if TYPE_CHECKING:
    from napari_sam.nodes.kept_sessions import KeptSession


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: Parser = commands.add_parser(
        "sessions",
        help="list and remove kept sessions",
        description="The window keeps each session by itself, and offers it when the image is opened again. "
        "Nothing is ever removed unless you ask for it here.",
    )
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    listing = actions.add_parser("list", help="all kept sessions", description="List all kept sessions.")
    listing.set_defaults(run=run_list)
    removing = actions.add_parser(
        "remove", help="delete some for good", description="Delete kept sessions for good."
    )
    removing.add_argument("names", metavar="NAME", nargs="*", help="as `napari-sam sessions list` shows it")
    removing.add_argument("--older-than", type=float, metavar="DAYS", help="all not changed for so many days")
    removing.set_defaults(run=run_remove)
    for action in (listing, removing):
        action.add_argument("--json", action="store_true", help="as JSON")


def run_list(given: Namespace) -> None:
    """List the kept sessions, a line each."""
    from napari_sam.nodes.kept_sessions import list_kept

    kept = list_kept()
    if not given.json and not kept:
        say("no session is kept")
        return
    _say(kept, given.json)


def run_remove(given: Namespace) -> None:
    """Delete kept sessions, and say which."""
    from napari_sam.cli.arguments import UsageError
    from napari_sam.nodes.kept_sessions import remove_kept

    if not given.names and given.older_than is None:
        raise UsageError("name the sessions to remove, or give --older-than DAYS")
    removed = remove_kept(given.names, given.older_than)
    if not given.json:
        n_bytes = sum(one.n_bytes for one in removed)
        say(f"removed {len(removed)} session{'s' * (len(removed) != 1)}, {n_bytes / 1e6:.1f} MB")
    _say(removed, given.json)


def _say(sessions: tuple[KeptSession, ...], as_json: bool) -> None:
    import json
    from datetime import UTC, datetime

    rows = [
        {
            "name": one.name,
            "changed": datetime.fromtimestamp(one.changed_s, UTC).isoformat(timespec="seconds"),
            "shape": one.shape,
            "objects": one.n_objects,
            "bytes": one.n_bytes,
            "closed": one.was_closed,
        }
        for one in sessions
    ]
    if as_json:
        say(json.dumps(rows, indent=1))
        return
    for one, row in zip(sessions, rows, strict=True):
        shape = " × ".join(str(n) for n in one.shape)
        when = datetime.fromtimestamp(one.changed_s).strftime("%Y-%m-%d %H:%M")
        n_objects = f"{row['objects']} object{'s' * (row['objects'] != 1)}"
        end = "" if one.was_closed else ", cut off"
        say(f"{one.name}  {when}  {shape}, {n_objects}, {one.n_bytes / 1e6:.1f} MB{end}")
