"""The form in which values are compared and stored, and what they may hold (contract, sections 4 and 10)."""

import re

import import_groups

# What a tenant's ID is (src/tenant.rs).
TENANT = re.compile(r"[A-Za-z0-9_-]{1,64}")

MAX_BYTES = 1024

# Unicode's White_Space, which Python's `\s` is not: that takes U+001C to U+001F for white space, too.
BLANK = f"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000{import_groups.MARKS}"
AROUND = "".join(filter(re.compile(f"[{BLANK}]").match, map(chr, range(0x10000))))
# Full-width forms count as ASCII, and are removed where that is.
NOT_IN_PHONES = re.compile(f"[{BLANK}()\u2010-\u2015\u2212-]")
COUNTRY = re.compile(r"\+86|0086|86(?=1[0-9]{10}\Z)")

UNREADABLE = re.compile(r"[\x00-\x1f\x7f\ufffd]")


class Unfit(ValueError):
    """What is wrong with a value; its text does not show it."""


def trim(text):
    """The text without surrounding white space and invisible marks."""
    return text.strip(AROUND)


def canonical(phone):
    """The form in which a phone is compared; empty if nothing is left."""
    digits = NOT_IN_PHONES.sub("", phone.translate(import_groups.ASCII)).removesuffix(".0")
    country = COUNTRY.match(digits)
    return digits[country.end() :] if country else digits


def compared(field, text):
    return canonical(text) if field == "phone" else trim(text)


def fault(text, value):
    """Why a text is no identifier, or its value as it is compared."""
    if UNREADABLE.search(text):
        return "a control character or U+FFFD inside"
    return f"over {MAX_BYTES:,} bytes" if len(value.encode(errors="surrogatepass")) > MAX_BYTES else None


def identifier(field, text):
    """The value of a field as it is compared; empty if none is given. `Unfit` if it may not be one."""
    value = compared(field, text)
    if reason := fault(trim(text), value):
        raise Unfit(f"{field}: {reason}")
    return value


def flaw(field, stored):
    """Why an attribute of a stored customer matches nothing, and the value that it ought to have.

    (None, None) if it fits; a reason without a value if nothing mends it.
    """
    if field == "tenantId":
        return (None, None) if TENANT.fullmatch(stored) else ("not the ID of a tenant", None)
    if not isinstance(stored, str):
        return "not a string", None
    value = compared(field, stored)
    # White space inside a phone is no obstacle here: it is not part of the value.
    if reason := fault(value, value):
        return reason, None
    if value == stored != "":
        return None, None
    if not value:
        return "blank", ""
    return ("not in canonical form" if field == "phone" else "blanks or marks around the value"), value
