#!/usr/bin/env python3
"""Imports a file of customer groups, of any size: CSV whose first line names the columns, or JSON Lines.

    IMPORT_TOKEN=… python3 import_groups.py customers.csv --match fuzzy \\
        --url https://HOST/api/integrate/audience/info/batchAdd

Copy this one file: Python 3.9 or later is all that it needs, on Linux, macOS and Windows. `--help` lists the flags.

A run reads the whole file first: what cannot be right (another encoding, a misspelt column) stops it before anything
is sent, and what looks odd is counted. Then it sends the rows in batches, several at a time, and settles the batches in
the order of the file: a line of the journal says that a batch is done, and has its failed rows, whose file follows from
the journal. So every end but the last is the same as being killed. The next run reads over what is settled, and sends
what was under way again under the same Idempotency-Key, which returns the outcome that it had.

Exit status: 0 every row was imported, 2 some rows failed, 1 the run did not finish.
"""

from __future__ import annotations

import argparse
import base64
import bisect
import collections
import concurrent.futures
import contextlib
import csv
import dataclasses
import email.utils
import errno
import fnmatch
import functools
import hashlib
import http.client
import ipaddress
import itertools
import json
import os
import random
import re
import secrets
import shutil
import signal
import ssl
import stat
import sys
import tempfile
import threading
import time
import unicodedata
import urllib.parse
import urllib.request
from pathlib import Path
from typing import NamedTuple

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

PATH = "/api/integrate/audience/info/batchAdd"
IDENTIFIERS = ("audienceUserId", "openid", "unionid", "phone")
FIELDS = (*IDENTIFIERS, "groups")
HEADINGS = {field.lower(): field for field in FIELDS}
# What a failed row has beside its own fields. Where the input has them, from an earlier run, they are left out.
REASON_FIELDS = ("errorCode", "errorMsg", "retryable")
# The errorCode of what is no row, and what holds a line that is no object. Imported again, both fail until corrected.
BAD_ROW, BAD_ROW_FIELD = "BAD_ROW", "badRow"
# Bytes of one line, which is held in memory. A record has at most some 30,000; the rest is for what is not sent.
LONGEST_LINE = 1 << 24
# A quoted field that goes on for more lines or characters is taken for unclosed.
MAX_QUOTED_LINES, MAX_QUOTED = 1_000, 1 << 18


class Stop(Exception):
    """The run cannot go on: a sentence for the person who started it."""


class Mistake(Stop):
    """The command or the file is at fault. Once that is corrected the run begins anew."""


class Changed(Stop):
    """The file is another one than when its import began."""

    def __init__(self):
        super().__init__("the input was changed since its import began; --restart imports it from its beginning")


# --- The encoding of the file ---

CODECS = {"utf-8": "utf-8", "gbk": "gb18030"}
BOM = "\ufeff"
# What ends a line, or a file of old programs.
NO_ROW = "\r\n\x1a"

