"""The bulk stack: its state machine, its bucket, the function that it invokes, and the token of a tenant."""

import time

from aws_tools import client as aws
from aws_tools import stack, tokens
from aws_tools.client import Failure

OUTPUTS = ("StateMachineArn", "Bucket", "FunctionArn")

# A token that ends sooner ends before most runs do.
DAY = 86_400


class BulkStack:
    def __init__(self, given):
        self.given = given
        outputs, parameters = stack.describe(given)
        missing = [name for name in OUTPUTS if name not in outputs]
        if missing:
            raise Failure(f"{given.stack} is no stack of bulk/template.yaml: it has no output {missing[0]}")
        self.machine, self.bucket, self.function = (outputs[name] for name in OUTPUTS)
        self.is_pinned = parameters.get("TokenHash", "none") != "none"
        self.states = aws.client("stepfunctions", given)
        self.s3 = aws.client("s3", given)

    def settings(self):
        """The settings of the function."""
        return aws.client("lambda", self.given).get_function_configuration(FunctionName=self.function)

    def tenant(self):
        """What of a run's input names the tenant. The hash of a token opens nothing at the API, but is not shown."""
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
        table = self.settings()["Environment"]["Variables"]["TENANTS_TABLE"]
        found = tokens.entries(aws.client("dynamodb", self.given), table, tenant)
        if not found:
            raise Failure(f"the tenant {tenant} has no token: create one by make admin")
        good = [item for item in found if tokens.may_import(item)]
        if not good:
            raise Failure(f'no token of the tenant {tenant} may import: see make admin ARGS="token list …"')
        # The one that is good for longest: a run may take hours.
        best = max(good, key=tokens.expires_at)
        expiry = tokens.expires_at(best)
        if expiry < time.time() + DAY:
            aws.say(f"the tenant's token expires {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime(expiry))}")
        return best["tokenHash"]["S"]
