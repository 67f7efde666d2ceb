"""The modules of `bulk`. Files are read by the client's own reader, so that both find the same rows in them."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "client"))

# The folders of the stack's bucket: what runs read, and what they leave (bulk/template.yaml).
INCOMING = "incoming"
RESULTS = "results"

# What a line that is no record is sent as, so that it fails alone; what was wrong with it comes back with it.
BAD_ROW = "badRow"
FAULT = "fault"
