"""Downloads that can be interrupted: a partial file beside the target, checked, then moved into place.

What to ask for, and what to do with an answer, is decided in `napari_sam.store.download_plan`. Nothing here
is called unless a person asked for a download.
"""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from http.client import HTTPException
from typing import Any, cast

from napari_sam.errors import DownloadFailed, SamError, StoreError, WeightsError
from napari_sam.store.digests import OnBytes, file_digest
from napari_sam.store.download_plan import (
    Download,
    Held,
    Opener,
    Plan,
    Response,
    plan_answer,
    request_headers,
)

__all__ = ["download", "open_url"]

_CHUNK_BYTES = 1 << 20
_TIMEOUT_S = 60.0
_SPARE_BYTES = 64 * 2**20
"""Left free on the disk beside a download."""


def download(job: Download, opener: Opener | None = None, on_bytes: OnBytes | None = None) -> None:
    """Bring a file to its place, going on with what an earlier call left.

    The target is not touched until the new file is whole and its digest is right. Where this fails or is
    interrupted, what came so far stays beside it, unless the digest is wrong.

    Parameters
    ----------
    job : Download
        What, from where, to where.
    opener : Opener, optional
        How to ask; `open_url` when None.
    on_bytes : OnBytes, optional
        Told how far it is.

    Raises
    ------
    DownloadFailed
        No network, a refusal, a cut connection.
    StoreError
        The disk is full, or the folder cannot be written to.
    WeightsError
        The server gave another file than was published.
    """
    if not job.url.startswith("https://"):
        raise DownloadFailed(f"{job.url} is no https address, and is not asked; {job.by_hand}")
    tell = on_bytes or (lambda n_done, n_total: None)
    try:
        job.target.parent.mkdir(parents=True, exist_ok=True)
        held = _read_held(job)
        if not held.is_whole:
            held = _fetch(job, held, opener or open_url, tell)
        _check(job, held)
        job.partial.replace(job.target)
        job.note.unlink(missing_ok=True)
    except SamError:
        raise
    except OSError as error:
        raise StoreError(
            f"cannot write {job.partial} ({error.strerror or error}); make room or choose another cache "
            "folder (NAPARI_SAM_CACHE_DIR), then run it again: what came so far is kept"
        ) from error


def _fetch(job: Download, held: Held, opener: Opener, tell: OnBytes) -> Held:
    """Ask for what is missing, and for the whole file where the server gives no fitting rest."""
    for asked in (held, Held()):
        with _opened(job, asked, opener) as response:
            try:
                plan = plan_answer(asked, response.status, response.headers)
            except DownloadFailed as error:
                raise DownloadFailed(
                    f"{job.url} was refused ({error}); try later, or {job.by_hand}"
                ) from None
            if plan is not None:
                return _receive(job, plan, response, tell)
    raise DownloadFailed(f"{job.url} gives no whole file; try later, or {job.by_hand}")


def _receive(job: Download, plan: Plan, response: Response, tell: OnBytes) -> Held:
    """Write an answer to the partial file."""
    _check_room(job, plan)
    etag = response.headers.get("ETag", "")
    validator = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
    n_bytes, total = plan.start, plan.total_bytes
    with job.partial.open("r+b" if n_bytes else "wb") as file:
        file.truncate(n_bytes)
        file.seek(n_bytes)
        job.note.write_text(json.dumps({"url": job.url, **asdict(Held(0, validator, total))}), "utf-8")
        tell(n_bytes, total or 0)
        for chunk in _chunks(job, response):
            file.write(chunk)
            n_bytes += len(chunk)
            tell(n_bytes, total or 0)
    if total is not None and n_bytes < total:
        raise _cut_off(job, f"after {_megabytes(n_bytes)} of {_megabytes(total)}")
    return Held(n_bytes, validator, total)


def _chunks(job: Download, response: Response) -> Iterator[bytes]:
    while True:
        try:
            chunk = response.read(_CHUNK_BYTES)
        except (OSError, HTTPException) as error:
            raise _cut_off(job, f"({_reason(error)})") from error
        if not chunk:
            return
        yield chunk


def _check(job: Download, held: Held) -> None:
    """Refuse, and drop, a file that is not the one that was published."""
    what: str
    wanted: object
    found: object
    if job.digest is not None:
        what, wanted = job.digest
        found = file_digest(job.partial, job.digest[0])
    else:
        what, wanted, found = "length", job.n_bytes or held.total_bytes, job.partial.stat().st_size
    if wanted in (None, found):
        return
    job.partial.unlink(missing_ok=True)
    job.note.unlink(missing_ok=True)
    raise WeightsError(
        f"{job.url} gave another file than was published: its {what} is {found}, not {wanted}; it was "
        f"deleted; run it again, or {job.by_hand}"
    )


def _read_held(job: Download) -> Held:
    """Return what an earlier download of the same address left, as far as it can be gone on with."""
    try:
        n_bytes = job.partial.stat().st_size
        note = json.loads(job.note.read_text(encoding="utf-8"))
        validator, total = str(note["validator"]), note["total_bytes"]
        is_same = note["url"] == job.url and (total is None or isinstance(total, int))
    except (OSError, ValueError, KeyError, TypeError):
        return Held()
    may_go_on = is_same and (validator or job.digest is not None) and (total is None or n_bytes <= total)
    return Held(n_bytes, validator, total) if may_go_on else Held()


def _check_room(job: Download, plan: Plan) -> None:
    """Refuse a file for which the disk has no room, before a part of it is fetched."""
    if plan.total_bytes is None:
        return
    held_bytes = job.partial.stat().st_size if job.partial.exists() else 0
    missing, free = plan.total_bytes - held_bytes, shutil.disk_usage(job.target.parent).free
    if missing + _SPARE_BYTES > free:
        raise StoreError(
            f"the disk of {job.target.parent} is too full for {job.target.name}: {_megabytes(missing)} are "
            f"missing, {_megabytes(free)} free; make room, or choose another folder (NAPARI_SAM_CACHE_DIR)"
        )


def _opened(job: Download, held: Held, opener: Opener) -> AbstractContextManager[Response]:
    try:
        return opener(job.url, request_headers(held))
    except (OSError, HTTPException) as error:
        raise DownloadFailed(
            f"{job.url} cannot be reached ({_reason(error)}); check the network and the proxy, or "
            f"{job.by_hand}"
        ) from error


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows a redirection to an https address and to no other."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not newurl.startswith("https://"):
            raise urllib.error.URLError(f"it leads to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def open_url(url: str, headers: Mapping[str, str]) -> AbstractContextManager[Response]:
    """Ask a server; as `Opener`. Proxies are those of the environment."""
    request = urllib.request.Request(url, headers=dict(headers))
    try:
        response = urllib.request.build_opener(_HttpsOnly).open(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as refusal:  # a response, too
        response = refusal
    return cast("AbstractContextManager[Response]", response)


def _cut_off(job: Download, how: str) -> DownloadFailed:
    return DownloadFailed(
        f"the connection to {job.url} ended early {how}; what came is kept: run it again to go on from there"
    )


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    return " ".join(str(getattr(reason, "strerror", None) or reason or type(error).__name__).split())


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB"
