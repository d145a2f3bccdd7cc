"""Credentials at the desk: tried before they are kept, sealed, masked, and sealed again under a new key whatever kills the process."""

from __future__ import annotations

import http.server
import json
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gateways.seals import AesSeals, CannotOpen
from tests.cli.ground import KEY, NEW_KEY, PYTHON, House, environment
from tests.cli.test_admin import shop
from tests.storage.ground import raw

GIVEN = {"consumer_key": "CANARYck", "consumer_secret": "CANARYcs", "short_code": "600123", "passkey": "CANARYpk"}


class Office(http.server.BaseHTTPRequestHandler):
    """Answers like Daraja's token page: 200 with a token, or what `refuses` says."""

    refuses = False

    def do_GET(self) -> None:
        body = json.dumps({"errorCode": "400.008.01"} if self.refuses else {"access_token": "t" * 28, "expires_in": "3599"}).encode()
        self.send_response(400 if self.refuses else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the library
        """Quiet."""


@pytest.fixture(params=[False])
def office(request: pytest.FixtureRequest) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("ThisOffice", (Office,), {"refuses": request.param}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def give(house: House, organization: str, text: str) -> Any:
    return house.admin("gateway", "set", "daraja", "--organization", organization, "--from", "stdin", stdin=text)


def sealed(house: House) -> list[tuple[int, str]]:
    with raw(house.url) as session:
        return [(row[0], row[1]) for row in session.plain("SELECT organization_id, sealed FROM gateway_settings ORDER BY 1").fetchall()]


def opened_with(keys: list[str], rows: list[tuple[int, str]]) -> list[dict[str, str]]:
    ring = AesSeals(keys)
    return [json.loads(ring.open(text, f"organization:{owner}:daraja:credentials")) for owner, text in rows]


def test_credentials_are_tried_sealed_and_shown_masked(house: House, office: str) -> None:
    house.env["PAYLOOM_MPESA_API_BASE"] = office
    number = shop(house)
    done = give(house, number, "\n".join(f"PAYLOOM_MPESA_{name.upper()}={value}" for name, value in GIVEN.items()))
    assert done.code == 0, done.err
    assert opened_with([KEY], sealed(house)) == [GIVEN]
    shown = house.admin("gateway", "show")
    assert "600123" in shown.out
    assert "CANARY" not in shown.out + house.admin("gateway", "show", "--json").out + done.out
    assert give(house, number, json.dumps({**GIVEN, "passkey": "other"})).code == 0
    assert opened_with([KEY], sealed(house)) == [{**GIVEN, "passkey": "other"}]


@pytest.mark.parametrize("office", [True], indirect=True)
def test_what_daraja_refuses_is_not_kept(house: House, office: str) -> None:
    house.env["PAYLOOM_MPESA_API_BASE"] = office
    done = give(house, shop(house), json.dumps(GIVEN))
    assert (done.code, "does not accept" in done.err, sealed(house)) == (1, True, [])


def test_when_daraja_is_away_nothing_is_kept(house: House) -> None:
    done = give(house, shop(house), json.dumps(GIVEN))
    assert (done.code, "cannot be reached" in done.err, sealed(house)) == (1, True, [])


@pytest.mark.parametrize("text", ["", "nonsense", "{broken", '{"consumer_key": "a", "colour": "b"}'])
def test_what_is_no_credentials_is_refused_with_the_names(house: House, text: str) -> None:
    done = give(house, "1", text)
    assert (done.code, done.err.count("\n"), "name=value" in done.err) == (1, 1, True)


def test_secrets_come_from_the_settings_or_a_terminal_else_not(house: House, office: str) -> None:
    number = shop(house)
    assert "no terminal" in house.admin("gateway", "set", "daraja", "--organization", number).err
    assert "not set" in house.admin("gateway", "set", "daraja", "--organization", number, "--from", "env").err
    house.env.update({f"PAYLOOM_MPESA_{name.upper()}": value for name, value in GIVEN.items()} | {"PAYLOOM_MPESA_API_BASE": office})
    assert house.admin("gateway", "set", "daraja", "--organization", number, "--from", "env").code == 0
    assert "come from PAYLOOM_MPESA_" in house.admin("gateway", "set", "daraja", "--from", "env").err
    assert len(sealed(house)) == 2


def test_the_platforms_own_may_be_kept_when_no_setting_names_them(house: House, office: str) -> None:
    house.env["PAYLOOM_MPESA_API_BASE"] = office
    assert house.admin("gateway", "set", "daraja", "--from", "stdin", stdin=json.dumps(GIVEN)).code == 0
    assert [owner for owner, _ in sealed(house)] == [0]
    for word, paused in (("pause", "paused"), ("resume", "")):
        assert house.admin("gateway", word, "daraja").code == 0
        assert house.admin("gateway", "show", "--json").data[0]["paused"] == paused


def furnished(house: House, many: int) -> list[dict[str, str]]:
    """Credentials of many organizations, sealed with the old key."""
    ring = AesSeals([KEY])
    clear = [{**GIVEN, "short_code": str(600_000 + number)} for number in range(many)]
    with raw(house.url) as session:
        session.plain("BEGIN")
        for number, one in enumerate(clear):
            text = ring.seal(json.dumps(one), f"organization:{number}:daraja:credentials")
            session.plain(f"INSERT INTO gateway_settings VALUES ({number}, 'daraja', '{text}', NULL, 0, 0)")
        session.plain("COMMIT")
    return clear


def test_keys_are_rotated_and_the_old_one_may_go(house: House) -> None:
    clear = furnished(house, 5)
    house.env["PAYLOOM_ENCRYPTION_KEYS"] = f"{NEW_KEY},{KEY}"
    (finding,) = [one for one in house.ask("doctor", "--json").data["findings"] if one["name"] == "sealed credentials"]
    assert (finding["state"], finding["found"]) == ("note", "5 of 5 are under an older key")
    assert house.admin("rotate-keys", "--json").data == {"resealed": 5, "already": 0, "lost": []}
    assert house.admin("rotate-keys", "--json").data == {"resealed": 0, "already": 5, "lost": []}
    assert opened_with([NEW_KEY], sealed(house)) == clear


def test_a_row_whose_key_is_gone_is_named_and_left_as_it_is(house: House) -> None:
    furnished(house, 2)
    house.env["PAYLOOM_ENCRYPTION_KEYS"] = NEW_KEY
    before = sealed(house)
    done = house.admin("rotate-keys")
    assert (done.code, "daraja of organization 1" in done.err) == (1, True)
    assert sealed(house) == before
    assert "cannot be opened" in house.admin("gateway", "show").out
    (finding,) = [one for one in house.ask("doctor", "--json").data["findings"] if one["name"] == "sealed credentials"]
    assert finding["state"] == "problem"


def test_rotation_killed_again_and_again_ends_with_every_row_readable(house: House) -> None:
    """K5, safety 3.4: `kill -9` at any point; each row is whole, under the old key or the new one."""
    clear = furnished(house, 1500)
    house.env["PAYLOOM_ENCRYPTION_KEYS"] = f"{NEW_KEY},{KEY}"
    dice, moved = random.Random(7), {0}
    for _ in range(40):
        process = subprocess.Popen(
            [PYTHON, "-m", "payloom", "admin", "rotate-keys"],
            env=environment(house.env),
            cwd=house.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _until_some_are_moved(house, process, max(moved))
        time.sleep(dice.random() / 20)
        process.kill()
        process.wait()
        rows = sealed(house)
        assert opened_with([KEY, NEW_KEY], rows) == clear
        moved.add(_moved(rows))
        if len(moved) > 4 or len(clear) in moved:
            break
    assert len(moved) > 2, "it was never killed half way"
    assert house.admin("rotate-keys").code == 0
    assert opened_with([NEW_KEY], sealed(house)) == clear
    with pytest.raises(CannotOpen):
        opened_with([KEY], sealed(house))


def _moved(rows: list[tuple[int, str]]) -> int:
    new = AesSeals([NEW_KEY]).seal("", "").split(".")[1]
    return sum(text.split(".")[1] == new for _, text in rows)


def _until_some_are_moved(house: House, process: subprocess.Popen[bytes], before: int) -> None:
    while process.poll() is None and _moved(sealed(house)) <= before:
        time.sleep(0.01)
