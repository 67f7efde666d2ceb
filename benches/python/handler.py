"""The import as a straightforward Lambda handler: a thread pool, one Query per identifier, BatchWriteItem.

It fulfils the contract for the imports of the bench: valid records, matching, added, no Idempotency-Key.
"""

import hashlib
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import boto3
from botocore.config import Config

TENANTS = os.environ["TENANTS_TABLE"]
CUSTOMERS = os.environ["CUSTOMERS_TABLE"]
MEMBERSHIPS = os.environ["MEMBERSHIPS_TABLE"]

# As many concurrent calls as the function in Rust makes; each has its connection.
CONCURRENCY = 32

FIELDS = ["unionid", "openid", "phone", "audienceUserId"]
ORDERS = {1: FIELDS, 2: ["phone", "unionid", "openid", "audienceUserId"]}
MESSAGES = {"NOT_MATCHED": "未匹配到客户", "CONFLICT": "标识属于不同客户", "AMBIGUOUS": "匹配到多个客户"}

dynamodb = boto3.client("dynamodb", config=Config(max_pool_connections=CONCURRENCY))
pool = ThreadPoolExecutor(CONCURRENCY)
tenants = {}


class Failed(Exception):
    """A record that failed; its argument is the code."""


def handle(event, context):
    tenant = tenant_of(event["headers"].get("x-token", ""))
    if tenant is None:
        return reply(401, "TOKEN_ERROR", "token无效", None)
    body = json.loads(event["body"])
    params, records = body["publicParams"], body["data"]

    customers = list(pool.map(lambda record: resolve(tenant, params, record), records))
    errors = []
    items = {}
    now = datetime.now(timezone.utc).isoformat()
    for record, customer in zip(records, customers, strict=True):
        if isinstance(customer, Failed):
            code = str(customer)
            errors.append({**record, "errorCode": code, "errorMsg": MESSAGES[code], "retryable": False})
            continue
        for group in groups_of(record):
            items[customer, group] = {
                "customerKey": {"S": f"{tenant}#{customer}"},
                "groupName": {"S": group},
                "tenantId": {"S": tenant},
                "audienceUserId": {"S": customer},
                "updatedAt": {"S": now},
                "importId": {"S": context.aws_request_id},
            }
    write(list(items.values()))
    return reply(200, "SUCCESS", "ok", result(len(records), errors))


def tenant_of(token):
    key = hashlib.sha256(token.encode()).hexdigest()
    if key not in tenants:
        response = dynamodb.get_item(TableName=TENANTS, Key={"tokenHash": {"S": key}}, ConsistentRead=True)
        if "Item" not in response:
            return None
        tenants[key] = response["Item"]["tenantId"]["S"]
    return tenants[key]


def resolve(tenant, params, record):
    """The ID of the customer that a record means, or why it means none."""
    try:
        if params["matchingType"] == 1:
            return exact(tenant, record)
        return fuzzy(tenant, record, ORDERS[params["identifyWay"]])
    except Failed as failed:
        return failed


def fuzzy(tenant, record, order):
    for field in order:
        if record.get(field):
            found = query(tenant, field, record[field])
            if found:
                return only(found)
    raise Failed("NOT_MATCHED")


def exact(tenant, record):
    candidates = None
    for field in FIELDS:
        if record.get(field):
            found = query(tenant, field, record[field])
            if not found:
                raise Failed("NOT_MATCHED")
            candidates = found if candidates is None else candidates & found
    if not candidates:
        raise Failed("CONFLICT")
    return only(candidates)


def only(customers):
    if len(customers) > 1:
        raise Failed("AMBIGUOUS")
    return next(iter(customers))


def query(tenant, field, value):
    """The IDs of the tenant's customers that have this value, by its index or by the table's key."""
    request = {
        "TableName": CUSTOMERS,
        "KeyConditionExpression": f"{field} = :value AND tenantId = :tenant",
        "ExpressionAttributeValues": {":value": {"S": value}, ":tenant": {"S": tenant}},
        "ProjectionExpression": "audienceUserId",
    }
    if field != "audienceUserId":
        request["IndexName"] = f"{field}-index"
    found = set()
    while True:
        page = dynamodb.query(**request)
        found.update(item["audienceUserId"]["S"] for item in page["Items"])
        if "LastEvaluatedKey" not in page:
            return found
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def groups_of(record):
    return dict.fromkeys(group.strip() for group in record["groups"].split(",") if group.strip())


def write(items):
    requests = [{"PutRequest": {"Item": item}} for item in items]
    chunks = [requests[first : first + 25] for first in range(0, len(requests), 25)]
    list(pool.map(write_chunk, chunks))


def write_chunk(chunk):
    while chunk:
        response = dynamodb.batch_write_item(RequestItems={MEMBERSHIPS: chunk})
        chunk = response["UnprocessedItems"].get(MEMBERSHIPS)
        if chunk:
            time.sleep(0.05)


def result(records, errors):
    status, message = (1, "成功") if not errors else (2, "部分导入成功")
    if len(errors) == records:
        status, message = -1, "失败"
    return {
        "importSuccessNum": records - len(errors),
        "importFailNum": len(errors),
        "status": status,
        "message": message,
        "errorData": errors or None,
    }


def reply(status, code, msg, data):
    envelope = {"code": str(status), "errorCode": code, "msg": msg, "data": data}
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(envelope, ensure_ascii=False),
        "isBase64Encoded": False,
    }
