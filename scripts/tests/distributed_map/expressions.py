"""JSONata in the fields of a Map state."""

import re

import jsonata
import ministack.services.stepfunctions as states

# An expression that only names a value.
PATH = re.compile(r"\$states(?:\.[A-Za-z]\w*)+")


def value_of(field, given, context):
    """What a field says, its expressions evaluated."""
    return states._apply_jsonata_template(field, given, context)


def install():
    """Expressions without ministack's limit of a second: that a machine is slow is no defect of a definition."""
    parse, evaluate = jsonata.Jsonata.jsonata, states._evaluate_jsonata

    def named_or_evaluated(expression, given, context=None, result=None, error_output=None):
        if PATH.fullmatch(expression):
            document = {"input": given, "result": result, "errorOutput": error_output, "context": context}
            value = named(expression, document)
            # An array may be a sequence of JSONata's; and nothing may be an error.
            if value is not None and not isinstance(value, list):
                return value
        return evaluate(expression, given, context, result, error_output)

    jsonata.Jsonata.jsonata = lambda expression, timeout=None: parse(expression)
    states._evaluate_jsonata = named_or_evaluated


def named(expression, value):
    for name in expression.split(".")[1:]:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value
