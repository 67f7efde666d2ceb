"""The deployed API, as its callers see it, and the tables behind it."""

import hashlib
import http.client
import json
import urllib.parse

TOKEN = "token-of-the-deploy-test"
TENANT = "deploy-test"

# What is sent unless a check sends something else.
FUZZY = {"isMatching": True, "matchingType": 2, "identifyWay": 1, "optType": "add"}


class Answer:
    """An answer of the API."""

    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = json.loads(response.read())

    @property
    def data(self):
        return self.body.get("data")

    def __repr__(self):
        return f"{self.status} {self.headers} {json.dumps(self.body, ensure_ascii=False)[:500]}"


class Api:
    """The API at the address that the stack names."""

    def __init__(self, url, emulator):
        self.url = urllib.parse.urlsplit(url)
        self.emulator = emulator
        self.answers = []

    def call(self, method="POST", path=None, body=None, token=TOKEN, key=None):
        """Sends a request to the address, or to another path beside it."""
        headers = {"Host": self.url.netloc, "Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        if token is not None:
            headers["X-Token"] = token
        # Not by the address's host name: not every system resolves what ends in .localhost.
        connection = http.client.HTTPConnection("127.0.0.1", self.emulator.port, timeout=60)
        try:
            body = None if body is None else json.dumps(body).encode()
            connection.request(method, path or self.url.path, body, headers)
            self.answers.append(Answer(connection.getresponse()))
            return self.answers[-1]
        finally:
            connection.close()

    def add(self, records, key=None, **params):
        """Posts an import."""
        return self.call(body={"publicParams": FUZZY | params, "data": records}, key=key)


class Tables:
    """The stack's tables, by boto3's resource of DynamoDB."""

    def __init__(self, dynamodb, outputs):
        self.client = dynamodb.meta.client
        self.tenants = dynamodb.Table(outputs["TenantsTable"])
        self.customers = dynamodb.Table(outputs["CustomersTable"])
        self.memberships = dynamodb.Table(outputs["MembershipsTable"])
        self.imports = dynamodb.Table(outputs["ImportsTable"])

    def names(self):
        return {self.tenants.name, self.customers.name, self.memberships.name, self.imports.name}

    def put_tenant(self):
        token_hash = hashlib.sha256(TOKEN.encode()).hexdigest()
        self.tenants.put_item(Item={"tokenHash": token_hash, "tenantId": TENANT, "permissions": {"audience:group"}})

    def put_customers(self, customers):
        with self.customers.batch_writer() as batch:
            for customer in customers:
                batch.put_item(Item={"tenantId": TENANT, **customer})

    def pairs(self):
        """Every membership, as (customer, group)."""
        pairs, start = set(), {}
        while True:
            page = self.memberships.scan(**start)
            for item in page["Items"]:
                assert item["customerKey"] == f"{item['tenantId']}#{item['audienceUserId']}", item
                pairs.add((item["audienceUserId"], item["groupName"]))
            if "LastEvaluatedKey" not in page:
                return pairs
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
