"""The comparison with the references, with a small network of our own in their place."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from torch import nn

from benchmarks import parity
from benchmarks._answers import Ask, ours
from tests.golden.small_models import small_model, small_spec

NAME, FAMILY = "efficient_sam_ti.yformer", "efficient_sam_ti"


class Nested(nn.Module):
    """Our network with the reference's name for its parts, and as strict."""

    def __init__(self) -> None:
        super().__init__()
        parts = small_model(FAMILY)
        self.image_encoder, self.prompt_encoder = parts.image_encoder, parts.prompt_encoder
        self.mask_decoder = parts.mask_decoder


def show(model: Nested, picture: object) -> Ask:
    own = small_model(FAMILY)
    own.load_state_dict(model.state_dict())
    return ours(own, small_spec(FAMILY), picture)  # type: ignore[arg-type]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> parity.Reference:
    reference = parity.Reference(Nested, "model", show)
    monkeypatch.setitem(parity.REFERENCES, NAME, reference)
    monkeypatch.setattr(parity, "get", lambda name: small_spec(FAMILY))
    return reference


@pytest.mark.usefixtures("stand_in")
def test_equal_networks_differ_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert parity.main([NAME]) == 0
    printed = capsys.readouterr().out
    for word in (NAME, "embedding", "scores", "three points at once", "0.0e+00", "torch"):
        assert word in printed
    assert "mask" not in parity.compare(NAME)


def test_a_difference_is_a_fault(stand_in: parity.Reference, monkeypatch: pytest.MonkeyPatch) -> None:
    def shifted(model: Nested, picture: object) -> Ask:
        ask = show(model, picture)
        return lambda asked, mask: {k: v + 1e-3 * (k == "low") for k, v in ask(asked, mask).items()}

    monkeypatch.setitem(parity.REFERENCES, NAME, replace(stand_in, show=shifted))
    assert parity.main([NAME]) == 1
    assert parity.compare(NAME)["point"]["low"] == pytest.approx(1e-3, rel=1e-2)


@pytest.mark.parametrize(
    ("name", "package"),
    [("sam_vit_b.meta", "segment_anything"), ("mobile_sam.vit_t", "mobile_sam"), (NAME, "efficient_sam")],
)
def test_what_is_not_installed_is_said(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert parity.main([name]) == 1
    assert f"{name}: not compared, {package} is not installed" in capsys.readouterr().out


def test_unknown_model_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parity.main(["sam_vit_b.mete"])
    assert "choose of sam_vit_b.meta" in capsys.readouterr().err
