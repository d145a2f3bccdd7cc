"""What the heart is made of: frozen values, lists of words, and promises of the back rooms that contain nothing."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from enum import Enum
from typing import Any, Protocol

import pytest

import domain
from domain import ports
from domain.ports import Button, Delivery, Message, Sent

NAMES = [f"domain.{module.name}" for module in pkgutil.iter_modules(domain.__path__)]
CLASSES = [
    pytest.param(one, id=f"{name[7:]}.{one.__name__}")
    for name in NAMES
    for _, one in inspect.getmembers(importlib.import_module(name), inspect.isclass)
    if one.__module__ == name
]
BEHAVE = {"Life", "Tokens"}
"""The two classes that are more than a value: a table that answers, and keys that make and read."""


@pytest.mark.parametrize("one", CLASSES)
def test_every_class_of_the_heart_is_a_frozen_value_a_list_of_words_a_promise_or_an_error(one: type[Any]) -> None:
    if dataclasses.is_dataclass(one):
        parameters = one.__dataclass_params__  # type: ignore[attr-defined]
        assert parameters.frozen
        assert hasattr(one, "__slots__")
    else:
        assert one.__name__ in BEHAVE or issubclass(one, (Enum, Exception)) or Protocol in one.__bases__


@pytest.mark.parametrize("name", NAMES)
def test_every_module_of_the_heart_says_what_it_is(name: str) -> None:
    assert importlib.import_module(name).__doc__


def test_every_door_to_the_back_rooms_is_a_protocol() -> None:
    promised = [
        one.__name__
        for _, one in inspect.getmembers(ports, inspect.isclass)
        if one.__module__ == "domain.ports" and Protocol in one.__bases__
    ]
    assert {"Clock", "Chance", "Unit", "Store", "Messenger"} <= set(promised)


def test_a_message_says_only_what_it_was_told_to() -> None:
    message = Message("Paid")
    assert (message.buttons, message.picture, message.reply_to, message.ask_contact, message.remove_keyboard) == ((), None, None, "", False)
    assert Button("Open") == Button("Open", data="", url="", copy="", share="")
    assert Sent(Delivery.GONE) == Sent(Delivery.GONE, ref=None, retry_after_s=0, error="")
