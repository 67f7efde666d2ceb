"""The bulk stack: its state machine, its bucket, the function that it invokes, and the token of a tenant."""

import time

from aws_tools import client as aws
from aws_tools import tokens
from aws_tools.client import Failure

OUTPUTS = ("StateMachineArn", "Bucket", "FunctionArn")


class BulkStack:
    def __init__(self, given):
        self.given = given
        outputs, parameters = aws.describe(given.stack, "bulk/template.yaml", *OUTPUTS)
        self.machine, self.bucket, self.function = (outputs[name] for name in OUTPUTS)
        self.is_pinned = parameters.get("TokenHash", "none") != "none"
        self.states, self.s3, self.lambda_ = (aws.client(name) for name in ("stepfunctions", "s3", "lambda"))

    def check_concurrency(self):
        """Whether the function may run as often at a time as batches are wanted: the rest would only be throttled."""
        found = self.lambda_.get_function_concurrency(FunctionName=self.function)
        allowed = found.get("ReservedConcurrentExecutions")
        if allowed is None:
            allowed = self.lambda_.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
        if self.given.concurrency > allowed:
            raise Failure(
                f"Lambda runs at most {allowed} invocations of the function at a time, those for the API included:"
                f" --concurrency {self.given.concurrency} is over that"
            )

    def tenant(self):
        """What of a run's input names the tenant. The hash of a token is no token, but is not shown either."""
        if self.is_pinned:
            if self.given.tenant or self.given.token_hash:
                raise Failure(f"{self.given.stack} imports for one tenant only: leave --tenant and --token-hash out")
            return {}
        if self.given.token_hash:
            return {"tokenHash": self.given.token_hash}
        if not self.given.tenant:
            raise Failure("whose customers? Name the --tenant")
        return {"tokenHash": self.token_of(self.given.tenant)}

    def token_of(self, tenant):
        settings = self.lambda_.get_function_configuration(FunctionName=self.function)
        table = settings.get("Environment", {}).get("Variables", {}).get("TENANTS_TABLE")
        if not table:
            raise Failure(f"the FunctionArn of {self.given.stack} is not the import function: it has no TENANTS_TABLE")
        good = [item for item in tokens.entries(aws.table(table), tenant) if tokens.may_import(item)]
        if not good:
            raise Failure(f"the tenant {tenant} has no token that may import: create one by make admin")
        # The one that is good for longest: a run may take hours.
        best = max(good, key=tokens.expires_at)
        if tokens.expires_at(best) < time.time() + tokens.DAY:
            aws.say(f"the tenant's token {tokens.expiry(best)}; a run that is not done by then fails")
        return best["tokenHash"]
