"""JSONata in the fields of a Map state."""

import jsonata
import ministack.services.stepfunctions as states


def value_of(field, given, context):
    """What a field says, its expressions evaluated."""
    return states._apply_jsonata_template(field, given, context)


def install():
    """Expressions without ministack's limit of a second: that a machine is slow is no defect of a definition."""
    parse = jsonata.Jsonata.jsonata
    jsonata.Jsonata.jsonata = lambda expression, timeout=None: parse(expression)
