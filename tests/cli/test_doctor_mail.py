"""The doctor and the mail server: it says what is wrong and what to do, and sends nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from payloom.doctor_checks import FINE, NOTE, PROBLEM, Ground
from payloom.doctor_mail import mail
from payloom.settings import Settings, missing
from tests.gateways.email_ground import Script, scripted
from town.core import Core
from town.mail import MailServer

FROM = "PayLoom <no-reply@pay.example>"


def settings(**given: Any) -> Settings:
    return Settings(_env_file=None, **given)  # type: ignore[call-arg]


async def found(url: str, **more: Any) -> list[tuple[str, str, str]]:
    given = settings(smtp_url=SecretStr(url), mail_from=FROM, **more)
    return [(one.name, one.state, one.found) async for one in mail(Ground(given, town=False, town_is_open=False, now=datetime.now(UTC)))]


async def test_a_server_that_lets_us_in() -> None:
    server = MailServer(Core(1))
    await server.start()
    try:
        first, second = await found(server.url)
        assert first[:2] == ("mail", FINE) and second[:2] == ("mail returns", NOTE)
        assert [one[0] for one in await found(server.url, mail_callback_secret=SecretStr("s" * 16))] == ["mail"]
        ((_, state, said), *_) = await found(server.url.replace("town-mail", "wrong"))
        assert state == PROBLEM and "does not accept" in said and "wrong" not in said
        assert server.inboxes.addresses() == {}
    finally:
        await server.stop()
    ((_, state, said), *_) = await found(server.url)
    assert state == PROBLEM and "cannot be used" in said


async def test_a_server_without_a_way_in() -> None:
    async with scripted(Script(EHLO="250 script")) as url:
        ((_, state, said), *_) = await found(url)
        assert state == PROBLEM and "no way to log in" in said
        ((_, state, said), *_) = await found(url.replace("smtp+plain", "smtp"))
        assert state == PROBLEM and "no TLS" in said


async def test_none_is_a_note() -> None:
    assert [(name, state) for name, state, _ in await found("")] == [("mail", NOTE)]


@pytest.mark.parametrize(
    "given, named",
    [
        ({"smtp_url": SecretStr("http://host")}, "PAYLOOM_SMTP_URL"),
        ({"smtp_url": SecretStr("smtp+plain://mail.example.com")}, "PAYLOOM_SMTP_URL"),
        ({"smtp_url": SecretStr("smtp://user@host")}, "PAYLOOM_SMTP_URL"),
        ({"smtp_url": SecretStr("smtp://host"), "mail_from": "x"}, "PAYLOOM_MAIL_FROM"),
        ({"mail_callback_secret": SecretStr("short")}, "PAYLOOM_MAIL_CALLBACK_SECRET"),
    ],
)
def test_what_cannot_be_used_is_named(given: dict[str, Any], named: str) -> None:
    given = {"mail_from": FROM, **given}
    assert [problem.split()[0].rstrip(":") for problem in missing(settings(**given)) if "MAIL" in problem or "SMTP" in problem] == [named]
