"""`payloom doctor` tells every problem with what to do; and no secret of the settings is ever seen (W26)."""

from __future__ import annotations

import base64
import re
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from payloom.settings import Settings
from payloom.settingsbook import is_secret
from tests.cli.ground import ROOT, House, payloom, settings
from tests.cli.test_keys import office as office
from tests.storage.ground import sqlite_path

CANARY_KEY = base64.b64encode(b"CANARY-encryption-key-0123456789").decode()
CANARIES = {
    "secret_key": "CANARY-secret-key-" + "x" * 30,
    "encryption_keys": CANARY_KEY,
    "telegram_token": "4242:CANARY-telegram-token",
    "telegram_webhook_secret": "CANARY-webhook-secret",
    "mpesa_consumer_key": "CANARY-consumer-key",
    "mpesa_consumer_secret": "CANARY-consumer-secret",
    "mpesa_passkey": "CANARY-passkey",
    "mpesa_security_credential": "CANARY-security-credential",
    "at_api_key": "CANARY-phones-key",
    "at_callback_secret": "CANARY-phones-callbacks",
    "smtp_url": "smtp+plain://me:CANARY-mail-password@127.0.0.1:9",
    "mail_callback_secret": "CANARY-mail-callbacks",
    "stripe_secret_key": "sk_test_CANARY",
    "stripe_webhook_secret": "whsec_CANARY",
    "stripe_webhook_secret_before": "whsec_CANARY_before",
    "paypal_client_secret": "CANARY-paypal-secret",
    "paytabs_server_key": "CANARY-paytabs-key",
    "paytabs_server_key_before": "CANARY-paytabs-key-before",
    "moyasar_secret_key": "sk_test_CANARYmoyasar",
    "moyasar_webhook_secret": "CANARY-moyasar-webhook",
    "moyasar_webhook_secret_before": "CANARY-moyasar-webhook-before",
    "telegram_provider_token": "4242:TEST:CANARY-provider",
}


def findings(house: House, *words: str) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in house.ask("doctor", "--json", *words).data["findings"]}


def test_a_sound_house_with_providers_that_are_away(house: House) -> None:
    done = house.ask("doctor")
    assert done.code == 1
    found = findings(house)
    assert {name for name, one in found.items() if one["state"] == "problem"} == {"telegram"}
    assert (found["database"]["found"].startswith("SQLite "), found["pragmas"]["found"]) == (True, "synchronous=2 foreign_keys=1")
    assert "Traceback" not in done.out + done.err


def test_missing_settings_are_problems_and_everything_else_is_looked_at_all_the_same(house: House) -> None:
    env = {**house.env, "PAYLOOM_SECRET_KEY": "", "PAYLOOM_PORT": "x", "PAYLOOM_BASE_URL": "http://localhost:1"}
    done = house.ask("doctor", "--json", env=env)
    told = [one["found"] for one in done.data["findings"] if one["name"] == "settings"]
    assert [one.split()[0].rstrip(":") for one in told] == ["PAYLOOM_PORT", "PAYLOOM_SECRET_KEY"]
    assert {"database", "disk", "address", "telegram"} <= {one["name"] for one in done.data["findings"]}
    assert {one["name"]: one["state"] for one in done.data["findings"]}["address"] == "problem"


def test_every_setting_is_listed_with_where_it_comes_from(house: House) -> None:
    shown = house.ask("doctor", "--json").data["settings"]
    assert set(shown) == {f"PAYLOOM_{name.upper()}" for name in Settings.model_fields}
    assert shown["PAYLOOM_TELEGRAM_TOKEN"] == {"value": "***", "from": "environment"}
    assert shown["PAYLOOM_FEE_BPS"] == {"value": "250", "from": "default"}


def test_a_database_that_is_not_there_not_migrated_or_not_one(house: House) -> None:
    path = sqlite_path(house.url)
    path.unlink()
    assert findings(house)["database"]["state"] == "problem"
    assert not path.exists()
    sqlite3.connect(path).close()
    path.write_bytes(b"")
    assert findings(house)["migrations"]["state"] == "problem"
    path.write_bytes(b"this is no database at all" * 100)
    assert findings(house)["database"]["state"] == "problem"


def test_a_database_server_that_is_away_is_a_problem_without_its_password(house: House) -> None:
    done = house.ask("doctor", env={**house.env, "PAYLOOM_DATABASE_URL": "postgresql://me:CANARY-password@127.0.0.1:9/payloom"})
    assert done.code == 1
    assert "cannot be used" in done.out
    assert "CANARY" not in done.out + done.err


