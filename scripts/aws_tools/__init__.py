"""The modules of `admin`, which `bulk` uses, too. Files are read by the client's own reader, as callers read them."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "client"))
