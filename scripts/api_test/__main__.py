"""Holds the documents for callers against the running function: docs/openapi.yaml, the two pages, and the examples.

The Chinese pages for everybody else are held against the English ones.

`make test-api` runs it with the Python of .local/api-venv. Everything it writes lies in .local/api-test and in target.
"""

import pathlib
import shutil
import sys

PROJECT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "scripts" / "common"))

import answers
import callers
import conformance
import pages
import specification
import translations
from processes import end_on_signals
from report import Report
from service import Service

TOOLS = pathlib.Path(sys.executable).parent
DIRECTORY = PROJECT / ".local" / "api-test"


def main():
    end_on_signals()
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir(parents=True)
    report = Report("api")
    with report:
        document = specification.load(PROJECT / "docs" / "openapi.yaml")
        conformance.standard(report, document)
        pages.check(report, PROJECT / "docs", document)
        translations.check(report, PROJECT)
        report.say("starting the service (the first time it compiles for minutes)")
        with Service(PROJECT, DIRECTORY) as service:
            answers.check(report, specification.of_the_function(document), service)
            callers.check(report, PROJECT / "docs" / "examples", service, DIRECTORY)
            conformance.function(report, document, service, TOOLS, DIRECTORY)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
