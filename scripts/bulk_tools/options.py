"""The command line."""

import argparse
import pathlib
import re
from dataclasses import dataclass

from aws_tools import client as aws
from aws_tools.client import Failure

DESCRIPTION = """\
Imports files of customer groups with up to 100 million rows, by a run of the bulk stack (docs/bulk.md). The run is on
AWS: it goes on when this command is stopped, and --resume shows it again."""

EPILOG = "Exit status: 0 every row was imported, 2 some rows failed, 1 the run did not finish, 130 stopped by Ctrl-C."

FAILED = "where failed rows go (default: INPUT with .failed before its extension)"

FORMATS = ("csv", "jsonl")
MATCHING = {"off": None, "exact": 1, "fuzzy": 2}


def parse(arguments):
    parser = argparse.ArgumentParser(prog="bulk", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="CSV or JSON Lines, plain or packed by gzip; or s3://bucket/key, or s3://bucket/prefix/ for all below",
    )
    parser.add_argument("--stack", required=True, metavar="NAME", help="the deployed stack of bulk/template.yaml")
    new = parser.add_argument_group("a new run")
    tenant = new.add_mutually_exclusive_group()
    tenant.add_argument("--tenant", metavar="ID", help="the tenant; a token of it is found in the tenants table")
    tenant.add_argument("--token-hash", type=token_hash, metavar="HEX", help="instead: the hash of its token")
    new.add_argument("--match", choices=MATCHING, help="how customers are found; off: by audienceUserId alone")
    new.add_argument("--identify-way", type=int, choices=(1, 2), default=1, help="the order of fuzzy matching")
    new.add_argument("--opt", choices=("add", "delete"), default="add", help="into groups (default), or out of them")
    new.add_argument("--dry-run", action="store_true", help="everything but the writes")
    new.add_argument("--format", choices=FORMATS, help="of the inputs (default: by their names)")
    new.add_argument("--concurrency", type=concurrency, default=8, metavar="N", help="batches at a time (default 8)")
    new.add_argument(
        "--tolerate",
        type=percentage,
        default=0,
        metavar="PERCENT",
        help="how many rows may be in batches that fail as a whole before the run fails (default 0)",
    )
    new.add_argument("--unchecked", action="store_true", help="start without reading the rows first")
    known = parser.add_argument_group("a run that exists").add_mutually_exclusive_group()
    known.add_argument("--resume", metavar="RUN", help="show a run again, and fetch its failed rows at the end")
    known.add_argument("--redrive", metavar="RUN", help="let a run that failed go on with what is not imported yet")
    parser.add_argument("--failed", type=pathlib.Path, metavar="FILE", help=FAILED)
    parser.add_argument("--overwrite", action="store_true", help="replace a file of failed rows that exists already")
    aws.add_options(parser)
    given = parser.parse_args(arguments)
    check(parser, given)
    return given


def check(parser, given):
    existing = given.resume or given.redrive
    if existing and given.inputs:
        parser.error("a run that exists has its input already: leave INPUT out")
    if not existing and not given.inputs:
        parser.error("INPUT is missing; or --resume or --redrive a run")
    if not existing and not given.match:
        parser.error("--match is missing: off, exact or fuzzy")
    if len(given.inputs) > 1 and any(is_address(name) for name in given.inputs):
        parser.error("one s3:// address at a time; a prefix that ends with / names all files below it")


def is_address(name):
    return name.startswith("s3://")


def params(given):
    """`publicParams`."""
    wanted = {"isMatching": given.match != "off", "optType": given.opt}
    if given.match != "off":
        wanted["matchingType"] = MATCHING[given.match]
    if given.match == "fuzzy":
        wanted["identifyWay"] = given.identify_way
    if given.dry_run:
        wanted["dryRun"] = True
    return wanted


@dataclass(frozen=True)
class Name:
    """A file's name, apart: `customers`, `csv`, and `.gz` or nothing."""

    stem: str
    format: str
    packed: bool

    @classmethod
    def of(cls, text, wanted=None):
        name = text.rstrip("/").rsplit("/", 1)[-1]
        match = re.fullmatch(r"(?P<stem>.+?)(?:\.(?P<format>csv|jsonl))?(?P<packed>\.gz)?", name, re.IGNORECASE)
        found = wanted or (match["format"] or "").lower()
        if not found:
            raise Failure(f"{name} does not end in .csv or .jsonl (or these and .gz): give its --format")
        return cls(match["stem"], found, bool(match["packed"]))

    def failed(self):
        return f"{self.stem}.failed.{self.format}"


def token_hash(text):
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise argparse.ArgumentTypeError("a hash is 64 of 0-9 a-f, as `make admin` prints it")
    return text


def concurrency(text):
    if not re.fullmatch(r"[1-9][0-9]{0,3}|10000", text):
        raise argparse.ArgumentTypeError("a number from 1 to 10000")
    return int(text)


def percentage(text):
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]+)?|100", text):
        raise argparse.ArgumentTypeError("a percentage from 0 to 100")
    return float(text)
