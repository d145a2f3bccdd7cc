"""Settings: the language, which way notifications come, when they wait for the morning, whether news come at all; for a shop, what becomes of late money."""

from __future__ import annotations

from bot.dialog import Answer, Choice, Kind, Next, Screen, Step, Turn, rows_of
from bot.dialogs import gateway
from bot.dialogs.start import LABELS
from domain.late import LatePolicy
from domain.person import ChannelKind
from domain.rights import Action, allowed
from domain.wants import PREFERENCE, Wants, read_hours, spell_hours
from usecases.people import set_late_policy, set_wants

NIGHT = (21 * 60, 7 * 60)
_ELSEWHERE = {
    "language": Next("language", "start", forget=True),
    "email": Next("address", "email", forget=True),
    "gateways": Next("list", "gateway", forget=True),
}


def _ways(turn: Turn) -> list[ChannelKind]:
    """Those that work for this person, the best first."""
    open_ways = {way.kind for _, way in turn.unit.people.reach(turn.person.id)}
    return [kind for kind in PREFERENCE if kind in open_ways]


def ask_menu(turn: Turn) -> Screen:
    wants = turn.person.wants
    text = turn.say(
        "chat.settings.menu",
        language=LABELS[turn.person.language],
        way=turn.t(f"chat.settings.way_{wants.channel or 'any'}"),
        quiet=spell_hours(wants) if wants.quiet else turn.t("chat.settings.no_hours"),
        news=turn.t("chat.settings.yes" if wants.news else "chat.settings.no"),
    )
    email = turn.choice("email") if turn.unit.house.mail and not turn.small else None
    news = turn.choice("news_off" if wants.news else "news_on")
    late = turn.choice("late_policy") if _owns(turn) else None
    own = turn.choice("gateways") if gateway.offered(turn) else None
    return Screen(
        text, rows_of(turn.choice("way"), turn.choice("quiet"), news, turn.choice("language"), email, late, own, turn.choice("home"))
    )


def take_menu(turn: Turn, answer: Answer) -> Next:
    if answer.kind is not Kind.CHOICE:
        return Next("menu", note=turn.say("chat.pick_one"))
    match answer.text:
        case "way" | "quiet" | "late_policy":
            return Next(answer.text)
        case "news_on" | "news_off":
            return _kept(turn, news=answer.text == "news_on")
        case "language" | "email" | "gateways":
            return _ELSEWHERE[answer.text]
        case _:
            return Next("menu", "home", forget=True)


def ask_way(turn: Turn) -> Screen:
    choices = [Choice(turn.t(f"chat.settings.way_{kind}"), str(kind)) for kind in _ways(turn)]
    anyway = Choice(turn.t("chat.settings.way_any"), "any")
    return Screen(turn.say("chat.settings.ask_way"), rows_of(*choices, anyway, turn.choice("back")))


def take_way(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text == "back":
        return Next("menu")
    if answer.kind is Kind.CHOICE and answer.text == "any":
        return _kept(turn, channel=None)
    ways = {str(kind): kind for kind in _ways(turn)}
    if answer.kind is not Kind.CHOICE or answer.text not in ways:
        return Next("way", note=turn.say("chat.pick_one"))
    return _kept(turn, channel=ways[answer.text])


def ask_quiet(turn: Turn) -> Screen:
    night = Choice(spell_hours(Wants(None, *NIGHT)), "night")
    off = turn.choice("quiet_off") if turn.person.wants.quiet else None
    return Screen(turn.say("chat.settings.ask_quiet"), rows_of(night, off, turn.choice("back")))


def take_quiet(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text == "night":
        return _quiet(turn, NIGHT)
    if answer.kind is Kind.CHOICE and answer.text == "quiet_off":
        return _quiet(turn, (0, 0))
    if answer.kind is Kind.CHOICE:
        return Next("menu")
    if answer.kind is not Kind.TEXT:
        return Next("quiet", note=turn.say("chat.type_words"))
    return _quiet(turn, read_hours(answer.text))


def _quiet(turn: Turn, hours: tuple[int, int]) -> Next:
    return _kept(turn, quiet_from_min=hours[0], quiet_to_min=hours[1])


def _owns(turn: Turn) -> bool:
    return turn.shop is not None and allowed(turn.seller().party, Action.CONFIGURE)


def ask_late(turn: Turn) -> Screen:
    """What becomes of money that comes after a checkout's time; for the owner of a shop, and for nobody else."""
    shop = turn.shop
    if shop is None or not _owns(turn):
        return ask_menu(turn)
    now = turn.t(f"chat.late.policy.{shop.late_money}")
    choices = [Choice(turn.t(f"chat.late.policy.{policy}"), str(policy)) for policy in LatePolicy]
    return Screen(turn.say("chat.late.ask_policy", now=now), rows_of(*choices, turn.choice("back"), per_row=1))


def take_late(turn: Turn, answer: Answer) -> Next:
    if answer.kind is not Kind.CHOICE:
        return Next("late_policy", note=turn.say("chat.pick_one"))
    if answer.text not in set(LatePolicy):
        return Next("menu")
    set_late_policy(turn.unit, turn.seller(), LatePolicy(answer.text))
    return Next("menu", note=turn.say("chat.settings.kept"))


def _kept(turn: Turn, **wanted: object) -> Next:
    turn.person = set_wants(turn.unit, turn.person.id, **wanted)
    return Next("menu", note=turn.say("chat.settings.kept"))


DIALOG = {
    "menu": Step(ask_menu, take_menu),
    "way": Step(ask_way, take_way),
    "quiet": Step(ask_quiet, take_quiet),
    "late_policy": Step(ask_late, take_late),
}
