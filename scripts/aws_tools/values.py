"""The form in which values are compared and stored, and what they may hold (contract, sections 4 and 10)."""

import os
import re

import import_groups

# What a tenant's ID is (src/tenant.rs).
TENANT = re.compile(r"[A-Za-z0-9_-]{1,64}")

MAX_BYTES = 1024


def characters(*ranges):
    return "".join(chr(code) for first, last in ranges for code in range(first, last + 1))


# Unicode's White_Space, which `str.isspace` is not: that takes U+001C to U+001F for white space, too.
WHITE_SPACE = " \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + characters((0x09, 0x0D), (0x2000, 0x200A))
MARKS = "\ufeff" + characters((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F))
DASHES = "-\u2212" + characters((0x2010, 0x2015))

# Full-width forms count as ASCII, and are removed where that is.
REMOVED = WHITE_SPACE + MARKS + DASHES + "()"
FULL_WIDTH = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
PHONE = {
    **{code: None if ascii in REMOVED else ascii for code, ascii in FULL_WIDTH.items()},
    **dict.fromkeys(map(ord, REMOVED)),
}
COUNTRY = re.compile(r"\+86|0086|86(?=1[0-9]{10}\Z)")

UNREADABLE = re.compile(r"[\x00-\x1f\x7f\ufffd]")


class Unfit(ValueError):
    """What is wrong with a value; its text does not show it."""


def trim(text):
    """The text without surrounding white space and invisible marks."""
    return text.strip(WHITE_SPACE + MARKS)


def canonical(phone):
    """The form in which a phone is compared; empty if nothing is left."""
    digits = phone.translate(PHONE).removesuffix(".0")
    country = COUNTRY.match(digits)
    return digits[country.end() :] if country else digits


def unreadable(text):
    return "a control character or U+FFFD inside" if UNREADABLE.search(text) else None


def too_long(text):
    return f"over {MAX_BYTES:,} bytes" if len(text.encode(errors="surrogatepass")) > MAX_BYTES else None


def compared(field, text):
    return canonical(text) if field == "phone" else trim(text)


def identifier(field, text):
    """The value of a field as it is compared; empty if none is given. `Unfit` if it may not be one."""
    value = compared(field, text)
    if reason := unreadable(trim(text)) or too_long(value):
        raise Unfit(f"{field}: {reason}")
    return value


def flaw(field, attribute):
    """Why an attribute of a stored customer matches nothing, and the value that it ought to have.

    (None, None) if it fits; a reason without a value if nothing mends it.
    """
    if field == "tenantId":
        return (None, None) if TENANT.fullmatch(attribute.get("S", "")) else ("not the ID of a tenant", None)
    if "S" not in attribute:
        return "not a string", None
    value = compared(field, attribute["S"])
    # White space inside a phone is no obstacle here: it is not part of the value.
    if reason := unreadable(value) or too_long(value):
        return reason, None
    if value == attribute["S"] != "":
        return None, None
    if not value:
        return "blank", ""
    return ("not in canonical form" if field == "phone" else "blanks or marks around the value"), value


def words():
    """What stands in the lines of standard input, without white space around it and empty lines."""
    file, _ = import_groups.open_input(os.dup(0))
    lines = import_groups.lines(file, import_groups.encoding_of(file, "utf-8"))
    return [word for _, line in lines if (word := trim(line))]
