// Imports the records of a request file and resends those that may succeed later. Needs Node 18 or later.
// IMPORT_URL=https://…/api/integrate/audience/info/batchAdd IMPORT_TOKEN=… node import_groups.mjs request.json
//
// Failed records are printed as lines of JSON, everything else goes to standard error. Exit status: 0 all records were
// imported, 1 some failed or the import stopped, 2 the program was not used as it should be.

import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const BATCH = 1000;
const MIN_BATCH = 50;
const ATTEMPTS = 10;
// A little longer than the service takes at most.
const TIMEOUT_MS = 35_000;
// A wrong clock or date must not stop the import for hours.
const LONGEST_RETRY_AFTER = 60;

/** The import cannot go on. */
class Stop extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const report = (message) => console.error(message);

/** The seconds of a Retry-After header, which has a number or a date. */
function retryAfter(value) {
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Math.min(Math.max(seconds || 0, 0), LONGEST_RETRY_AFTER);
}

/** Waits, a random time longer than it must, so that many callers do not come back at the same moment. */
async function pause(why, attempt, least = 0) {
  const seconds = least + Math.random() * Math.min(2 ** attempt, 30);
  report(`${why}; again in ${seconds.toFixed(1)} s (attempt ${attempt + 2} of ${ATTEMPTS})`);
  await sleep(seconds * 1000);
}

/** The import of a file. */
class Import {
  size = BATCH;
  imported = 0;
  failed = 0;
  dryRun = false;

  constructor(url, token, publicParams, records) {
    Object.assign(this, { url, token, publicParams, records });
  }

  async run() {
    for (let start = 0; start < this.records.length; ) {
      const end = start + this.size;
      await this.batch(this.records.slice(start, end));
      start = end;
    }
    report(`${this.dryRun ? "dry run: would import" : "imported"} ${this.imported}, failed ${this.failed}`);
  }

  /** Imports one batch, and resends what failed retryably. */
  async batch(records) {
    const left = [];
    for (let attempt = 0; ; attempt++) {
      const again = [];
      while (records.length > 0) {
        const sent = records.slice(0, this.size);
        records = records.slice(this.size);
        const errors = await this.send(sent);
        again.push(...errors.filter((record) => record.retryable));
        left.push(...errors.filter((record) => !record.retryable));
      }
      records = again;
      if (records.length === 0 || attempt === ATTEMPTS - 1) break;
      await pause(`${records.length} records failed for now`, attempt);
    }
    left.push(...records);
    for (const record of left) console.log(JSON.stringify(record));
    this.failed += left.length;
  }

  /** Sends records by one request, and returns those that failed. */
  async send(records) {
    const result = await this.post(JSON.stringify({ publicParams: this.publicParams, data: records }));
    this.imported += result.importSuccessNum;
    this.dryRun = result.dryRun === true;
    // Without index, which is a record's place in the body sent, not in the file.
    const errors = (result.errorData ?? []).map(({ index, ...record }) => record);
    // Records ran out of time: the next requests are smaller.
    const slow = errors.some((record) => record.errorCode === "TIMEOUT");
    this.size = slow ? Math.max(Math.floor(this.size / 2), MIN_BATCH) : Math.min(this.size * 2, BATCH);
    report(`sent ${records.length} records: ${this.imported} of ${this.records.length} succeeded so far`);
    return errors;
  }

  /** Posts a body until the import has ended, and returns its result. */
  async post(body) {
    const headers = {
      "Content-Type": "application/json",
      "X-Token": this.token,
      "Idempotency-Key": randomUUID(),
    };
    let why;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      let least = 0;
      try {
        // No redirects: the token goes to the given address and to no other.
        const options = { method: "POST", headers, body, redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS) };
        const response = await fetch(this.url, options);
        const text = await response.text();
        if (response.status === 200) return resultOf(text);
        if (![201, 429].includes(response.status) && response.status < 500) {
          throw new Stop(`rejected: ${response.status} ${text.slice(0, 500)}`, 1);
        }
        why = `status ${response.status}`;
        least = retryAfter(response.headers.get("Retry-After") ?? "0");
      } catch (error) {
        if (error instanceof Stop) throw error;
        why = `no response: ${error.cause?.message || error.message}`;
      }
      // The same request with the same key.
      if (attempt < ATTEMPTS - 1) await pause(why, attempt, least);
    }
    throw new Stop(`stopped after ${ATTEMPTS} attempts: ${why}`, 1);
  }
}

/** The `data` of a response. */
function resultOf(text) {
  try {
    const { data } = JSON.parse(text);
    if (Number.isInteger(data.importSuccessNum)) return data;
  } catch {
    // Said below.
  }
  throw new Stop("stopped: the response is not one of the service; check IMPORT_URL", 1);
}

/** The publicParams and data of a file. */
async function readRequest(file) {
  const content = await readFile(file).catch(() => {
    throw new Stop(`${file} cannot be read`, 2);
  });
  if (content.subarray(0, 3).equals(Buffer.from("\ufeff"))) {
    throw new Stop(`${file} begins with a byte order mark: save it as UTF-8 without BOM`, 2);
  }
  let request;
  try {
    request = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content));
  } catch {
    throw new Stop(`${file} is not JSON in UTF-8`, 2);
  }
  const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isObject(request) || !isObject(request.publicParams) || !Array.isArray(request.data)) {
    throw new Stop(`${file} must be an object with publicParams, an object, and data, an array`, 2);
  }
  if (request.data.length === 0) throw new Stop(`${file} has no records: data is empty`, 2);
  return request;
}

async function main(args) {
  if (args.length !== 1) throw new Stop("usage: node import_groups.mjs request.json", 2);
  const { IMPORT_URL: url, IMPORT_TOKEN: token } = process.env;
  if (!url) {
    throw new Stop("IMPORT_URL is not set: the whole address, https://HOST/api/integrate/audience/info/batchAdd", 2);
  }
  if (!/^https?:\/\/[!-.0-~]/.test(url)) {
    throw new Stop("IMPORT_URL must begin with https:// or http:// and a host", 2);
  }
  if (!token) throw new Stop("IMPORT_TOKEN is not set: the token of the enterprise", 2);
  if (!/^[!-~]+$/.test(token)) throw new Stop("IMPORT_TOKEN may have visible ASCII characters only", 2);
  const { publicParams, data } = await readRequest(args[0]);
  const groups = new Import(url, token, publicParams, data);
  await groups.run();
  return groups.failed > 0 ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Stop)) throw error;
  report(error.message);
  process.exitCode = error.status;
}
