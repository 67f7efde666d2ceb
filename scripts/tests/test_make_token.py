"""make-token against an emulated DynamoDB."""

import hashlib
import re
import secrets
import time
import unittest

from emulated import Emulator, Proxy, run


class MakeToken(unittest.TestCase):
    def setUp(self):
        self.emulator = Emulator.get()
        self.database = self.emulator.client("dynamodb")
        self.table = f"tenants-{secrets.token_hex(4)}"
        self.database.create_table(
            TableName=self.table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "tokenHash", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "tokenHash", "KeyType": "HASH"}],
        )
        self.addCleanup(self.database.delete_table, TableName=self.table)

    def make_token(self, *arguments, rules=None, stdin="", place=None):
        with Proxy(self.emulator, rules) as proxy:
            place = place or ("--table", self.table)
            done = run("make-token", *arguments, *place, "--endpoint", proxy.endpoint, stdin=stdin)
        return done

    def new(self, *arguments):
        """A token made, as a tenant is given it."""
        made = self.make_token("new", *arguments)
        self.assertEqual(made.returncode, 0, made.stderr_text)
        self.assertNotIn(made.stdout_text.strip(), made.stderr_text)
        return made.stdout_text.strip()

    def items(self):
        return {item["tokenHash"]["S"]: item for item in self.database.scan(TableName=self.table)["Items"]}

    def test_a_token_is_kept_as_the_hash_by_which_the_function_asks(self):
        token = self.new("--tenant", "acme_1-A")
        # 256 bits in URL-safe Base64, alone on its line.
        self.assertRegex(token, re.compile(r"\A[A-Za-z0-9_-]{43}\Z"))
        key = hashlib.sha256(token.encode()).hexdigest()
        expected = {
            "tokenHash": {"S": key},
            "tenantId": {"S": "acme_1-A"},
            "permissions": {"SS": ["audience:group"]},
        }
        self.assertEqual(self.items(), {key: expected})

    def test_an_end_and_permissions_can_be_given(self):
        before = int(time.time())
        self.new("--tenant", "acme", "--days", "30", "--permission", "audience:group", "--permission", "other")
        (item,) = self.items().values()
        self.assertEqual(sorted(item["permissions"]["SS"]), ["audience:group", "other"])
        lasting = int(item["expiresAt"]["N"]) - before - 30 * 86_400
        self.assertTrue(0 <= lasting < 60, lasting)

    def test_two_tokens_of_a_tenant_differ(self):
        self.assertNotEqual(self.new("--tenant", "acme"), self.new("--tenant", "acme"))
        self.assertEqual(len(self.items()), 2)

    def test_a_value_out_of_form_is_refused(self):
        out_of_form = [("--tenant", text) for text in ("", "a#b", "a b", "租户", "acme\n", "x" * 65)]
        out_of_form += [("--tenant=a", "--days", text) for text in ("0", "-1", "1.5", "")]
        out_of_form += [("--tenant=a", "--permission", "")]
        for arguments in out_of_form:
            refused = self.make_token("new", *arguments)
            self.assertEqual((refused.returncode, refused.stdout_text), (2, ""), arguments)
        self.assertEqual(self.items(), {})

    def test_an_existing_hash_is_not_overwritten(self):
        def put_by_another_first(request, forward):
            other = {**request["Item"], "tenantId": {"S": "other"}}
            self.assertEqual(forward({**request, "Item": other})[0], 200)
            return forward(request)

        refused = self.make_token("new", "--tenant", "acme", rules={"PutItem": put_by_another_first})
        self.assertEqual((refused.returncode, refused.stdout_text), (1, ""))
        self.assertIn("exists already", refused.stderr_text)
        (item,) = self.items().values()
        self.assertEqual(item["tenantId"], {"S": "other"})

    def test_no_token_is_shown_that_was_not_stored(self):
        failing = {"PutItem": lambda *_: (400, {"__type": "AccessDeniedException", "message": "no"})}
        refused = self.make_token("new", "--tenant", "acme", rules=failing)
        self.assertEqual((refused.returncode, refused.stdout_text), (1, ""))
        self.assertIn("AccessDenied", refused.stderr_text)

    def test_a_tenant_is_disabled_and_enabled_with_all_its_tokens(self):
        self.new("--tenant", "acme")
        self.new("--tenant", "acme")
        self.new("--tenant", "rival")
        for command, enabled in (("disable", False), ("enable", True)):
            self.assertEqual(self.make_token(command, "--tenant", "acme").returncode, 0)
            for item in self.items().values():
                expected = None if item["tenantId"]["S"] == "rival" else {"BOOL": enabled}
                self.assertEqual(item.get("enabled"), expected)
                self.assertIn("permissions", item)

    def test_a_token_is_withdrawn_by_its_hash_or_by_itself(self):
        first, second, third = (self.new("--tenant", "acme") for _ in range(3))
        key = hashlib.sha256(first.encode()).hexdigest()
        self.assertEqual(self.make_token("withdraw", "--hash", key).returncode, 0)
        self.assertEqual(self.make_token("withdraw", "--ask", stdin=f"{second}\n").returncode, 0)
        self.assertEqual(list(self.items()), [hashlib.sha256(third.encode()).hexdigest()])

    def test_an_unknown_token_makes_no_entry(self):
        for command in ("disable", "enable", "withdraw"):
            for which in (("--hash", "0" * 64), ("--tenant", "nobody"), ("--ask",)):
                unknown = self.make_token(command, *which, stdin="a token\n")
                self.assertEqual(unknown.returncode, 1, (command, which))
        self.assertEqual(self.items(), {})

    def test_a_list_shows_hashes_and_no_token(self):
        token = self.new("--tenant", "acme", "--days", "1")
        self.make_token("disable", "--tenant", "acme")
        listed = self.make_token("list", "--tenant", "acme").stdout_text
        self.assertNotIn(token, listed)
        key = hashlib.sha256(token.encode()).hexdigest()
        self.assertRegex(listed, rf"\A{key}  disabled  audience:group  ends \d{{4}}-\d\d-\d\d \d\d:\d\d UTC\n\Z")

    def test_the_table_is_found_by_the_stack(self):
        name = self.emulator.deploy(self, {"TENANTS_TABLE": self.table})
        made = self.make_token("new", "--tenant", "acme", place=("--stack", name))
        self.assertEqual(made.returncode, 0, made.stderr_text)
        self.assertEqual(len(self.items()), 1)