# Files that are given by mistake, by how they begin.
NOT_TEXT = (
    (b"PK\x03\x04", "an Excel workbook or another archive"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook"),
    (b"\x1f\x8b", "compressed"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)

# Of three and four bytes in UTF-8, as Chinese is, but for private and unassigned characters.
EASTERN = re.compile("[\u0800-\ud7ff\uf900-\uffef\U00010000-\U0002ebef\U00030000-\U000323af]")
# A word with letters of two bytes, or with such characters. It could be Chinese in GBK.
ODD = "\u0080-\u07ff\ue000-\uf8ff\U0002ebf0-\U0002ffff\U000323b0-\U0010ffff"
WORD = re.compile(f"(?<![A-Za-z])[A-Za-z]*[{ODD}][A-Za-z{ODD}]*")
# In which languages it is meant nevertheless: in Greek, Cyrillic, Hebrew, Arabic, or a Latin script; and signs.
OTHER_SCRIPT = re.compile("[\u0386-\u03ce]{3,}|[\u0401-\u045f]{3,}|[\u05d0-\u05ea]{3,}|[\u0621-\u06d3]{3,}")
ALIEN = re.compile("[\u0700-\u07ff\U0002ebf0-\U0010ffff]")
LATIN = re.compile("[A-Za-z\u00c0-\u017f]+")
SIGNS = re.compile("(?<=[A-Za-z0-9])[·×÷](?=[A-Za-z0-9])|(?<=[0-9])[°²³]|(?<=[a-z])[²³]|[£¥±](?=[0-9])|\u00a0")
# What GBK leaves undefined.
PRIVATE = re.compile("[\ue000-\uf8ff]")


def read_from(file, place, size):
    try:
        file.seek(place)
        return file.read(size)
    except OSError as error:
        raise Stop(f"the input cannot be read: {error.strerror}") from None


def byte_lines(file):
    """The lines of the file with their numbers. They end with LF, CR or CRLF, whose bytes are no part of another
    character in any of the encodings."""
    number, place, rest, part = 1, 0, b"", True
    while part:
        part = read_from(file, place, 1 << 20)
        place += len(part)
        block = (rest + part).splitlines(keepends=True)
        # The last may go on in the next part: at least by the LF of a CRLF.
        rest = block.pop() if part else b""
        if len(rest) > LONGEST_LINE:
            raise Mistake(f"line {number + len(block)} is longer than {LONGEST_LINE} bytes: check the line ends")
        yield from enumerate(block, number)
        number += len(block)


def lines(file, encoding):
    """The lines of the file as text, with their numbers. Files that were put together have several marks."""
    codec = CODECS[encoding]
    try:
        for number, line in byte_lines(file):
            yield number, line.decode(codec).lstrip(BOM)
    except UnicodeDecodeError:
        # All of it was read before.
        raise Changed from None


def decoded(line, codec):
    try:
        return line.decode(codec)
    except UnicodeDecodeError:
        return None


def is_rare(letter):
    """Whether a letter of two bytes is none of GB 2312 if it is GBK: its second byte is below A1."""
    return ord(letter) & 0x3F <= 0x20


def is_likely(word):
    """Whether a word with letters of two bytes is meant as it stands in UTF-8. In a Latin script accents are few, and
    what is a common character in GBK hardly stands at the beginning or the end, or among capitals."""
    word = unicodedata.normalize("NFC", word)
    if OTHER_SCRIPT.fullmatch(word):
        return any(map(is_rare, word))
    plain = sum(map(str.isascii, word))
    if not LATIN.fullmatch(word) or plain < max(2, len(word) - plain):
        return False
    word = re.sub("(?<=[a-z])[áéíó]$", "", word)
    doubtful = word[0] + word[-1] if word.islower() or word.istitle() else word
    return all(letter.isascii() or is_rare(letter) for letter in doubtful)


class Look:
    """What the bytes of a file say about its encoding."""

    def __init__(self, file):
        # By encoding, the first line that has a byte which is none of it.
        self.bad = {}
        # How many lines have Chinese in UTF-8, how many have other languages, and which may be Chinese in GBK: all, and
        # those that are so even in a file with Chinese in UTF-8.
        self.chinese, self.foreign, self.doubtful, self.clear = 0, 0, [], []
        for number, line in byte_lines(file):
            for encoding, codec in () if line.isascii() else CODECS.items():
                if encoding not in self.bad:
                    text = decoded(line, codec)
                    if text is None:
                        self.bad[encoding] = number
                    elif encoding == "utf-8":
                        self.look_at(number, line, text)

    def look_at(self, number, line, text):
        if EASTERN.search(text):
            self.chinese += 1
        elif words := WORD.findall(SIGNS.sub(" ", text)):
            if all(map(is_likely, words)):
                self.foreign += 1
                return
            self.doubtful.append(number)
            found = "".join(words)
            if ALIEN.search(found) or (decoded(line, "gb2312") and re.search("[^\x00-\u00bf×÷]", found)):
                self.clear.append(number)


def check_gbk(file):
    """Stops the run at a line that cannot be meant as GBK although it can be read so, as in a file put together from
    several."""
    for number, line in byte_lines(file):
        utf8 = "" if line.isascii() else line.decode("utf-8", "ignore")
        cut = len(line) - len(utf8.encode())
        # A program that cuts values may have left a part of a character.
        if cut <= 3 and len(EASTERN.findall(utf8)) > (cut > 0):
            raise Mistake(f"line {number} is UTF-8, not GBK: save the whole file in one encoding")
        if PRIVATE.search(line.decode(CODECS["gbk"])):
            raise Mistake(f"line {number} has characters that are not defined in GBK: check --encoding")


def encoding_of(file, given):
    """How to read the file: as `given`, or else as UTF-8. Stops the run if the bytes contradict that."""
    beginning = read_from(file, 0, 64)
    for mark, what in NOT_TEXT:
        if beginning.startswith(mark):
            raise Mistake(f"the input is {what}: save it as CSV UTF-8")
    if beginning.count(0) * 4 > len(beginning):
        raise Mistake("the input is UTF-16 or no text: save it as CSV UTF-8")
    has_mark, look = beginning.startswith(BOM.encode()), Look(file)
    if given == "gbk":
        if has_mark:
            raise Mistake("the input is UTF-8, not GBK, as its byte order mark says: leave out --encoding")
        if "utf-8" not in look.bad and ("gbk" in look.bad or look.chinese + look.foreign > len(look.doubtful)):
            raise Mistake("the input is UTF-8, not GBK: leave out --encoding")
        if "gbk" in look.bad:
            raise Mistake(f"line {look.bad['gbk']} is not GBK: check --encoding, or save the file as CSV UTF-8")
        check_gbk(file)
    elif "utf-8" in look.bad:
        advice = "" if "gbk" in look.bad or look.chinese else ", or, if it is GBK, add --encoding gbk"
        advice = ", as its beginning is" if has_mark else advice
        raise Mistake(f"line {look.bad['utf-8']} is not UTF-8: save the whole file as UTF-8{advice}")
    elif odd := not (given or has_mark) and (look.clear if look.chinese else look.doubtful):
        raise Mistake(
            f"line {odd[0]} is Chinese if it is GBK, and letters that no Chinese list has if it is UTF-8:"
            " name the encoding of the file, --encoding gbk or --encoding utf-8"
        )
    return given or "utf-8"


# --- Rows ---

# White space and invisible marks around a value are no part of it (docs/api.md).
MARKS = "\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
BLANK = "".join(re.findall(f"[\\s{MARKS}]", "".join(map(chr, range(0x10000)))))


def trim(value):
    return value.strip(BLANK)


# The canonical form of a phone (docs/api.md), but for its prefix.
ASCII = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
NOT_DIGITS = re.compile(f"[\\s{MARKS}()\u2010-\u2015\u2212-]+")


def is_phone(value):
    return bool(re.fullmatch(r"\+?[0-9]+", NOT_DIGITS.sub("", value.translate(ASCII))))


def shapes(identifier):
    """What identifiers of a kind have in common: the order of words, digits and signs; of long ones the length, too."""
    kind = re.sub(r"[^\W\d_]+([ .·-][^\W\d_]+)*", "a", re.sub("[0-9]+", "0", identifier))
    found = {re.sub("[0-9]", "0", identifier) if identifier.isdigit() else kind}
    if re.fullmatch("[!-~]{6,}", identifier):
        found.add((len(identifier), "0" in kind))
    return found


# An identifier as most are: in it nothing is odd, and no other rule needs to look at it.
PLAIN = re.compile("[A-Za-z_][A-Za-z_-]*[0-9][A-Za-z0-9_-]*|[0-9]{1,16}")


class Row(NamedTuple):
    """One row of the input: the number of its first line, its text, its fields or members, why it is no record."""

    line: int
    text: str
    content: list | dict
    fault: str | None


def folded(name):
    return re.sub(f"[\\W_{MARKS}]", "", unicodedata.normalize("NFKC", name)).lower()


@functools.lru_cache(maxsize=1_000)
def near_miss(name):
    """The field that `name` nearly is."""
    return None if name in FIELDS else HEADINGS.get(folded(name))


def separated(heading):
    marks = {"\t": "tabs", ";": "semicolons", "，": "full-width commas", "、": "、", "|": "vertical bars"}
    return "".join(f" (the file seems to be separated by {what})" for mark, what in marks.items() if mark in heading)


class Csv:
    """A table: its first line names the columns; a field that is empty is not given."""

    QUOTED = re.compile('[^\\S\r\n]*"([^"]*(?:""[^"]*)*)"(?!")[^\\S\r\n]*')
    OPEN = re.compile('[^\\S\r\n]*"')
    # What Excel is to leave as it is. An identifier is counted among what looks odd, a group cannot be meant.
    FORMULA = re.compile('\\s*="[^"]*"\\s*')
    NOT_CLOSED = "的引号没有结束"

    def __init__(self, file, encoding):
        self.file, self.encoding = file, encoding
        self.width = self.least = 0
        self.has_more = True
        self.sent = self.identifiers = self.groups = ()
        first = next(self.tables(), None)
        if not first:
            raise Mistake("the input is empty")
        # A name that has several lines has no commas, or it may be rows.
        if first.fault or any("," in name and re.search("[\r\n]", name) for name in first.content):
            found = separated(first.text)
            raise Mistake(
                f"the first line must name the columns; its quotes are not closed, or not around a name{found}"
            )
        self.names = [trim(name) for name in first.content]
        self.check_names()
        self.width = len(self.names)
        self.sent = [(self.names.index(field), field) for field in FIELDS if field in self.names]
        self.identifiers = sorted(place for place, field in self.sent if field in IDENTIFIERS)
        self.groups = [place for place, field in self.sent if field == "groups"]
        # Excel adds or leaves out empty fields behind the last name.
        self.least = max(place for place, name in enumerate(self.names, 1) if name)
        self.code = self.names.index("errorCode") if "errorCode" in self.names else None
        self.kept = [place for place, name in enumerate(self.names) if name not in REASON_FIELDS]
        self.unsent = [self.names[place] for place in self.kept if self.names[place] not in ("", *FIELDS)]
        self.looked_at = self.sent + [(place, "") for place in self.kept if not self.names[place]]
        mark = BOM if read_from(file, 0, 4).decode(CODECS[encoding], "ignore").startswith(BOM) else ""
        self.heading = mark + joined([*(self.names[place] for place in self.kept), *REASON_FIELDS])
        rows = list(itertools.islice(self.tables(), 1, 1_000))
        alike = [row.content for row in rows if not row.fault and len(row.content) == len(rows[0].content)]
        has_more = len(rows) > 1 and all(len(row.content) > self.width for row in rows[:2])
        self.has_more = has_more and all(map(self.fits, alike))

    def check_names(self):
        if self.names[0].lower().startswith("sep="):
            raise Mistake("the first line, sep=, is for Excel alone: take it out")
        for name in self.names:
            if field := near_miss(name):
                raise Mistake(
                    f"the column {name} is not sent, and nearly is {field}: rename it if it is meant, or remove it"
                )
            if name in FIELDS and self.names.count(name) > 1:
                raise Mistake(f"the first line names the column {name} twice")
        if "groups" in self.names and set(IDENTIFIERS) & set(self.names):
            return
        missing = " or ".join(IDENTIFIERS) if "groups" in self.names else "groups"
        found = ", ".join(filter(None, self.names[:20])) or "nothing"
        other = separated(found) or (" (commas within quotes separate nothing)" if "," in "".join(self.names) else "")
        raise Mistake(
            f"no column {missing}: the first line must name the columns, separated by commas; it names {found}{other}"
        )

    def rows(self):
        tables, width = self.tables(), self.width
        next(tables)
        for row in tables:
            found = len(row.content)
            if found != width and not row.fault:
                if self.fits(row.content):
                    row = row._replace(content=(row.content + [""] * width)[:width])
                else:
                    advice = "：行尾的空列可能被省略，请在最后一列填值" if found < width else ""
                    row = row._replace(fault=f"第{row.line}行有{found}列，应为{width}列{advice}")
            if self.code is not None and not row.fault and row.content[self.code] == BAD_ROW:
                row = row._replace(fault=f"第{row.line}行尚未改正：改正后请清空errorCode")
            yield row

    def fits(self, fields):
        """Whether a line has the fields of a row. More of them than columns, though empty, may hide a comma that lacks
        its quotes, unless the first two rows have more, too, and where none of the first has something, as it would
        behind numbers of rows that have no name (R)."""
        most = len(fields) if self.has_more else self.width
        return self.least <= len(fields) <= most and not any(map(str.strip, fields[self.width :]))

    def tables(self):
        """The lines of the table, of whatever length."""
        source, again, line = lines(self.file, self.encoding), collections.deque(), []

        def following():
            return again.popleft() if again else next(source, None)

        # Splits one line at a time, and fails at quotes that are not as they should be.
        simple = csv.reader(iter(line.pop, None), strict=True)
        for number, text in iter(following, None):
            if '"' not in text:
                if (bare := text.strip(NO_ROW)) and not bare.isspace():
                    yield Row(number, text, bare.split(","), None)
                continue
            line.append(text)
            try:
                fields, fault = next(simple), None
            except (csv.Error, IndexError):
                fields = None
            if fields is None or '"' in "".join(fields):
                text, fields, fault = self.quoted(number, text, following, again)
            yield Row(number, text, fields, fault and f"第{number}行{fault}")

    def quoted(self, number, first, following, again):
        """A line that its quotes may hold together with following ones. A quote that is never closed would swallow the
        rest of the file, so then, and if the whole is no row, the line stands alone and the others are read again."""
        fields, fault = self.split(first)
        text, more, size = first, [], len(first)
        while fault == self.NOT_CLOSED and size <= MAX_QUOTED and len(more) < MAX_QUOTED_LINES:
            if not (line := following()):
                break
            more.append(line)
            size += len(line[1])
            # Within quotes, each quote ends or begins, and a doubled one does both.
            if line[1].count('"') % 2:
                text = first + "".join(line for _, line in more)
                fields, fault = self.split(text)
        is_whole = not fault and size <= MAX_QUOTED and (not self.width or self.fits(fields))
        if more and is_whole:
            # No name goes on in another line.
            sent = [(field, name) for place, field in self.sent for name in fields[place].split(",")]
            torn = next((field for field, name in sent if re.search("[\r\n]", trim(name))), None)
            within = self.width and self.row_within(fields, [(number, first), *more])
            if within and not torn:
                raise Mistake(
                    f"line {number} opens a quote that is closed only in line {more[-1][0]}, and line {within} seems to"
                    f" be a row of its own: close the quote in line {number}, or, if all of it is one field, take the"
                    " line ends out of that"
                )
            is_whole, fault = not within, torn and f"的{torn}中有换行"
        if more and not is_whole:
            again.extendleft(reversed(more))
            return first, self.split(first)[0], self.NOT_CLOSED
        return text, fields, fault

    def row_within(self, row, together):
        """The number of a line that seems to be a row of its own, and would be lost, among those that the quotes of a
        row hold together: besides another field it has what looks like an identifier of the row, or the row's own a
        second time."""
        last, is_begun = together[-1][0], False
        own = {trim(row[place]) for place in self.identifiers} - {""}
        found = set().union(*map(shapes, own))
        for number, line in together:
            is_own = not own or not own.isdisjoint(map(trim, line.replace('"', "").split(",")))
            if is_own and not is_begun:
                is_begun = True
                continue
            # What follows the last quote may be the rest of the row.
            inside = re.match('(?:[^"]|"")*', line)[0] if number == last else line.replace('"', "")
            fields = [trim(field) for field in inside.split(",")]
            if len(fields) > 1 and not (own and found.isdisjoint(itertools.chain(*map(shapes, fields)))):
                return number
        return None

    def split(self, text):
        """The fields of a line, and its fault. Blanks around quotes are no part of a field."""
        text = text.rstrip("\r\n")
        fields, place = [], 0
        while place <= len(text):
            quoted = self.QUOTED.match(text, place)
            if quoted and text[quoted.end() : quoted.end() + 1] in ("", ","):
                fields.append(quoted[1].replace('""', '"'))
                place = quoted.end() + 1
            elif quoted:
                return [*fields, *text[place:].split(",")], "的引号后有其他字符"
            elif opened := self.OPEN.match(text, place):
                return [*fields, text[opened.end() :]], self.NOT_CLOSED
            else:
                end = text.find(",", place)
                end = len(text) if end < 0 else end
                is_text = len(fields) not in self.groups and self.FORMULA.fullmatch(text, place, end)
                if '"' in text[place:end] and not is_text:
                    return [*fields, *text[place:].split(",")], "的引号前有其他字符"
                fields.append(text[place:end])
                place = end + 1
        return fields, None

    def record(self, row):
        """What is sent of a row, as JSON."""
        values, quote = row.content, json.encoder.encode_basestring
        return "{" + ",".join(f'"{field}":{quote(values[place])}' for place, field in self.sent if values[place]) + "}"

    def is_heading(self, row):
        """Whether a row names columns: an identifier is the name of a field, or its fields have two such names."""
        names = [row.content[place] for place in self.identifiers]
        if not HEADINGS.keys().isdisjoint(folded(name) for name in names if not PLAIN.fullmatch(name)):
            return True
        return "groups" in row.text.lower() and {"groups"} < HEADINGS.keys() & map(folded, row.content)

    def values_of(self, row):
        """The values of a row, with their fields: none for what is not sent. Stops the run at the heading of another
        table, whose columns may stand in another order."""
        if self.is_heading(row):
            raise Mistake(f"line {row.line} names the columns again: import each table as a file of its own")
        return [(name, row.content[place]) for place, name in self.looked_at]

    def failed(self, row, reason):
        """The row in the file of failed rows. What is beyond the columns stands in the last of them."""
        fields = row.content + [""] * (self.width - len(row.content))
        *kept, last = (fields[place] for place in self.kept)
        last = ",".join(fields[self.kept[-1] :]) if len(fields) > self.width else last
        return joined([*kept, last, reason.code, reason.message, json.dumps(reason.retryable)])


def joined(fields):
    """A line of CSV (RFC 4180), without its end."""
    return ",".join('"' + field.replace('"', '""') + '"' if re.search('[,"\r\n]', field) else field for field in fields)


def rejected_constant(constant):
    raise ValueError(f"{constant} is no JSON")


# Numbers stay as they are written. In responses they are compared by their values.
DECODER = json.JSONDecoder(parse_constant=rejected_constant, parse_int=str, parse_float=str)
RESPONSES = json.JSONDecoder(parse_int=float)


class JsonLines:
    """Each line is a record, and is sent as it is."""

    heading, unsent = "", ()
    # At the end of a failed row. Elsewhere the service takes no notice of them.
    REASONS = re.compile(r',?\s*"errorCode":\s*"[^"]*",\s*"errorMsg":\s*"(?:[^"\\]|\\.)*",\s*"retryable":\s*\w+\s*}$')

    def __init__(self, file, encoding):
        self.file, self.encoding = file, encoding

    def rows(self):
        is_first = True
        for number, line in lines(self.file, self.encoding):
            if text := line.strip(f" \t{NO_ROW}"):
                if is_first and re.fullmatch(r"\[|\[\s*\{.*|\{(.*[\[{,])?", text):
                    raise Mistake("the input is not JSON Lines: put one object on each line, without brackets around")
                is_first = False
                yield self.row(number, text)

    def row(self, number, text):
        content = None
        with contextlib.suppress(ValueError, RecursionError):
            content = DECODER.decode(text)
        if not isinstance(content, dict):
            return Row(number, text, {}, f"第{number}行不是JSON对象")
        if BAD_ROW_FIELD in content:
            return Row(number, str(content[BAD_ROW_FIELD]), {}, f"第{number}行的{BAD_ROW_FIELD}尚未改正")
        for name, value in content.items():
            field = near_miss(name)
            if field and not is_blank(value) and is_blank(content.get(field)):
                raise Mistake(f"line {number} has {name}, which would not be sent as {field}: rename it")
        return Row(number, self.REASONS.sub("}", text) if "retryable" in content else text, content, None)

    def record(self, row):
        return row.text

    def values_of(self, row):
        return [(name, value) for name, value in row.content.items() if name in FIELDS and isinstance(value, str)]

    def failed(self, row, reason):
        text = json.dumps({BAD_ROW_FIELD: row.text}, ensure_ascii=False) if row.fault else row.text
        reasons = json.dumps(dict(zip(REASON_FIELDS, reason)), ensure_ascii=False, separators=(",", ":"))
        return text[:-1] + ("," if text[1:-1].strip() else "") + reasons[1:]


def is_blank(value):
    return value is None or (isinstance(value, str) and not trim(value))


READERS = {"csv": Csv, "jsonl": JsonLines}


def open_rows(file, format, encoding=None):
    """The reader of an unbuffered binary file, which it reads from the beginning each time, one time after the other.
    Stops the run if the encoding or the columns are in doubt."""
    return READERS[format](file, encoding_of(file, encoding))


# --- What looks odd ---

NOTES = {
    "excel": 'values that Excel seems to have made (1.38E+10, 13800000001.0, ="c1", \'c1, ####)',
    "nothing": "values that seem to mean nothing, or to have lost their characters (NULL, None, nan, \\N, #N/A, ??)",
    "phone": "phones that are no digits",
    "comma": "groups with ， 、 ; or |, which do not separate names: only , does",
    "quote": "groups with quotation marks or brackets of a list, which become part of the name",
    "mark": "values with invisible characters inside",
    "nameless": "values in columns without a name, which are not sent",
}
EXCEL = re.compile(
    r"[-+]?\d+([.,]\d*)?[Ee][-+]\d+|\d+\.\d+[Ee]\d+|\d+\.0*|\d{15}00+|\d{1,3}(,\d{3})+(\.\d*)?|[='`‘’].+|#{2,}"
)
NOTHING = {"null", "none", "nil", "nan", "na", "nat", "n/a", "undefined", "true", "false", "inf", "[object object]"}
NOTHING |= {"/", "\\n", "\\\\n", "<nil>", "infinity", "-inf", "-infinity", "#spill!", "#calc!"}
NOTHING |= {"无", "空", "暂无", "没有", "未知", "(空)", "(空白)", "(null)", "(none)", "<null>", "<na>", "[null]"}
NOTHING |= {"#n/a", "#ref!", "#value!", "#name?", "#div/0!", "#num!", "#null!"}
MARK = re.compile(f"[{MARKS}]".replace("\u200b-\u200f", "\u200b\u200c\u200e\u200f"))


def oddities(name, value):
    """What looks odd about a value, as keys of NOTES."""
    if not name:
        return {"nameless"}
    if name == "groups":
        return oddities_of_groups(value)
    if PLAIN.fullmatch(value) and (name != "phone" or value.isdigit()):
        return ()
    value = trim(value)
    if EXCEL.fullmatch(value):
        return {"excel"}
    # A program that cannot write a character writes "?".
    if value.lower() in NOTHING or re.search(r"^[-=—?]+$|\?\?", value):
        return {"nothing"}
    if name == "phone":
        return set() if is_phone(value) else {"phone"}
    return {"mark"} if MARK.search(value) else set()


@functools.lru_cache(maxsize=10_000)
def oddities_of_groups(value):
    found = set().union(*(oddities("group", name) for name in value.split(",")))
    found |= {"comma"} if re.search("[，、;；|｜､﹐﹑﹔]", value) else set()
    return found | ({"quote"} if re.search(r"""["“”]|\[['\]]""", value) else set())


def look_over(reader):
    """Reads all rows: their number, and what looks odd, each with its number and its first line."""
    total, found = 0, {}
    for row in reader.rows():
        total += 1
        for name, value in () if row.fault else reader.values_of(row):
            for odd in oddities(name, value) if value else ():
                number, first = found.get(odd, (0, row.line))
                found[odd] = number + 1, first
    notes = [(NOTES[odd], *found[odd]) for odd in NOTES if odd in found]
    return total, [f"note: {what}: {number}, first in line {first}" for what, number, first in notes]


# --- Batches ---


@dataclasses.dataclass
class Batch:
    """Rows that are sent together. Where batches begin and end depends on the file and the limits alone, so that a
    resumed run sends what the previous one sent."""

    number: int
    rows: list
    # The JSON of each row; None if it is no record.
    records: list
    # Fits no other input up to here.
    chain: str


def batches(reader, most_rows, most_bytes, params):
    frame, source, left, chain = len(body_of(params, [])), reader.rows(), [], ""
    for number in itertools.count():
        rows = left + list(itertools.islice(source, most_rows - len(left)))
        if not rows:
            return
        records = [None if row.fault else reader.record(row).encode() for row in rows]
        for place, record in enumerate(records):
            if record and frame + len(record) > most_bytes:
                fault = f"第{rows[place].line}行超过一个请求的上限{most_bytes}字节"
                rows[place], records[place] = rows[place]._replace(fault=fault), None
        # A comma after each but the last. A row that is not sent takes memory, too.
        sizes = [len(record) + 1 if record else len(row.text) for row, record in zip(rows, records)]
        fitting = max(bisect.bisect_right(list(itertools.accumulate(sizes)), most_bytes + 1 - frame), 1)
        rows, left = rows[:fitting], rows[fitting:]
        texts = "\0".join([chain, *(row.text for row in rows)])
        chain = hashlib.sha256(texts.encode(errors="surrogatepass")).hexdigest()
        yield Batch(number, rows, records[:fitting], chain)


def body_of(params, records):
    return b'{"publicParams":' + params.encode() + b',"data":[' + b",".join(records) + b"]}"


# --- Responses ---


class Reason(NamedTuple):
    """Why a row was not imported."""

    code: str
    message: str
    retryable: bool


class Unknown(Exception):
    """The outcome of a request is not known: the same request may be sent again."""

    def __init__(self, why, least=0.0, is_running=False):
        super().__init__(why)
        self.least, self.is_running = least, is_running


class TooLarge(Exception):
    """The request has too many records."""


# Those of API Gateway come without the envelope. What a 500 has done is not known. A 501 is of a server without POST.
TEMPORARY = {408, 425, 429, *range(500, 600)} - {501}
LONGEST_RETRY_AFTER = 86_400


def outcome(status, content, headers, records, is_dry):
    """The failures that a response reports: the place of each among the records sent, and its reason."""
    envelope, said = {}, f"{status} {' '.join(content.decode(errors='replace').split())[:200]}"
    try:
        envelope = dict(RESPONSES.decode(content.decode()))
        said = f"{status} {envelope['errorCode']} {envelope.get('msg') or ''}"
    except (TypeError, KeyError, RecursionError):
        pass
    except ValueError as error:
        if status == 200 and content[:1] in (b"", b"{") and not str(error).startswith("Extra data"):
            raise Unknown(f"{said}: a response that was cut") from None
    if status == 200 and envelope.get("errorCode") == "SUCCESS":
        with contextlib.suppress(ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError):
            if (envelope["data"].get("dryRun") is True) != is_dry:
                what = "the service does not know dry runs: it has imported the rows"
                raise Mistake(what if is_dry else "the service took the import for a dry run: nothing was written")
            return failures(envelope["data"], records)
    if status == 201 and envelope.get("errorCode") == "IN_PROGRESS":
        raise Unknown("still running", seconds_of(headers.get("Retry-After")), is_running=True)
    if status == 413:
        raise TooLarge(said)
    if status in TEMPORARY:
        raise Unknown(said, seconds_of(headers.get("Retry-After")))
    if status == 404:
        said += f"; --url must be the whole address, https://HOST{PATH}"
    elif 300 <= status < 400:
        said += f"; --url must be the address that it leads to, {headers.get('Location')}"
    elif status in (200, 201):
        said += ": no response to what was sent; check --url"
    raise Mistake(f"the import was rejected: {said}")


def failures(data, records):
    errors, failed = data["errorData"] or [], []
    if not len(errors) == int(data["importFailNum"]) == len(records) - int(data["importSuccessNum"]):
        raise ValueError
    for error in errors:
        place = int(error["index"])
        sent = RESPONSES.decode(records[place].decode())
        is_later = place > (failed[-1][0] if failed else -1)
        if not is_later or any(error[field] != sent.get(field) for field in FIELDS if field in error):
            raise ValueError
        reason = Reason(str(error["errorCode"]), str(error.get("errorMsg") or ""), error.get("retryable") is True)
        failed.append((place, reason))
    return failed


def seconds_of(retry_after):
    """The pause that a Retry-After requires: a number of seconds, or a date (RFC 9110, section 10.2.3)."""
    value = (retry_after or "").strip()
    with contextlib.suppress(TypeError, ValueError, LookupError, OverflowError):
        is_date = not re.fullmatch("[0-9]+", value)
        seconds = email.utils.mktime_tz(email.utils.parsedate_tz(value)) - time.time() if is_date else float(value)
        return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)
    return 0.0


def pause_before(attempt, least=0.0):
    """Doubling, up to 20 s, and random by half, so that many requests rejected at once do not come back at once."""
    pause = min(0.5 * 2 ** min(attempt, 9), 20) * random.uniform(0.5, 1)
    return pause if pause >= least else least + pause / 10


# --- The server, and the way to it ---


def parts_of(address, form, mistake):
    """The parts of an address, and its port; `mistake` is said of one of another form, without host, with a wrong
    port."""
    with contextlib.suppress(ValueError):
        parts = urllib.parse.urlsplit(address)
        if re.fullmatch(form, address) and parts.hostname:
            return parts, parts.port or (443 if parts.scheme == "https" else 80)
    raise Mistake(mistake)


class Server:
    """The address of the import: directly, or through the proxy that the environment names."""

    def __init__(self, url, timeout):
        self.timeout = timeout
        mistake = f"--url must be the whole address, such as https://HOST{PATH}, in visible ASCII without a user"
        parts, self.port = parts_of(url, r"https?://[A-Za-z0-9.\[:\]_-]+(/[!-~]*)?", mistake)
        self.host, self.shown = parts.hostname, f"{parts.scheme}://{parts.netloc}{parts.path}"
        self.context = ssl.create_default_context() if parts.scheme == "https" else None
        self.target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        # To whom it connects, and what is said to a proxy alone.
        self.peer, self.proxy, self.proxy_headers = (self.host, self.port), self.find_proxy(parts.scheme), {}
        if self.proxy:
            self.peer = self.proxy.hostname, self.proxy.port or 80
            self.target = self.target if self.context else url
            self.shown += " through the proxy {}:{}".format(*self.peer)
            if self.proxy.username:
                user = urllib.parse.unquote(f"{self.proxy.username}:{self.proxy.password or ''}")
                self.proxy_headers["Proxy-Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()

    def find_proxy(self, scheme):
        proxies = urllib.request.getproxies()
        name = scheme if proxies.get(scheme) else "all"
        value = proxies.get(name)
        if not value or self.is_near(proxies.get("no", "")):
            return None
        value = value if "://" in value else f"http://{value}"
        mistake = (
            f"{name}_proxy names a proxy that cannot be used, {re.sub('//.*@', '//', value)}: set {scheme}_proxy to an"
            f" HTTP proxy (http://HOST:PORT), or NO_PROXY to {self.host}"
        )
        return parts_of(value, "(?i:http)://.*", mistake)[0]

    def is_near(self, no_proxy):
        """Whether the host is this machine, or one that no proxy is to be used for."""
        entries = ["127.0.0.0/8", "0.0.0.0", "::1", "::", *(entry.strip(" []") for entry in no_proxy.split(","))]
        if f".{self.host}".endswith(".localhost") or any(fnmatch.fnmatch(self.host, entry) for entry in entries):
            return True
        for entry in entries:
            with contextlib.suppress(ValueError):
                if ipaddress.ip_address(self.host) in ipaddress.ip_network(entry, strict=False):
                    return True
        return bool(urllib.request.proxy_bypass(self.host if ":" in self.host else f"{self.host}:{self.port}"))

    def connection(self):
        if not self.context:
            return http.client.HTTPConnection(*self.peer, timeout=self.timeout)
        connection = http.client.HTTPSConnection(*self.peer, timeout=self.timeout, context=self.context)
        if self.proxy:
            connection.set_tunnel(self.host, self.port, self.proxy_headers)
        return connection

    def post(self, connection, headers, body):
        """Status, body and headers of the response. Redirects are not followed: the token goes nowhere else."""
        headers = headers if self.context else {**headers, **self.proxy_headers}
        deadline = time.monotonic() + self.timeout
        try:
            connection.request("POST", self.target, body, headers)
            response = connection.getresponse()
        except (BrokenPipeError, ConnectionResetError) as error:
            # A request that is too large may be rejected before its end.
            try:
                response = connection.getresponse()
            except Exception:
                raise error from None
        content = b""
        # What has come, and not all at once: the timeout of a socket bounds each wait alone, so that a response which
        # comes byte by byte would never end.
        while response.length != 0 and (part := response.read(len(response.peek()))):
            content += part
            if time.monotonic() >= deadline:
                raise TimeoutError("timed out")
        # Nothing, unless it was cut.
        content += response.read()
        return response.status, content, response.headers


def is_hopeless(error):
    """Whether the same request can only fail in the same way."""
    is_no_tls = getattr(error, "reason", None) == "WRONG_VERSION_NUMBER"
    is_no_tunnel = str(error).startswith("Tunnel connection failed: 4")
    is_wrong = isinstance(error, (ssl.SSLCertVerificationError, http.client.InvalidURL, UnicodeError))
    return is_no_tls or is_no_tunnel or is_wrong


# --- Sending ---

# A request has at least so many records, unless fewer are left.
LEAST_RECORDS = 50
# How often in succession records that failed for now are sent again without a success among them.
RESENDS = 5


class Pace:
    """How many requests at a time, and of how many records: halved after a request with records that ran out of time,
    raised after one without (additive increase, multiplicative decrease)."""

    def __init__(self, requests, records):
        self.most_requests, self.most_records = self.requests, self.records = requests, records
        self.under_way = 0
        self.changed = threading.Condition()

    def __enter__(self):
        with self.changed:
            self.changed.wait_for(lambda: self.under_way < self.requests)
            self.under_way += 1

    def __exit__(self, *_):
        with self.changed:
            self.under_way -= 1
            self.changed.notify_all()

    def adapt(self, has_timed_out):
        with self.changed:
            if has_timed_out:
                self.requests = max(self.requests // 2, 1)
                self.records = max(self.records // 2, min(LEAST_RECORDS, self.most_records))
            else:
                self.requests = min(self.requests + 1, self.most_requests)
                self.records = min(self.records + -(-self.most_records // 8), self.most_records)
            self.changed.notify_all()


class Sender:
    """Sends batches: each until its outcome is known, and again what may succeed later."""

    def __init__(self, options, server, token, run, progress):
        self.options, self.server, self.run, self.progress = options, server, run, progress
        self.headers = {"Content-Type": "application/json", "X-Token": token, "User-Agent": "import_groups.py"}
        self.pace = Pace(options.concurrency, options.batch)
        # By thread; one that was closed opens itself again.
        self.connections, self.stopped = collections.defaultdict(server.connection), threading.Event()

    def send(self, batch):
        """Every row of the batch that failed, by its place, with its reason."""
        failed = [(place, Reason(BAD_ROW, row.fault, False)) for place, row in enumerate(batch.rows) if row.fault]
        places = [place for place, row in enumerate(batch.rows) if not row.fault]
        round = fruitless = 0
        while places:
            ended, left = [], places
            while left:
                size = self.pace.records
                ended += self.part(batch, round, left[:size])
                left = left[size:]
            fruitless = fruitless + 1 if len(ended) == len(places) else 0
            again = {place for place, reason in ended if reason.retryable and fruitless <= RESENDS}
            failed += [(place, reason) for place, reason in ended if place not in again]
            places = sorted(again)
            if places:
                self.wait(batch, f"{len(places)} records failed for now", pause_before(round))
                round += 1
        return sorted(failed)

    def part(self, batch, round, places):
        """Sends records in one request, or in two halves if it is too large."""
        try:
            ended = self.request(batch, round, [batch.records[place] for place in places])
        except TooLarge as error:
            if len(places) == 1:
                return [(places[0], Reason("PAYLOAD_TOO_LARGE", str(error), False))]
            half = len(places) // 2
            return self.part(batch, round, places[:half]) + self.part(batch, round, places[half:])
        self.pace.adapt(any(reason.code == "TIMEOUT" for _, reason in ended))
        return [(places[place], reason) for place, reason in ended]

    def request(self, batch, round, records):
        """Sends a request, always with the same key, until its outcome is known."""
        body = body_of(self.options.params, records)
        # The run is part of the key: without it a file imported again on the same day would get the old outcome.
        key = f"{self.run}-{batch.number}-{round}-{hashlib.sha256(body).hexdigest()[:32]}"
        with self.pace:
            give_up = time.monotonic() + self.options.patience
            for attempt in itertools.count():
                try:
                    response = self.post({**self.headers, "Idempotency-Key": key}, body)
                    return outcome(*response, records, self.options.dry_run)
                except Unknown as unknown:
                    why = f"{self.server.shown}: {unknown}"
                    pause = max(1, unknown.least) if unknown.is_running else pause_before(attempt, unknown.least)
                except (OSError, http.client.HTTPException, UnicodeError) as error:
                    why = f"{self.server.shown}: {error or type(error).__name__}"
                    if is_hopeless(error):
                        raise Mistake(f"the request cannot be sent: {why}") from None
                    pause = pause_before(attempt)
                if time.monotonic() + pause > give_up:
                    allowed = (
                        f"within {self.options.patience} s (--patience), and the next attempt is due in {pause:.0f} s"
                    )
                    raise Stop(f"no result {allowed}; last: {why}")
                self.wait(batch, why, pause)

    def post(self, headers, body):
        """One exchange, on the connection that its thread keeps. The server may have closed that meanwhile."""
        connection = self.connections[threading.get_ident()]
        is_kept = connection.sock
        try:
            return self.server.post(connection, headers, body)
        except BaseException as error:
            connection.close()
            if is_kept and isinstance(error, (ConnectionError, http.client.HTTPException)):
                return self.post(headers, body)
            raise

    def wait(self, batch, why, pause):
        self.progress.report(f"batch {batch.number}: {why}; again in {pause:.1f} s")
        if self.stopped.wait(pause):
            raise Stop("the run is over")


# --- What survives the death of the run ---


@contextlib.contextmanager
def written(what, path, flag):
    """Names the way out of an error while a file is opened or written."""
    try:
        yield
    except OSError as error:
        way = f"once that is mended, the same command goes on; a new run may name another file by {flag}"
        raise Stop(f"{what} cannot be written to {path} ({error.strerror}): {way}") from None


def sync(file):
    """Makes what was written outlast a power failure, where the file system can."""
    file.flush()
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP):
            raise


def sync_directory(path):
    # Windows opens no directory, and some file systems sync none.
    with contextlib.suppress(OSError):
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


@dataclasses.dataclass
class Mark:
    """How far a run has come."""

    batches: int = 0
    imported: int = 0
    failed: int = 0
    chain: str = ""
    # What the last batch adds to the file of failed rows.
    text: str = ""

    @property
    def rows(self):
        return self.imported + self.failed


class Journal:
    """What a run has done so far. Its first line says what is imported and how; each further one, that one more batch
    is settled. Whatever a run that died left behind the last whole line is cut off, and its batch sent again."""

    def __init__(self, path, plan, restart, report):
        self.path, self.kept = path, functools.partial(written, "the state of the run", path, "--state")
        with self.kept():
            self.file = path.open("a+b")
            self.lock(report)
            self.run, begun, self.mark = (None, None, Mark()) if restart else self.read()
            # Where nothing is settled, nothing depends on how the run began.
            if begun and (self.mark.batches or begun == plan):
                for flag in (flag for flag, value in plan.items() if begun.get(flag) != value):
                    if flag == "input":
                        raise Changed
                    raise Stop(f"the import of this file began with another {flag}; use the same again, or --restart")
                return
            # Every run has its own name, so that none gets the outcome of another.
            self.run = secrets.token_hex(16)
            self.file.truncate(0)
            self.append({"run": self.run, "plan": plan})
            sync_directory(path)

    def lock(self, report):
        try:
            if fcntl:
                fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            else:
                self.file.seek(1 << 30)
                msvcrt.locking(self.file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                raise Stop("another run is importing the same file") from None
            report(f"note: {self.path} cannot be locked ({error.strerror}): start no second run of this file")

    def read(self):
        """The run, its plan and its last mark. Where not even the first line is whole, nothing was sent."""
        self.file.seek(0)
        first, mark = self.file.readline(), Mark()
        begin = b'{"run": "'
        if not first.endswith(b"\n") and begin.startswith(first[: len(begin)]):
            return None, None, mark
        end = self.file.tell()
        try:
            begun = json.loads(first)
            run, plan = str(begun["run"]), dict(begun["plan"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Stop(
                f"{self.path} is not the state of an import by this program; --restart overwrites it and begins again"
            ) from None
        with contextlib.suppress(ValueError, TypeError):
            while (line := self.file.readline()).endswith(b"\n"):
                read = Mark(**json.loads(line))
                if not (isinstance(read.batches, int) and isinstance(read.rows, int) and isinstance(read.text, str)):
                    break
                mark, end = read, self.file.tell()
        self.file.truncate(end)
        return run, plan, mark

    def settle(self, mark):
        with self.kept():
            self.append(dataclasses.asdict(mark))
        self.mark = mark

    def texts(self):
        """What the settled batches add to the file of failed rows, in their order."""
        self.file.seek(0)
        for line in itertools.islice(self.file, 1, None):
            yield json.loads(line)["text"]

    def append(self, line):
        self.file.write(json.dumps(line).encode() + b"\n")
        sync(self.file)

    def remove(self):
        self.file.close()
        with self.kept():
            self.path.unlink()


class FailedRows:
    """The file of failed rows, which is made with its first row: as the input, and with their reasons. The journal has
    all of it, so that of what a run left, any beginning will do; and another file is not touched."""

    def __init__(self, options, encoding, texts):
        self.path, self.codec, self.file = options.failed, CODECS[encoding], None
        self.kept = functools.partial(written, "the failed rows", self.path, "--failed")
        with self.kept():
            if options.restart:
                self.path.unlink(missing_ok=True)
            for text in filter(None, texts):
                self.append(text)
            if self.path.exists() and self.path.stat().st_size > (self.file.tell() if self.file else 0):
                self.reject()

    def append(self, text):
        # Half a surrogate pair, which no encoding has, is written as JSON would.
        content = text.encode(self.codec, "backslashreplace")
        with self.kept():
            self.file = self.file or self.path.open("r+b" if self.path.exists() else "x+b")
            found = self.file.read(len(content))
            if not content.startswith(found):
                self.reject()
            self.file.write(content[len(found) :])
            self.file.flush()

    def reject(self):
        raise Mistake(
            f"{self.path} exists, and is not what this run left: move it away, name another by --failed, or --restart"
        )

    def end(self):
        with self.kept():
            if self.file:
                sync(self.file)
                sync_directory(self.path)


# --- The run ---


def say(text, stream, end="\n"):
    """Whoever reads this may have gone away, as `head` does; the import goes on."""
    text = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", "\ufffd", text)
    with contextlib.suppress(OSError):
        print(text, end=end, file=stream, flush=True)


class Progress:
    """How far the run is: a line that changes on a terminal, else one now and then."""

    BETWEEN_LINES = 5

    def __init__(self, total, dry_run):
        self.total, self.outcome = total, "would be imported" if dry_run else "imported"
        self.start = self.printed = time.monotonic()
        self.before = 0
        self.line, self.lock = "", threading.Lock()

    def resume(self, mark):
        self.before = mark.rows
        self.report(f"resuming after {count(mark.rows)}")

    def show(self, mark):
        now = time.monotonic()
        rate = (mark.rows - self.before) / max(now - self.start, 0.001)
        minutes, seconds = divmod(round((self.total - mark.rows) / max(rate, 0.001)), 60)
        line = (
            f"{mark.imported} {self.outcome}, {mark.failed} failed, {100 * mark.rows // max(self.total, 1)} % of"
            f" {count(self.total)}, {rate:.0f} a second, {minutes}:{seconds:02} left"
        )
        if sys.stderr.isatty():
            self.write(line)
        elif now - self.printed >= self.BETWEEN_LINES:
            self.printed = now
            self.report(line)

    def write(self, line, end=""):
        with self.lock:
            erased = "\r" + " " * len(self.line) + "\r" if self.line else ""
            say(erased + line, sys.stderr, end)
            self.line = "" if end else line

    def report(self, line):
        """Shows a line that stays."""
        shown = self.line
        self.write(line, "\n")
        if shown:
            self.write(shown)


def count(rows):
    return f"{rows} {'row' if rows == 1 else 'rows'}"


def import_all(source, sender, reader, failed_rows, journal, progress):
    """Sends the batches, and settles the oldest before one more is read: so memory is bounded, and failed rows stand in
    the order of the input."""
    concurrency, under_way = sender.options.concurrency, collections.deque()
    threads = concurrent.futures.ThreadPoolExecutor(concurrency)
    while True:
        for batch in itertools.islice(source, concurrency - len(under_way)):
            under_way.append((batch, threads.submit(sender.send, batch)))
        if not under_way:
            return
        batch, sent = under_way.popleft()
        while not sent.done():
            # On Windows nothing interrupts a wait without end.
            concurrent.futures.wait([sent], 0.5)
        failed, mark = sent.result(), journal.mark
        texts = [reader.failed(batch.rows[place], reason) for place, reason in failed]
        if texts and reader.heading and not mark.failed:
            texts.insert(0, reader.heading)
        text = "".join(f"{text}\n" for text in texts)
        counts = batch.number + 1, mark.imported + len(batch.rows) - len(failed), mark.failed + len(failed)
        journal.settle(Mark(*counts, batch.chain, text))
        if text:
            failed_rows.append(text)
        progress.show(journal.mark)


def skip_settled(source, mark):
    """Reads over what is settled, and makes sure that it is what was settled."""
    chain = ""
    for _ in range(mark.batches):
        batch = next(source, None)
        chain = batch.chain if batch else None
    if chain != mark.chain:
        raise Changed


def import_file(options):
    """Imports the file; the exit status."""
    token = token_of(options.token_file)
    server = Server(options.url, options.timeout)
    file, identity = open_input(options.input)
    reader = open_rows(file, options.format, options.encoding)
    total, notes = look_over(reader)
    progress = Progress(total, options.dry_run)

    plan = plan_of(options, reader.encoding, identity)
    journal = Journal(options.state, plan, options.restart, progress.report)
    source = batches(reader, options.batch, options.batch_bytes, options.params)
    skip_settled(source, journal.mark)
    if journal.mark.batches:
        progress.resume(journal.mark)
    if reader.unsent:
        progress.report(f"columns that are not sent: {', '.join(reader.unsent)}")
    for note in notes:
        progress.report(note)

    sender = Sender(options, server, token, journal.run, progress)
    try:
        failed_rows = FailedRows(options, reader.encoding, journal.texts())
        import_all(source, sender, reader, failed_rows, journal, progress)
        if journal.mark.rows != total:
            raise Changed
        failed_rows.end()
    except (Stop, KeyboardInterrupt) as error:
        ignore_signals()
        error.args = error.args or ("interrupted",)
        sender.stopped.set()
        progress.write("")
        if isinstance(error, Mistake) and not journal.mark.batches:
            # It can be corrected without --restart.
            journal.remove()
        else:
            command = "the same command without --restart" if options.restart else "the same command"
            way = "" if isinstance(error, Changed) else f": {command} resumes there"
            progress.report(f"stopped after {count(journal.mark.rows)}; none is lost{way}")
        raise
    ignore_signals()
    progress.write("")
    summary(journal.mark, options)
    journal.remove()
    return 2 if journal.mark.failed else 0


def ignore_signals():
    """What is left to do takes no time, and a signal would only hide how far the run came."""
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(ValueError):
            signal.signal(number, signal.SIG_IGN)


def summary(mark, options):
    prefix, imported = ("dry run: ", "would be imported") if options.dry_run else ("", "imported")
    text = f"{prefix}{count(mark.rows)}: {mark.imported} {imported}, {mark.failed} failed"
    text += "\nNothing was written." if options.dry_run else ""
    text += f"\nThe failed rows and their reasons: {options.failed}" if mark.failed else ""
    say(text, sys.stdout)


def open_input(path):
    """The input as an unbuffered file, and what tells it from one that was changed. What can be read only once is
    copied."""
    try:
        file = open(path, "rb", buffering=0) if path else sys.stdin.buffer
        status = os.fstat(file.fileno())
        if path and stat.S_ISREG(status.st_mode):
            return file, [status.st_size, status.st_mtime_ns]
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(file, copy)
            copy.flush()
            return open(os.dup(copy.fileno()), "rb", buffering=0), None
    except OSError as error:
        raise Mistake(f"{path or 'standard input'} cannot be read: {error.strerror}") from None


def plan_of(options, encoding, identity):
    """What is imported, and how, by flags: a run is resumed only as it began."""
    return {
        "input": identity,
        "--url": options.url,
        "--match, --identify-way or --opt": options.params,
        "--format": options.format,
        "--encoding": encoding,
        "--batch": options.batch,
        "--batch-bytes": options.batch_bytes,
    }


def token_of(file):
    """The token: from the environment or a file, never from an argument, and never shown."""
    token = os.environ.get("IMPORT_TOKEN", "")
    if file:
        try:
            token = Path(file).read_text(encoding="utf-8-sig", errors="replace")
        except OSError as error:
            raise Mistake(f"the token in {file} cannot be read: {error.strerror}") from None
    token = token.strip()
    if not token:
        raise Mistake("no token: set IMPORT_TOKEN, or name a file by --token-file")
    if not re.fullmatch("[!-~]+", token):
        raise Mistake("the token may have visible ASCII characters only")
    return token


# --- The command line ---


class Arguments(argparse.ArgumentParser):
    def error(self, message):
        raise Mistake(f"{message}; --help lists the flags")

    def print_help(self, file=None):
        say(self.format_help(), file or sys.stdout, end="")


def whole(text, most=999_999_999):
    if not re.fullmatch("[0-9]{1,9}", text) or not 1 <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {most}")
    return int(text)


def encoding_named(text):
    names = {"utf-8": "utf-8", "utf8": "utf-8", "gbk": "gbk", "gb2312": "gbk", "gb18030": "gbk"}
    if text.lower() not in names:
        raise argparse.ArgumentTypeError("must be utf-8 or gbk")
    return names[text.lower()]


def add_flags_of_an_import(add):
    """The flags that `make bulk` has, too."""
    add("--match", required=True, choices=("off", "exact", "fuzzy"), help="off: a row is the customer audienceUserId")
    add("--identify-way", choices=("1", "2"), help="the order of fuzzy matching (default 1)")
    add("--opt", choices=("add", "delete"), default="add", help="into groups (default), or out of them")
    add("--dry-run", action="store_true", help="everything except the writes")
    add("--format", choices=("csv", "jsonl"), help="default: by the name of FILE")


def arguments():
    parser = Arguments(
        description="Imports a file of customer groups: CSV whose first line names the columns, or JSON Lines.",
        epilog="A run that stopped or was killed is resumed when the same command is run again. "
        "Exit status: 0 every row was imported, 2 some rows failed, 1 the run did not finish.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("input", metavar="FILE", help="the file, or - for standard input (which needs --format and --failed)")
    add("--url", required=True, help="the whole address of the import")
    add_flags_of_an_import(add)
    add("--failed", type=Path, metavar="FILE", help="where failed rows go (default: FILE with .failed in its name)")
    add("--state", type=Path, metavar="FILE", help="where the state of the run is kept (default: beside FILE)")
    add("--encoding", type=encoding_named, metavar="NAME", help="utf-8 (default) or gbk; failed rows are written in it")
    add("--batch", type=whole, metavar="N", default=1_000, help="the most rows of a request (default 1000)")
    add("--batch-bytes", type=whole, metavar="N", default=2_097_152, help="the largest request (default 2097152)")
    up_to_100 = functools.partial(whole, most=100)
    add("--concurrency", type=up_to_100, metavar="N", default=4, help="the most requests at a time (default 4)")
    # A little longer than an HTTP API waits for its function.
    add("--timeout", type=whole, metavar="SECONDS", default=35, help="how long a request may take (default 35)")
    add("--patience", type=whole, metavar="SECONDS", default=300, help="how long a request is repeated (default 300)")
    add("--token-file", metavar="FILE", help="holds the token (default: the environment's IMPORT_TOKEN)")
    add("--restart", action="store_true", help="discard an unfinished run of FILE, and overwrite its failed rows")
    add("--token", "--x-token", dest="token", help=argparse.SUPPRESS)
    return parser


def options_of(given):
    options = arguments().parse_args(given)
    if options.token is not None:
        raise Mistake("a token is no argument, which all users of the machine see: set IMPORT_TOKEN or --token-file")
    options.params = params_of(options)
    options.input = None if options.input in ("-", "/dev/stdin") else Path(options.input)
    options.format = options.format or format_of(options.input)
    word = "dry-run" if options.dry_run else "import"
    if not options.failed:
        if not options.input:
            raise Mistake("--failed is missing; --help lists the flags")
        options.failed = file_of_failed_rows(options.input, options.format, options.dry_run)
    options.state = options.state or Path(f"{options.input or options.failed}.{word}-state")
    files = {"the input": options.input, "--failed": options.failed, "--state": options.state}
    for (one, path), (other, same) in itertools.combinations(files.items(), 2):
        if path and is_same(path, same):
            raise Mistake(f"{other} is {one} itself")
    for flag in ("--failed", "--state"):
        # A device or a folder is not to be replaced.
        if os.path.lexists(files[flag]) and not files[flag].is_file():
            raise Mistake(f"{flag} is no file")
        if not os.access(files[flag].parent, os.W_OK):
            raise Mistake(f"{flag} names no folder that can be written to")
    return options


def is_same(path, other):
    """Whether two paths lead to one file, which need not exist."""
    return path.resolve() == other.resolve() or (path.exists() and other.exists() and path.samefile(other))


def file_of_failed_rows(input, format, is_dry):
    name = "dry-run-failed" if is_dry else "failed"
    stem, suffix = os.path.splitext(input)
    return Path(f"{stem}.{name}{suffix or '.' + format}")


def params_of(options):
    if options.identify_way and options.match != "fuzzy":
        raise Mistake("--identify-way must be left out, unless --match is fuzzy")
    params = {"isMatching": options.match != "off"}
    if options.match == "exact":
        params["matchingType"] = 1
    elif options.match == "fuzzy":
        params.update(matchingType=2, identifyWay=int(options.identify_way or 1))
    params["optType"] = options.opt
    if options.dry_run:
        params["dryRun"] = True
    return json.dumps(params, separators=(",", ":"))


def format_of(path):
    suffix = path.suffix.lower() if path else ""
    if suffix in (".xls", ".xlsx"):
        raise Mistake("an Excel workbook cannot be read: save it as CSV UTF-8")
    if suffix in (".gz", ".zip"):
        raise Mistake("the input is compressed: unpack it first")
    known = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
    if suffix not in known:
        array = " (a JSON array is not read: put one object on each line)" if suffix == ".json" else ""
        raise Mistake(f"--format csv or --format jsonl is missing: the name of the input does not show it{array}")
    return known[suffix]


def open_streams():
    """Makes all three streams usable. One that was closed (`>&-`) is none, and its number would go to another file."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))
    for stream in (sys.stdout, sys.stderr):
        # A console may have few characters.
        stream.reconfigure(errors="backslashreplace")


def main(given=None):
    open_streams()
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return import_file(options_of(given))
    except (Stop, KeyboardInterrupt, OSError) as error:
        say(f"error: {str(error) or 'interrupted before anything was sent: the same command goes on'}", sys.stderr)
        return 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                # What cannot be written must not be tried again at exit, which would change the status.
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    # At once: killed at the end of the interpreter, a run that is complete would seem not to be.
    os._exit(main())
