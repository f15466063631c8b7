"""What to ask of a server and what to do with its answer; `napari_sam.store.downloads` does it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from napari_sam.errors import DownloadFailed
from napari_sam.store.digests import Digest

__all__ = ["Download", "Held", "Opener", "Plan", "Response", "plan_answer", "request_headers"]

_OK, _PARTIAL, _RANGE_REFUSED = 200, 206, 416
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class Response(Protocol):
    """What an `Opener` gives: as `http.client.HTTPResponse`, whatever the status."""

    status: int

    @property
    def headers(self) -> Any:
        """The headers, with a `get` that does not mind upper and lower case."""
        ...

    def read(self, amt: int, /) -> bytes:
        """Return up to `amt` bytes; none at the end."""
        ...


Opener: TypeAlias = Callable[[str, Mapping[str, str]], AbstractContextManager[Response]]
"""(address, headers) to a response; raises OSError where nobody answers."""


@dataclass(frozen=True)
class Download:
    """A file to be had.

    Parameters
    ----------
    url : str
        Where it is published; https only.
    target : Path
        Where it is to lie.
    n_bytes : int, optional
        Its published size; it decides only where there is no digest.
    digest : Digest, optional
        Its published digest.
    """

    url: str
    target: Path
    n_bytes: int | None = None
    digest: Digest | None = None

    @property
    def partial(self) -> Path:
        """Where the file lies until it is whole and checked."""
        return self.target.with_name(self.target.name + ".part")

    @property
    def note(self) -> Path:
        """Where it is noted what the partial file is a part of."""
        return self.target.with_name(self.target.name + ".part.json")

    @property
    def by_hand(self) -> str:
        """What a person can do instead."""
        return f"get {self.target.name} by other means and put it at {self.target}"


@dataclass(frozen=True)
class Held:
    """What an earlier download left: so many bytes of a file that the server described so.

    Parameters
    ----------
    n_bytes : int
        Length of the partial file; 0 where there is none that can be gone on with.
    validator : str
        The server's strong ETag, or else its date of the file; may be empty.
    total_bytes : int or None
        Length of the whole file.
    """

    n_bytes: int = 0
    validator: str = ""
    total_bytes: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        return 0 < self.n_bytes == self.total_bytes


@dataclass(frozen=True)
class Plan:
    """Write what comes from byte `start` on; the whole file has `total_bytes`, None if nobody says so."""

    start: int
    total_bytes: int | None


def request_headers(held: Held) -> dict[str, str]:
    """Return the headers that ask for what is missing: for the whole file where nothing is held.

    ``If-Range`` makes the server send the whole file where it is not the same any more (RFC 9110, 13.1.5).
    """
    headers = {"Accept-Encoding": "identity", "User-Agent": "napari-sam"}
    if held.n_bytes:
        headers["Range"] = f"bytes={held.n_bytes}-"
        if held.validator:
            headers["If-Range"] = held.validator
    return headers


def plan_answer(held: Held, status: int, headers: Mapping[str, str]) -> Plan | None:
    """Decide what to do with an answer to `request_headers`.

    Returns
    -------
    Plan or None
        None where the rest does not fit what is held: ask again, for the whole file.

    Raises
    ------
    DownloadFailed
        A status that gives no file; the message is the status alone.
    """
    if status == _OK:
        length = headers.get("Content-Length", "")
        return Plan(0, int(length) if length.isdecimal() else None)
    if status == _PARTIAL and held.n_bytes:
        found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
        if found is None or int(found[1]) != held.n_bytes:
            return None
        total = None if found[2] == "*" else int(found[2])
        if held.total_bytes is not None and total not in (None, held.total_bytes):
            return None
        return Plan(held.n_bytes, total or held.total_bytes)
    if status == _RANGE_REFUSED and held.n_bytes:
        return None
    raise DownloadFailed(f"status {status}")
