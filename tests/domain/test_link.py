"""Links: what may be bought now, and a product said in one line."""

from __future__ import annotations

from typing import Any

import pytest

from domain.errors import BadInput, NotForSale
from domain.life import LinkState
from domain.link import MOST_QUANTITY, QuickSell, check_for_sale, check_stock, read_quick_sell
from tests.domain.samples import INSTANT, START, a_link


@pytest.mark.parametrize("quantity", [1, 2, MOST_QUANTITY])
def test_an_active_link_sells(quantity: int) -> None:
    check_for_sale(a_link(), quantity, START)
    check_for_sale(a_link(stock=quantity), quantity, START)


@pytest.mark.parametrize("quantity", [0, -1, MOST_QUANTITY + 1, 10**18])
def test_a_quantity_that_is_none_is_refused(quantity: int) -> None:
    with pytest.raises(BadInput) as refused:
        check_for_sale(a_link(), quantity, START)
    assert refused.value.facts == {"field": "quantity", "reason": "out_of_range", "limit": 1000}


@pytest.mark.parametrize(
    "changes,quantity,facts",
    [
        ({"state": LinkState.INACTIVE}, 1, {"reason": "inactive"}),
        ({"state": LinkState.EXPIRED}, 1, {"reason": "expired"}),
        ({"state": LinkState.USED}, 1, {"reason": "used"}),
        ({"state": LinkState.SOLD_OUT}, 1, {"reason": "sold_out"}),
        ({"stock": 0}, 1, {"reason": "sold_out", "left": 0}),
        ({"stock": 2}, 3, {"reason": "few_left", "left": 2}),
        ({"expires_at": START}, 1, {"reason": "expired"}),
        ({"expires_at": START - INSTANT, "state": LinkState.SOLD_OUT}, 1, {"reason": "expired"}),
    ],
)
def test_what_cannot_be_bought_says_why(changes: dict[str, Any], quantity: int, facts: dict[str, Any]) -> None:
    with pytest.raises(NotForSale) as refused:
        check_for_sale(a_link(**changes), quantity, START)
    assert refused.value.facts == facts


def test_a_link_sells_until_the_last_instant_before_it_expires() -> None:
    check_for_sale(a_link(expires_at=START + INSTANT), 1, START)


@pytest.mark.parametrize("stock", [0, 1, 1_000_000])
def test_a_shelf_holds_up_to_a_million(stock: int) -> None:
    assert check_stock(stock) == stock


@pytest.mark.parametrize("stock", [-1, 1_000_001, 10**18])
def test_a_stock_that_no_shelf_holds_is_refused(stock: int) -> None:
    with pytest.raises(BadInput) as refused:
        check_stock(stock)
    assert refused.value.facts == {"field": "stock", "reason": "out_of_range", "limit": 1_000_000}


@pytest.mark.parametrize(
    "text,name,price",
    [
        ("Red sneakers 2500", "Red sneakers", "2500"),
        ("Sneakers 2500", "Sneakers", "2500"),
        ("Red   sneakers\t2,500", "Red sneakers", "2,500"),
        ("Red sneakers 2500\n", "Red sneakers", "2500"),
        ("Red sneakers 2.5k", "Red sneakers", "2.5k"),
        ("Red sneakers KSh2500", "Red sneakers", "KSh2500"),
        ("Red sneakers KSh 2500", "Red sneakers", "KSh 2500"),
        ("Red sneakers Ksh. 2,500/-", "Red sneakers", "Ksh. 2,500/-"),
        ("Red sneakers 2500 KES", "Red sneakers", "2500 KES"),
        ("Red sneakers 2500/= ksh", "Red sneakers", "2500/= ksh"),
        ("Bag 900 bob", "Bag", "900 bob"),
        ("Nike Air Max 90 4500", "Nike Air Max 90", "4500"),
        ("iPhone 13", "iPhone", "13"),
        ("Sofa KSh 15 500", "Sofa", "KSh 15 500"),
        ("Sofa KSh 1 500 000/-", "Sofa", "KSh 1 500 000/-"),
        ("Room 12 1500", "Room 12", "1500"),
        ("Size 1200 500", "Size 1200", "500"),
        ("حذاء أحمر ٢٥٠٠", "حذاء أحمر", "٢٥٠٠"),
        ("حذاء ٢٥٠ ريال", "حذاء", "٢٥٠ ريال"),
        ("Meet at 5pm", "Meet at", "5pm"),
        ("x" * 195 + " 2500", "x" * 195, "2500"),
    ],
)
def test_a_product_said_in_one_line_is_a_name_and_a_price(text: str, name: str, price: str) -> None:
    assert read_quick_sell(text) == QuickSell(name, price)


@pytest.mark.parametrize(
    "text",
    ["", "   ", "Sneakers", "2500", "KSh 2500", "2500 KES", "KSh 2 500", "2 500", "Red sneakers", "Red sneakers cheap", "iPhone 13 Pro", "/sell Sneakers 2500",
     "Sneakers\n2500", "Red sneakers KSh", "KSh KES", "Sofa 15 500", "Shoes size 42 500", "x" * 196 + " 2500"],
)  # fmt: skip
def test_what_is_not_clearly_a_name_and_a_price_is_asked_for_step_by_step(text: str) -> None:
    assert read_quick_sell(text) is None
