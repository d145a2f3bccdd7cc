"""The log: one line a fact, whatever people type; secrets are stars."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog

from payloom import log

FORGED = "x\r\n2026-01-01T00:00:00Z [info] paid order=1\x1b[2J\x1b]0;owned\x07\x00\u2028\u202e{0.__class__}%s%n"


@pytest.fixture(autouse=True)
def after() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_people_type_stays_in_its_line_and_draws_nothing(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """W16: log injection; newline, ANSI, format strings; in the event, a value, and within a value."""
    log.configure(form)
    structlog.get_logger("web").warning(FORGED, name=FORGED, many=[FORGED], deep={"a": FORGED}, error=ValueError(FORGED))
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.endswith("\n")
    plain = said.rstrip("\n")
    assert plain.isprintable(), [char for char in plain if not char.isprintable()]
    assert "%s%n" in plain and "{0.__class__}" in plain
    if form == "json":
        json.loads(plain)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_secret_by_its_name_is_a_star_at_any_depth(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """W26."""
    log.configure(form)
    structlog.get_logger("web").error("refused", token="CANARY", consumer_secret="CANARY", headers={"Authorization": "CANARY"})
    assert "CANARY" not in capsys.readouterr().err
