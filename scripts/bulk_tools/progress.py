"""How far something is: a bar, on a terminal often, in a log now and then."""

import contextlib
import sys

import tqdm

SECONDS_BETWEEN_LINES = 10


class Bar:
    def __init__(self, bar):
        self.bar = bar

    def advance(self, number):
        self.bar.update(number)

    def show(self, done, total, text):
        """Shows that so much of `total` is done, which may grow. The rate is that since the first time."""
        if not self.bar.n:
            self.bar.n = self.bar.initial = done
        self.bar.total = total or None
        self.bar.set_postfix_str(text, refresh=False)
        self.bar.update(done - self.bar.n)

    def say(self, text):
        """Prints a line beside the bar."""
        self.bar.write(text, file=sys.stderr)


@contextlib.contextmanager
def shown(title, unit, total=None):
    """A bar with rate and time left, which disappears at the end."""
    often = 0.1 if sys.stderr.isatty() else SECONDS_BETWEEN_LINES
    with tqdm.tqdm(desc=title, unit=unit, total=total, unit_scale=True, leave=False, mininterval=often) as bar:
        yield Bar(bar)
