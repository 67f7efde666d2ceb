"""Runs every test beside this file and ends with their sum."""

import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

suite = unittest.defaultTestLoader.discover(str(HERE))
result = unittest.TextTestRunner(verbosity=2).run(suite)
failed = len(result.failures) + len(result.errors)
print(f"{result.testsRun - failed} passed, {failed} failed", flush=True)
# No test at all is no success.
sys.exit(failed > 0 or result.testsRun == 0)
