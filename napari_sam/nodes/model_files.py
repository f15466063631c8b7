"""The files of weights: bringing one here when a person asks for it, and checking those that are here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

from napari_sam import zoo
from napari_sam.errors import MissingWeights
from napari_sam.nodes.models import describe_model
from napari_sam.nodes.progress import Progress, silent
from napari_sam.settings import Settings
from napari_sam.store.digests import file_digest
from napari_sam.store.download_plan import Download, Opener
from napari_sam.store.downloads import download

__all__ = ["CheckedWeights", "Verdict", "download_weights", "verify_weights"]

Verdict: TypeAlias = Literal["ok", "differs", "not here", "no published hash"]


@dataclass(frozen=True)
class CheckedWeights:
    """What a file of weights is, beside what it should be.

    Attributes
    ----------
    name : str
        The model's name.
    path : Path
        Where the file is, or is looked for.
    verdict : str
        ``"ok"``, ``"differs"``, ``"not here"`` or ``"no published hash"``.
    algorithm : str
        ``"sha256"`` or ``"xxh128"``.
    expected, found : str or None
        The published digest and the file's own, in hex.
    is_embedded : bool
        Whether the file is part of the package.
    """

    name: str
    path: Path
    verdict: Verdict
    algorithm: str
    expected: str | None
    found: str | None
    is_embedded: bool


def download_weights(
    name: str,
    settings: Settings | None = None,
    *,
    opener: Opener | None = None,
    progress: Progress = silent,
) -> tuple[CheckedWeights, bool]:
    """Bring a model's weights into the cache folder, unless the right file is there.

    Parameters
    ----------
    name : str
        As in `list_models`, or ``"default"``.
    settings : Settings, optional
        Resolved where None.
    opener : Opener, optional
        How to ask the server.
    progress : Progress
        Told how many bytes are there.

    Returns
    -------
    tuple of CheckedWeights and bool
        The file, and whether it was downloaded now.

    Raises
    ------
    UnknownModel
        No such model.
    MissingWeights
        Nobody publishes the file at an address that is known.
    DownloadFailed, StoreError, WeightsError
        As `napari_sam.store.downloads.download`.
    """
    settings = settings or Settings.resolve()
    checked = _check(name, settings, progress)
    if checked.verdict in ("ok", "no published hash"):
        return checked, False
    weights = zoo.get(checked.name).weights
    if weights.url is None:
        raise MissingWeights(
            f"no address of {weights.filename}, the weights of {checked.name}, is known; get it from its "
            f"maker ({weights.origin}) and put it at {checked.path}"
        )
    job = Download(weights.url, checked.path, weights.n_bytes, weights.digest)
    download(job, opener, partial(progress, f"downloading {weights.filename}"))
    verdict: Verdict = "no published hash" if weights.digest is None else "ok"
    found = file_digest(checked.path) if weights.digest is None else weights.digest[1]
    return (
        CheckedWeights(
            checked.name, checked.path, verdict, checked.algorithm, checked.expected, found, is_embedded=False
        ),
        True,
    )


def verify_weights(
    names: Sequence[str] = (), settings: Settings | None = None, *, progress: Progress = silent
) -> tuple[CheckedWeights, ...]:
    """Compare the weights that are here with what is published; of all models where none is named.

    Raises
    ------
    UnknownModel
        No model of one of the names.
    StoreError
        A file cannot be read.
    """
    settings = settings or Settings.resolve()
    chosen = tuple(dict.fromkeys(describe_model(name, settings).name for name in names)) or zoo.names()
    return tuple(_check(name, settings, progress) for name in chosen)


def _check(name: str, settings: Settings, progress: Progress) -> CheckedWeights:
    model = describe_model(name, settings)
    weights = zoo.get(model.name).weights
    algorithm, expected = weights.digest or ("sha256", None)
    found: str | None = None
    verdict: Verdict = "not here"
    if model.is_here:
        found = file_digest(model.weights, algorithm, partial(progress, f"checking {weights.filename}"))
        verdict = "no published hash" if expected is None else "ok" if found == expected else "differs"
    embedded = weights.embedded is not None
    return CheckedWeights(model.name, model.weights, verdict, algorithm, expected, found, embedded)
