// Imports the records of a request file and resends those that may succeed later. Needs Node 18 or later.
// IMPORT_URL=https://…/api/integrate/audience/info/batchAdd IMPORT_TOKEN=… node import_groups.mjs request.json

import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const BATCH = 1000;
const MIN_BATCH = 50;
const ATTEMPTS = 10;

let size = BATCH;
let imported = 0;
let failed = 0;
let dryRun = false;

/** Random, so that many callers do not come back at the same moment. */
const jitter = (attempt) => Math.random() * Math.min(2 ** attempt, 30);

class Rejected extends Error {}

/** Posts a body until the import has ended, and returns its result. */
async function post(body) {
  const headers = {
    "Content-Type": "application/json",
    "X-Token": process.env.IMPORT_TOKEN,
    "Idempotency-Key": randomUUID(),
  };
  let last;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    let seconds = jitter(attempt);
    try {
      const response = await fetch(process.env.IMPORT_URL, {
        method: "POST",
        headers,
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(60_000),
      });
      const text = await response.text();
      if (response.status === 200) return JSON.parse(text).data;
      if (response.status >= 400 && response.status < 500 && response.status !== 429) {
        throw new Rejected(`rejected: ${response.status} ${text}`);
      }
      last = response.status;
      seconds += Number(response.headers.get("Retry-After") ?? 0);
    } catch (error) {
      if (error instanceof Rejected) throw error;
      last = error;
    }
    // The same request with the same key.
    await sleep(seconds * 1000);
  }
  throw new Rejected(`no result after ${ATTEMPTS} attempts, last: ${last}`);
}

/** Imports one batch, and resends what failed retryably. */
async function importRecords(publicParams, records) {
  const left = [];
  for (let attempt = 0; ; attempt++) {
    const again = [];
    while (records.length > 0) {
      const sent = records.slice(0, size);
      records = records.slice(size);
      const errors = await send(publicParams, sent);
      again.push(...errors.filter((record) => record.retryable));
      left.push(...errors.filter((record) => !record.retryable));
    }
    records = again;
    if (records.length === 0 || attempt === ATTEMPTS - 1) break;
    await sleep(jitter(attempt) * 1000);
  }
  left.push(...records);
  for (const record of left) console.log(JSON.stringify(record));
  failed += left.length;
}

/** Sends records by one request, and returns those that failed. */
async function send(publicParams, records) {
  const result = await post({ publicParams, data: records });
  imported += result.importSuccessNum;
  dryRun = result.dryRun === true;
  // Without index, which is a record's place in the body sent, not in the file.
  const errors = (result.errorData ?? []).map(({ index, ...record }) => record);
  // Records ran out of time: the next requests are smaller.
  const slow = errors.some((record) => record.errorCode === "TIMEOUT");
  size = slow ? Math.max(Math.floor(size / 2), MIN_BATCH) : Math.min(size * 2, BATCH);
  return errors;
}

async function main() {
  const { publicParams, data } = JSON.parse(await readFile(process.argv[2], "utf8"));
  for (let start = 0; start < data.length; ) {
    const end = start + size;
    await importRecords(publicParams, data.slice(start, end));
    start = end;
  }
  const summary = dryRun ? "dry run: would import" : "imported";
  console.error(`${summary} ${imported}, failed ${failed}`);
  return failed > 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
