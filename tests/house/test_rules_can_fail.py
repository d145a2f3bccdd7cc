"""Each rule of the house is shown an example that breaks it, and one that keeps it."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest

from tests.house import locks, rules

Rule = Callable[[str], list[str]]
LONG_FUNCTION = "def long():\n" + "    pass\n" * 60
SHA = "--hash=sha256:" + "0" * 64
heart = functools.partial(rules.libraries, allowed=frozenset({"dataclasses", "domain"}))
hall = functools.partial(rules.states_not_moved_to, initial={"OrderState": {"PAID"}})

BROKEN: list[tuple[Rule, str]] = [
    (rules.floats, "fee = 0.5"),
    (rules.floats, "fee = float(text)"),
    (rules.floats, "def fee() -> float: ..."),
    (rules.floats, "fee = amount * bps / 10_000"),
    (rules.floats, "amount /= 2"),
    (rules.floats, "def fee(share: float) -> int: ..."),
    (rules.floats, "def wait(wait_s: int, share=0.1): ..."),
    (rules.states_set, "order.state = OrderState.PAID"),
    (rules.states_set, "order.status = 'PAID'"),
    (rules.states_set, "paid = replace(order, state=OrderState.PAID)"),
    (rules.states_set, "paid = dataclasses.replace(order, state=life.OrderState.PAID)"),
    (rules.states_set, "unit.orders.save(order, state='PAID')"),
    (rules.states_set, "Order(id=id, state=OrderState.NEW)"),
    (rules.states_set, "sql = \"UPDATE orders SET state = 'PAID' WHERE id = :id\""),
    (rules.states_set, "update(orders).where(orders.c.id == 1).values(state='PAID')"),
    (hall, "def f(o):\n    return replace(o, state=OrderState.SHIPPED)"),
    (hall, "def f(o):\n    ORDER.move(o.state, OrderState.PAID, by)\n    return replace(o, state=OrderState.SHIPPED)"),
    (hall, "def f(o):\n    o = replace(o, state=OrderState.SHIPPED)\n    ORDER.move(o.state, OrderState.SHIPPED, by)"),
    (hall, "def f():\n    return Order(state=OrderState.SHIPPED)"),
    (hall, "def f(o):\n    return replace(o, state='SHIPPED')"),
    (hall, "def f(o):\n    o.state = OrderState.SHIPPED"),
    (rules.environment_read, "import os\nport = os.environ['PORT']"),
    (rules.environment_read, "import os\nport = os.getenv('PORT')"),
    (rules.environment_read, "from os import environ"),
    (rules.clocks_and_dice, "now = datetime.now(UTC)"),
    (rules.clocks_and_dice, "now = datetime.datetime.now(UTC)"),
    (rules.clocks_and_dice, "import time\nnow = time.time()"),
    (rules.clocks_and_dice, "from time import time"),
    (rules.clocks_and_dice, "from uuid import uuid4"),
    (rules.clocks_and_dice, "import uuid\nid = uuid.uuid7()"),
    (rules.clocks_and_dice, "import random"),
    (rules.clocks_and_dice, "from secrets import token_urlsafe"),
    (rules.clocks_and_dice, "Field(default_factory=datetime.now)"),
    (rules.words_for_people, "say('Your money is safe with us.')"),
    (rules.words_for_people, "say(f'Hello {name}, your order was paid')"),
    (rules.words_for_people, "say('تم دفع طلبك بنجاح')"),
    (rules.words_for_people, "raise OrderRefused('The order was already paid.')"),
    (heart, "import sqlalchemy"),
    (heart, "from pydantic.fields import Field"),
    (rules.awaits, "async def decide():\n    await ask()"),
    (rules.plain_comparisons_of_secrets, "ok = signature == expected"),
    (rules.plain_comparisons_of_secrets, "ok = given != settings.webhook_secret"),
    (rules.plain_comparisons_of_secrets, "ok = headers['X-Telegram-Bot-Api-Secret-Token'] == expected"),
    (rules.plain_comparisons_of_secrets, "ok = order.otp_hash == digest(code)"),
    (rules.patching, "def test_x(monkeypatch):\n    monkeypatch.setattr(module, 'now', noon)"),
    (rules.patching, "from unittest.mock import patch"),
    (rules.patching, "from unittest import mock"),
    (rules.too_long, "x = 1\n" * 401),
    (rules.too_long, LONG_FUNCTION),
    (rules.vague_names, "bot/utils.py"),
    (rules.vague_names, "common/money.py"),
    (rules.machine_paths, "data lies in /" + "home/amina/payloom"),
    (rules.machine_paths, "open('/" + "root/payloom.db')"),
    (rules.registries, "see https://" + "pypi" + ".org/project/payloom"),
    (rules.registries, "pip download --" + "index-url https://packages.example"),
    (locks.faults, f"aiohttp>=3.14 {SHA}"),
    (locks.faults, "aiohttp==3.14.5"),
    (locks.faults, "aiohttp==3.14.5 --hash=md5:0123"),
    (locks.faults, f"aiohttp @ https://example.test/aiohttp.whl {SHA}"),
    (locks.faults, "-e ."),
    (locks.faults, "--" + "index-url https://packages.example"),
    (locks.careless_installs, "\tpip install requests"),
    (locks.careless_installs, "subprocess.run([python, '-m', 'pip', 'install', 'requests'])"),
    (locks.careless_installs, "uv pip sync requirements.lock"),
]

KEPT: list[tuple[Rule, str]] = [
    (rules.floats, "fee = amount * bps // 10_000"),
    (rules.floats, "class Sent:\n    retry_after_s: float = 0.5"),
    (rules.floats, "def wait(share: int, *, busy_s: float = 5.0) -> None: ..."),
    (rules.floats, "def monotonic_s() -> float: ..."),
    (rules.states_set, "update(outbox).where(outbox.c.id == 1).values(state='SENDING')"),
    (hall, "def f(o):\n    ORDER.move(o.state, OrderState.SHIPPED, by)\n    return replace(o, state=OrderState.SHIPPED)"),
    (hall, "def f():\n    return Order(state=OrderState.PAID)"),
    (hall, "def f(c):\n    return replace(c, state=ChannelState.ACTIVE)"),
    (rules.states_set, "moved = replace(order, state=row.to)"),
    (rules.states_set, "due = unit.orders.due(state=OrderState.HELD)"),
    (rules.states_set, "if order.state == OrderState.PAID: ..."),
    (rules.states_set, "web.Response(status=200)"),
    (rules.environment_read, "import os\nos.getpid()"),
    (rules.clocks_and_dice, "started = time.monotonic()"),
    (rules.clocks_and_dice, "def settle(unit, now: datetime): ..."),
    (rules.words_for_people, '"""A module that says what it is for."""'),
    (rules.words_for_people, "raise ValueError('Fee must not be negative')"),
    (rules.words_for_people, "log.info('callback stored')"),
    (rules.words_for_people, "Field(description='The amount in minor units.')"),
    (heart, "from dataclasses import dataclass\nfrom domain.money import Money"),
    (rules.awaits, "class Gateway(Protocol):\n    async def start(self, ask: Ask) -> Reply: ..."),
    (rules.plain_comparisons_of_secrets, "ok = hmac.compare_digest(signature, expected)"),
    (rules.plain_comparisons_of_secrets, "missing = token == ''"),
    (rules.plain_comparisons_of_secrets, "same = order.token_id == token_id"),
    (rules.patching, "def test_x(monkeypatch):\n    monkeypatch.setenv('PORT', '1')"),
    (rules.too_long, "x = 1\n" * 400),
    (rules.vague_names, "domain/money.py"),
    (rules.machine_paths, "GET /api/v1/orders, sqlite:///var/payloom.db, https://example.test/home/x"),
    (rules.registries, "pip install --require-hashes -r requirements.lock"),
    (locks.faults, f"aiohttp==3.14.5 ; python_version < '4' \\\n    {SHA} \\\n    {SHA}\n    # via payloom"),
    (locks.careless_installs, "pip install --require-hashes -r requirements.lock"),
]


def name_of(value: object) -> str:
    return str(getattr(value, "__name__", getattr(getattr(value, "func", value), "__name__", ""))) if callable(value) else str(value)[:40]


@pytest.mark.parametrize("rule,example", BROKEN, ids=name_of)
def test_the_rule_sees_what_breaks_it(rule: Rule, example: str) -> None:
    assert rule(example)


@pytest.mark.parametrize("rule,example", KEPT, ids=name_of)
def test_the_rule_lets_good_work_pass(rule: Rule, example: str) -> None:
    assert rule(example) == []
