// Imports the records of a request file and resends those that may succeed later. Needs Node 18 or later.
// IMPORT_URL=https://…/api/integrate/audience/info/batchAdd IMPORT_TOKEN=… node import_groups.mjs request.json

import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const BATCH = 1000;
const ATTEMPTS = 8;

const pause = (attempt) => Math.min(2 ** attempt, 30);

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
    let seconds = pause(attempt);
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
      seconds = Number(response.headers.get("Retry-After") ?? seconds);
    } catch (error) {
      if (error instanceof Rejected) throw error;
      last = error;
    }
    // The same request with the same key.
    await sleep(seconds * 1000);
  }
  throw new Rejected(`no result after ${ATTEMPTS} attempts, last: ${last}`);
}

/** Imports one batch. Returns how many records were imported, those that were not, and whether it was a dry run. */
async function importRecords(publicParams, records) {
  let imported = 0;
  let dryRun = false;
  const failed = [];
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const result = await post({ publicParams, data: records });
    imported += result.importSuccessNum;
    dryRun = result.dryRun === true;
    // Without index, which is a record's place in the body sent, not in the file.
    const errors = (result.errorData ?? []).map(({ index, ...record }) => record);
    failed.push(...errors.filter((record) => !record.retryable));
    records = errors.filter((record) => record.retryable);
    if (records.length === 0) break;
    await sleep(pause(attempt) * 1000);
  }
  return { imported, failed: [...failed, ...records], dryRun };
}

async function main() {
  const { publicParams, data } = JSON.parse(await readFile(process.argv[2], "utf8"));
  let imported = 0;
  let failed = 0;
  let summary = "imported";
  for (let start = 0; start < data.length; start += BATCH) {
    const result = await importRecords(publicParams, data.slice(start, start + BATCH));
    for (const record of result.failed) console.log(JSON.stringify(record));
    imported += result.imported;
    failed += result.failed.length;
    if (result.dryRun) summary = "dry run: would import";
  }
  console.error(`${summary} ${imported}, failed ${failed}`);
  return failed > 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
