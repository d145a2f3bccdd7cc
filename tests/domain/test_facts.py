"""What can be told, and the tree of refusals."""

from __future__ import annotations

import inspect
import re

import pytest

from domain import errors
from domain.errors import BadInput, Broken, DomainError, NotFound, Refused
from domain.facts import FACTS, Urgency
from domain.life import LIVES


def test_everything_a_life_tells_is_a_fact() -> None:
    told = {row.tells for life in LIVES for row in life.moves if row.tells}
    assert told == {
        "order_paid",
        "order_accepted",
        "order_shipped",
        "order_delivered",
        "order_completed",
        "order_refunded",
        "dispute_opened",
        "dispute_withdrawn",
        "payment_disproved",
        "chargeback_opened",
        "chargeback_won",
        "chargeback_lost",
    }
    assert told <= FACTS.keys()


def test_each_fact_is_listed_once_under_its_own_name() -> None:
    assert len(FACTS) == 38
    assert all(name == fact.name for name, fact in FACTS.items())
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in FACTS)


def test_money_is_told_before_work_and_work_before_news() -> None:
    assert sorted(Urgency) == [Urgency.MONEY, Urgency.WORK, Urgency.NEWS]
    assert [FACTS[name].urgency for name in ("order_paid", "order_shipped", "order_accepted")] == sorted(Urgency)


def _drawn() -> dict[str, str]:
    """Class -> parent, as the module's docstring draws it."""
    parents: dict[str, str] = {}
    stack = ["DomainError"]
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"^((?:│   |    )*)[├└]── (\w+)", line):
            depth = len(found[1]) // 4 + 1
            stack = [*stack[:depth], found[2]]
            parents[found[2]] = stack[depth - 1]
    return parents


def test_the_tree_of_errors_is_the_one_that_is_drawn() -> None:
    classes = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, DomainError) and one is not DomainError]
    assert {one.__name__: one.__bases__[0].__name__ for one in classes} == _drawn()
    assert len(classes) == 13


def test_every_error_has_a_code_of_its_own_that_is_its_name() -> None:
    for name in _drawn().keys() - {"WrongCode"}:  # a BadCode that is counted, and nothing else
        assert getattr(errors, name).code == re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    assert DomainError.code == "error"


def test_an_error_is_a_code_with_facts_and_no_prose() -> None:
    assert str(NotFound()) == "not_found"
    assert str(NotFound(what="order")) == "not_found {'what': 'order'}"
    assert NotFound(what="order").facts == {"what": "order"}
    assert Broken(promise=1).facts == {"promise": 1}


def test_bad_input_says_which_field_and_why() -> None:
    error = BadInput("name", "too_long", limit=64)
    assert (error.field, error.reason, error.facts) == ("name", "too_long", {"field": "name", "reason": "too_long", "limit": 64})
    with pytest.raises(Refused):
        raise error
