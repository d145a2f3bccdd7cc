"""Who may do what, as docs/domain.md has it."""

from __future__ import annotations

import pytest

from domain.errors import NotFound
from domain.ids import PersonId
from domain.rights import CLOCK, LEADERS, MEMBERS, RIGHTS, Action, Actor, Party, allowed, require

# the table a second time: buyer staff manager owner arbiter admin gateway clock
TABLE = {
    Action.SEE_ORDER: "yes yes yes yes yes yes no no",
    Action.WORK_ON_ORDER: "no yes yes yes no no no no",
    Action.EDIT_LINKS: "no no yes yes no no no no",
    Action.MANAGE_CUSTOMERS: "no no yes yes no no no no",
    Action.CANCEL_WITH_REFUND: "yes no yes yes yes yes no yes",
    Action.CONFIRM_DELIVERY: "yes no no no yes yes no yes",
    Action.OPEN_DISPUTE: "yes no no no no no no no",
    Action.SETTLE_DISPUTE: "yes no yes yes yes yes no no",
    Action.SEE_WALLET: "no no yes yes no no no no",
    Action.CONFIGURE: "no no no yes no no no no",
    Action.ADMINISTER: "no no no no no yes no no",
}
CASES = [(party, action, word == "yes") for action, row in TABLE.items() for party, word in zip(Party, row.split(), strict=True)]


@pytest.mark.parametrize("party,action,may", CASES)
def test_each_party_may_do_what_the_table_says_and_nothing_else(party: Party, action: Action, may: bool) -> None:
    assert allowed(party, action) is may
    if may:
        assert require(party, action) is party
    else:
        with pytest.raises(NotFound) as refused:
            require(party, action)
        assert refused.value.facts == {"action": action.value}


@pytest.mark.parametrize("action", Action)
def test_somebody_without_a_part_in_it_gets_the_answer_of_a_thing_that_is_not_there(action: Action) -> None:
    with pytest.raises(NotFound):
        require(None, action)


def test_the_table_speaks_of_every_action() -> None:
    assert set(TABLE) == set(Action) == set(RIGHTS)
    assert LEADERS < MEMBERS == {Party.STAFF, Party.MANAGER, Party.OWNER}


def test_the_trail_names_an_actor_without_personal_data() -> None:
    assert Actor(Party.OWNER, "telegram", PersonId(17)).name == "owner:17@telegram"
    assert Actor(Party.BUYER, "web").name == "buyer@web"
    assert Actor(Party.BUYER, "web", PersonId(0)).name == "buyer:0@web"
    assert CLOCK.name == "clock@job"
