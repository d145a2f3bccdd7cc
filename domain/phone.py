"""Phone numbers: one value, one reader of every common way of writing them, one masking.

`phonenumbers` is the one library of the heart: pure data and pure functions (docs/decisions/0007-phone-numbers.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import phonenumbers

from domain.errors import BadInput

MPESA_COUNTRY: Final = "KE"


@dataclass(frozen=True, slots=True)
class Phone:
    """An E.164 number with its plus, such as `+254712345678`."""

    e164: str

    @property
    def msisdn(self) -> str:
        """Digits only, as Daraja wants them: `254712345678`."""
        return self.e164[1:]

    @property
    def masked(self) -> str:
        """For people who may not see all of it: `+254712***678`."""
        return f"{self.e164[:-6]}***{self.e164[-3:]}"

    @property
    def is_kenyan_mobile(self) -> bool:
        """What an STK prompt can be sent to: 2547XXXXXXXX or 2541XXXXXXXX."""
        return len(self.e164) == 13 and self.e164[:5] in {"+2547", "+2541"}

    @property
    def country(self) -> str:
        """Two letters such as `KE`; empty for a number that no country has."""
        try:
            return phonenumbers.region_code_for_number(phonenumbers.parse(self.e164)) or ""
        except phonenumbers.NumberParseException:
            return ""

    def __str__(self) -> str:
        return self.e164


@lru_cache(maxsize=4096)
def read_phone(text: str, country: str = MPESA_COUNTRY) -> Phone:
    """The number a person typed: `0712 345678`, `+254...`, `254...`, `00254...`, `٠٧١٢...`. Raises BadInput(`phone`, `not_a_phone`).

    Letters and extensions are refused: `0722MYSHOP` has a reading on a keypad, and it is a stranger's telephone.
    """
    spoken = text.strip().removeprefix("tel:")
    bare = "".join(str(int(char)) if char.isdecimal() else char for char in spoken if not char.isspace())
    if not 6 <= len(bare) <= 24 or any(char.isalpha() for char in bare):
        raise BadInput("phone", "not_a_phone")
    calling_code = str(phonenumbers.country_code_for_region(country))
    candidates = [bare]
    if bare.startswith(("00", calling_code)):
        candidates.append("+" + bare.removeprefix("00"))
    for candidate in candidates:
        try:
            number = phonenumbers.parse(candidate, country)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number) and number.extension is None:
            return Phone(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    raise BadInput("phone", "not_a_phone")
