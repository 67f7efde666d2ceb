"""What was checked, line by line, and the sum."""

import time
import traceback


class Report:
    """Counts checks. As a `with` statement it turns an error in the body into a failed check."""

    def __init__(self, title):
        self.title = title
        self.started = time.monotonic()
        self.counts = {True: 0, False: 0}

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        # Being interrupted is no finding: it goes on its way.
        if not isinstance(error, Exception):
            return False
        self.check("the run comes to its end", False, "".join(traceback.format_exception(kind, error, trace)))
        return True

    def check(self, name, held, found=None):
        """Notes whether something holds; `found` is what there was instead."""
        self.counts[bool(held)] += 1
        self.say(f"{'ok  ' if held else 'FAIL'}  {name}")
        if not held and found is not None:
            print(f"      found: {found}", flush=True)

    def passed(self, name):
        """Notes what would have raised an error, had it failed."""
        self.check(name, True)

    def say(self, line):
        print(f"{time.monotonic() - self.started:7.1f} s  {line}", flush=True)

    def end(self):
        """Prints the sum, which .ci/run reads, and returns the exit code."""
        print(f"{self.title}: {self.counts[True]} passed, {self.counts[False]} failed", flush=True)
        return 1 if self.counts[False] else 0