def test_postgresql_is_looked_at_too(postgresql_url: str, house: House) -> None:
    house.env["PAYLOOM_DATABASE_URL"] = postgresql_url
    found = findings(house)
    assert found["database"]["found"].startswith("PostgreSQL ")
    assert found["clock against the database"]["state"] == "ok"
    assert found["durability"]["state"] == "problem"  # the tests' server does not flush
    assert found["migrations"]["state"] == "ok"


@pytest.mark.parametrize("seen,state", [("2099-01-01T00:00:00+00:00", "problem"), ("2026-01-01T00:00:00+00:00", "ok")])
def test_a_clock_behind_what_was_seen_is_a_problem(house: House, seen: str, state: str) -> None:
    with sqlite3.connect(sqlite_path(house.url)) as connection:
        connection.execute("INSERT INTO marks VALUES ('clock', ?)", (f'{{"highest": "{seen}"}}',))
    connection.close()
    assert findings(house)["clock"]["state"] == state


def test_records_that_nobody_seals_are_a_problem(house: House) -> None:
    with sqlite3.connect(sqlite_path(house.url)) as connection:
        connection.execute("INSERT INTO audit VALUES (1, 's', 1, 1000000, 'a', 'b', '{}', '', 'm')")
    connection.close()
    assert findings(house)["audit seal"]["state"] == "problem"


def test_the_canaries_are_in_every_secret_setting() -> None:
    assert set(CANARIES) == {name for name in Settings.model_fields if is_secret(name)}


@pytest.mark.parametrize("office", [True], indirect=True)
def test_no_canary_is_seen_in_any_output(house: House, office: str, tmp_path: Path) -> None:
    """W26: doctor, commands that work and commands that fail, at the highest level of logging and with traces."""
    path = sqlite_path(house.url)
    given = {**CANARIES, "mpesa_short_code": "600000", "at_username": "shop", "log_level": "debug", "telegram_mode": "webhook"}
    env = settings(house.url, **given)
    elsewhere = {**env, "PAYLOOM_DATABASE_URL": "postgresql://me:CANARY-password@127.0.0.1:9/payloom"}
    refusing = {**env, "PAYLOOM_TELEGRAM_API_BASE": office, "PAYLOOM_MPESA_API_BASE": office}
    broken = {**env, "PAYLOOM_DATABASE_URL": "postgresql://me:CANARY password@[bad/payloom?port=x"}
    other_key = {**env, "PAYLOOM_ENCRYPTION_KEYS": base64.b64encode(b"CANARY-another-key-0123456789-ab").decode()}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        runs = [
            payloom("-v", *words, env=names, cwd=tmp_path)
            for names, words in (
                (env, ("doctor",)),
                (refusing, ("doctor", "--json")),
                (elsewhere, ("doctor",)),
                (broken, ("doctor",)),
                (broken, ("migrate",)),
                (elsewhere, ("migrate",)),
                (elsewhere, ("admin", "organization", "list")),
                (elsewhere, ("audit",)),
                ({**env, "PAYLOOM_PORT": port}, ("run", "web")),
                ({**refusing, "PAYLOOM_PORT": port, "PAYLOOM_LOG_FORMAT": "json"}, ("run", "all")),
                (env, ("admin", "gateway", "show")),
                (other_key, ("admin", "gateway", "show")),
                (other_key, ("admin", "rotate-keys")),
                ({**env, "PAYLOOM_TELEGRAM_WEBHOOK_SECRET": "CANARY!"}, ("run",)),
                ({**env, "PAYLOOM_ENCRYPTION_KEYS": "CANARY"}, ("doctor",)),
                ({**env, "PAYLOOM_MPESA_TRANSACTION_TYPE": "CANARY"}, ("run",)),
            )
        ]
    seen = "\n".join(run.out + run.err for run in runs)
    assert len(seen) > 5_000
    assert [run.code for run in runs[:2]] == [1, 1]
    assert not re.findall(r".*CANARY.*", seen)
    assert CANARY_KEY not in seen
    assert b"CANARY" not in path.read_bytes()


def test_every_alert_has_its_line_in_the_operations_page() -> None:
    page = (ROOT / "docs/operations.md").read_text("utf-8")
    pattern = re.compile(
        r'(?:alert\(\s*unit,\s*|Mismatch\(reason=|_put_off\(unit, refund, |_ask_a_person\([^"\n]*|else )"([a-z]+_[a-z_]+)"'
    )
    texts = [path.read_text("utf-8") for path in sorted((ROOT / "usecases").glob("*.py"))]
    named = {name for text in texts if "alert(" in text for name in pattern.findall(text)}
    assert len(named) >= 12
    assert {name for name in named if f"`{name}`" not in page} == set()
