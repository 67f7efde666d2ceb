"""Leaves out the requests of schemathesis that never reach the function here.

The emulated Lambda responds to OPTIONS as to a CORS preflight, and 500 to a header or body that is not UTF-8. The
integration tests of the function cover them.
"""

import schemathesis


def is_utf8(value):
    try:
        # As the client sends a header: each character a byte.
        (value if isinstance(value, bytes) else str(value).encode("latin-1")).decode()
    except UnicodeError:
        return False
    return True


@schemathesis.hook
def filter_case(_context, case):
    body = getattr(case.body, "data", case.body)
    return (
        case.method != "OPTIONS"
        and all(is_utf8(value) for value in (case.headers or {}).values())
        and not (isinstance(body, bytes) and not is_utf8(body))
    )
