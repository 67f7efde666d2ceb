// Sends one request: IMPORT_URL=… IMPORT_TOKEN=… node call.mjs request.json (Node 18 or later)
// Prints every failed record as a line of JSON. Exit status: 0 none failed, 1 some did, or nothing was imported.
// Left to client/import_groups.py: files of any size, a request that is too large (413), and sending records again that
// failed for now ("retryable": true).
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const body = readFileSync(process.argv[2]); // Sent as it is: what reads and writes JSON could change it.
const headers = {
  "X-Token": process.env.IMPORT_TOKEN, "Content-Type": "application/json", "Idempotency-Key": randomUUID(),
};

async function exchange() {
  try {
    const options = { method: "POST", headers, body, redirect: "manual", signal: AbortSignal.timeout(35_000) };
    const response = await fetch(process.env.IMPORT_URL, options);
    return [response.status, response.headers.get("retry-after") ?? "0", await response.text()];
  } catch (error) {
    return [0, "0", `${error.message}: ${error.cause?.message ?? ""}`];
  }
}

// A number or a date; a wrong clock must not stop the program for hours.
const seconds = (value) => Math.min(/^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000 || 0, 60);

let status, retryAfter, content;
for (let attempt = 0; attempt < 10; attempt++) {
  [status, retryAfter, content] = await exchange();
  if (![0, 201, 408, 425, 429].includes(status) && status < 500) break;
  const pause = Math.max(seconds(retryAfter), 0) + 0.5 + Math.random() * Math.min(2 ** attempt, 30);
  console.error(`status ${status}; again in ${pause.toFixed(1)} s`);
  await sleep(pause * 1000); // Then the same, with the same key.
}
const escape = (char) => "\\u" + char.charCodeAt(0).toString(16).padStart(4, "0"); // ASCII, for any console.
let failed;
try {
  const { importFailNum, errorData } = JSON.parse(content).data;
  failed = status === 200 && importFailNum !== undefined ? errorData ?? [] : undefined;
  for (const record of failed ?? []) console.log(JSON.stringify(record).replace(/[^\x00-\x7f]/g, escape));
} catch {
  failed = undefined;
}
if (!failed) console.error(`status ${status}, no result (if it is 200, check IMPORT_URL): ${content.slice(0, 500)}`);
process.exitCode = failed?.length === 0 ? 0 : 1;
