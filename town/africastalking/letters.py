"""How long a text is for a network: the GSM-7 alphabet, parts of an SMS, and what fits a USSD screen (3GPP TS 23.038)."""

from __future__ import annotations

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = "\f^{}\\[~]|€"
_UNITS = dict.fromkeys(_BASIC, 1) | dict.fromkeys(_EXTENDED, 2)

GSM_SCREEN = 182
UCS2_SCREEN = 70


def gsm_units(text: str) -> int | None:
    """Septets of the text, None when a letter is not in GSM-7."""
    try:
        return sum(_UNITS[letter] for letter in text)
    except KeyError:
        return None


def ucs2_units(text: str) -> int:
    """16-bit units: an emoji is two."""
    return len(text.encode("utf-16-be")) // 2


def sms_parts(text: str) -> int:
    """How many SMS the text is: 160 or 153 each in GSM-7, 70 or 67 each otherwise."""
    septets = gsm_units(text)
    length, alone, joined = (ucs2_units(text), 70, 67) if septets is None else (septets, 160, 153)
    return 1 if length <= alone else -(-length // joined)


def too_long_for_a_screen(text: str) -> str:
    """Why the operator refuses to show this on a USSD screen; empty when it fits."""
    septets = gsm_units(text)
    if septets is None:
        strange = next(letter for letter in text if letter not in _UNITS)
        length = ucs2_units(text)
        return f"{length} characters, at most {UCS2_SCREEN} because of {strange!r}" if length > UCS2_SCREEN else ""
    return f"{septets} characters, at most {GSM_SCREEN}" if septets > GSM_SCREEN else ""
