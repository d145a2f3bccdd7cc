"""What the house says of itself, measured while sales go on."""

from __future__ import annotations

from datetime import timedelta

from domain.health import Health
from domain.money import Money
from tests.factories import Street
from tests.fakes import Ground
from usecases.health import measure

KES_2500 = Money(250_000, "KES")


def look(ground: Ground) -> Health:
    return ground.unit(measure)


def test_a_house_in_which_nothing_happened_has_nothing_waiting(ground: Ground) -> None:
    assert look(ground) == Health(ground.clock.at, None, None, 0, {}, 0, {}, {})


def test_a_payment_grows_old_until_somebody_knows_how_it_ended(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.later(timedelta(minutes=7))
    health = look(ground)
    assert (health.attempt_since, health.age_s(health.attempt_since)) == (attempt.created_at, 420)
    assert street.tell(street.success(attempt)) == "paid"
    assert look(ground).attempt_since is None


def test_a_payment_that_failed_waits_for_nobody(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.tell(street.failure(attempt))
    assert look(ground).attempt_since is None


def test_what_nobody_sent_yet_is_not_unknown(street: Street, ground: Ground) -> None:
    street.attempt()
    assert look(ground).attempt_since is None


def test_money_in_suspense_is_counted_in_each_currency_by_itself(street: Street, ground: Ground) -> None:
    """Beside a sale that was paid as it should be."""
    street.paid()
    assert look(ground).suspense_minor == {}
    first, other = street.ringing(), street.ringing()
    assert street.tell(street.success(first, payee="999999")) == "suspense"
    assert look(ground).suspense_minor == {"KES": 250_000}
    assert street.tell(street.success(other, money=Money(1_000, "USD"))) == "suspense"
    assert look(ground).suspense_minor == {"KES": 250_000, "USD": 1_000}
