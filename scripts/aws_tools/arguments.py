"""Types of command-line arguments."""

import argparse
import re


def matching(pattern, what, convert=str):
    """A type of the arguments that match a pattern."""

    def parse(text):
        if not re.fullmatch(pattern, text):
            raise argparse.ArgumentTypeError(f"not {what}")
        return convert(text)

    return parse


TOKEN_HASH = matching(r"[0-9a-f]{64}", "a hash, 64 of 0-9 a-f, as `make admin` prints it")
