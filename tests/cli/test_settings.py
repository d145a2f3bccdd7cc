"""Settings: every problem at once; the pages about them are true; no secret is ever shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from domain.errors import CannotPay
from domain.money import Money
from domain.payment import Method, check_payable
from gateways.http import Http
from payloom.carriers import every_gateway
from payloom.settings import BadSettings, Settings, hide_secrets, load, look, masked, missing, origins, secret_values
from payloom.settingsbook import GROUPS, env_example, is_secret, markdown
from tests.cli.ground import KEY, ROOT, House, payloom, settings
from tests.storage.ground import StillClock


def test_every_setting_is_described_once() -> None:
    described = [name for group in GROUPS.values() for name in group]
    assert sorted(described) == sorted(Settings.model_fields)


def test_the_pages_about_settings_are_what_the_program_says() -> None:
    """`python -m payloom.settingsbook` writes them."""
    assert (ROOT / "docs/settings.md").read_text("utf-8") == markdown()
    assert (ROOT / ".env.example").read_text("utf-8") == env_example()


def test_the_example_itself_is_refused_only_for_what_must_be_filled_in(house: House) -> None:
    (house.folder / ".env").write_text((ROOT / ".env.example").read_text("utf-8"))
    done = house.ask("run", env={})
    named = {line.split()[1].rstrip(":") for line in done.err.splitlines() if line.startswith("  - ")}
    assert (done.code, named) == (2, {"PAYLOOM_SECRET_KEY", "PAYLOOM_ENCRYPTION_KEYS", "PAYLOOM_TELEGRAM_TOKEN"})


def test_bad_and_missing_settings_are_all_named_at_once(tmp_path: Path) -> None:
    bad = {
        "PAYLOOM_PORT": "many",
        "PAYLOOM_DATABASE_URL": "mysql://root:CANARY@host/name",
        "PAYLOOM_TELEGRAM_MODE": "pigeon",
        "PAYLOOM_BASE_URL": "https://mpesa.example.com",
        "PAYLOOM_SECRET_KEY": "CANARY",
        "PAYLOOM_ENCRYPTION_KEYS": f"{KEY},CANARY",
        "PAYLOOM_MPESA_CONSUMER_KEY": "CANARY",
    }
    done = payloom("run", env=bad, cwd=tmp_path)
    assert done.code == 2
    for name in (*bad, "PAYLOOM_TELEGRAM_TOKEN", "PAYLOOM_MPESA_CONSUMER_SECRET", "PAYLOOM_MPESA_SHORT_CODE", "PAYLOOM_MPESA_PASSKEY"):
        assert name == "PAYLOOM_MPESA_CONSUMER_KEY" or f"  - {name}" in done.err, name
    assert "CANARY" not in done.err + done.out


@pytest.mark.parametrize("key", ["", "AAAA", "A" * 43 + "=", "not base64!"])
def test_a_weak_or_broken_encryption_key_is_named(house: House, key: str) -> None:
    done = house.ask("run", env={**house.env, "PAYLOOM_ENCRYPTION_KEYS": key})
    assert done.code == 2
    assert "PAYLOOM_ENCRYPTION_KEYS" in done.err


@pytest.mark.parametrize(
    "secret,fine",
    [
        ("", False),
        ("short", False),
        ("sixteen-of-these", True),
        ("sixteen of these!", False),
        ("sixteen-of-these,sixteen-of-those", True),
        ("sixteen-of-these,short", False),
    ],
)
def test_the_webhook_secret_is_what_telegram_takes(house: House, secret: str, fine: bool) -> None:
    """C5, C20: an empty one does not start; while they change there are two, and each has to be good."""
    given = {name.removeprefix("PAYLOOM_").lower(): value for name, value in house.env.items()}
    found = look(**{**given, "telegram_mode": "webhook", "telegram_webhook_secret": secret})[0]
    assert bool(missing(found)) is not fine


@pytest.mark.parametrize("url", ["sqlite+aiosqlite:///", "sqlite:///:memory:", "file.db", "mysql://x"])
def test_an_address_that_is_no_database_of_ours_is_named(url: str) -> None:
    assert [problem.partition(":")[0] for problem in look(database_url=url)[1]] == ["PAYLOOM_DATABASE_URL"]


def test_an_empty_value_counts_as_absent(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYLOOM_PORT", "")
    monkeypatch.setenv("PAYLOOM_FEE_BPS", "300")
    (house.folder / ".env").write_text("PAYLOOM_LOG_FORMAT=json\n")
    monkeypatch.chdir(house.folder)
    found = look()[0]
    known = origins(found)
    assert (found.port, known["port"], known["fee_bps"], known["log_format"]) == (8080, "default", "environment", ".env")


def test_secrets_and_the_passwords_of_addresses_are_masked() -> None:
    url = "postgresql://payloom:pa55word@db.example/payloom?sslmode=require&password=other1"
    found = look(**{name.removeprefix("PAYLOOM_").lower(): value for name, value in settings(url, encryption_keys=f"{KEY},{KEY}").items()})[
        0
    ]
    assert masked(found.database_url) == "postgresql://payloom:***@db.example/payloom?sslmode=require&password=***"
    assert (masked(found.encryption_keys), masked(found.telegram_token), masked(found.mpesa_passkey)) == ("***,***", "***", "")
    assert {"pa55word", "s" * 40, "42:TOKEN"} <= set(secret_values(found))
    assert all(not is_secret(name) or set(masked(getattr(found, name))) <= {"*", ","} for name in Settings.model_fields)


def test_a_trace_is_shown_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYLOOM_TELEGRAM_TOKEN", "42:CANARY")
    assert hide_secrets("https://api.telegram.org/bot42:CANARY/getMe") == "https://api.telegram.org/bot***/getMe"


def test_a_complete_run_has_no_problem() -> None:
    given = {name.removeprefix("PAYLOOM_").lower(): value for name, value in settings("sqlite:///x.db").items()}
    assert load(**given).telegram_username == "payloom_bot"
    with pytest.raises(BadSettings):
        load(**{**given, "secret_key": "short"})


@pytest.mark.parametrize(
    ("given", "gateway", "money", "payable"),
    [
        ({}, "stripe", Money(5_000, "UGX"), False),
        ({"stripe_ugx_decimals": "2"}, "stripe", Money(5_000, "UGX"), True),
        ({"stripe_ugx_decimals": "0"}, "stripe", Money(5_000, "UGX"), True),
        ({}, "paytabs", Money(1_505, "KWD"), True),
        ({"paytabs_thousandths": False}, "paytabs", Money(1_505, "KWD"), False),
        ({"paytabs_thousandths": False}, "paytabs", Money(1_500, "KWD"), True),
    ],
)
def test_what_providers_do_not_say_for_certain_is_a_setting(given: dict[str, Any], gateway: str, money: Money, payable: bool) -> None:
    """G8: before anything starts. What is not certain and not told is not taken."""
    built = every_gateway(Settings(_env_file=None, **given), Http(), StillClock())  # type: ignore[call-arg]
    ability = built[gateway].ability
    try:
        check_payable(ability, Method.VISA, money)
    except CannotPay:
        assert not payable
    else:
        assert payable


def test_decimals_that_no_provider_has_are_refused_by_name(house: House) -> None:
    done = house.ask("run", env={**house.env, "PAYLOOM_STRIPE_UGX_DECIMALS": "3"})
    assert done.code == 2
    assert "PAYLOOM_STRIPE_UGX_DECIMALS" in done.err
