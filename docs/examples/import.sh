#!/usr/bin/env bash
# Imports the records of a request file and resends those that may succeed later. Needs curl and jq.
# IMPORT_URL=https://…/api/integrate/audience/info/batchAdd IMPORT_TOKEN=… ./import.sh request.json
set -euo pipefail

batch=1000
attempts=8
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A header in an argument could be read by every user of the machine.
printf 'X-Token: %s\n' "$IMPORT_TOKEN" >"$work/token"

# Sleeps for the seconds of Retry-After, or else 1, 2, 4, … up to 30.
pause() {
  local seconds=$(($1 < 6 ? 1 << ($1 - 1) : 30)) retry_after
  retry_after=$(awk 'tolower($1) == "retry-after:" { print $2 + 0 }' "$work/headers")
  sleep "${retry_after:-$seconds}"
}

# Posts $work/body until the import has ended; the response is then in $work/response.
post() {
  local attempt status key
  key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  for ((attempt = 1; attempt <= attempts; attempt++)); do
    : >"$work/headers"
    status=$(curl --silent --show-error --max-time 60 --header @"$work/token" \
      --header 'Content-Type: application/json' --header "Idempotency-Key: $key" --data-binary @"$work/body" \
      --dump-header "$work/headers" --output "$work/response" --write-out '%{http_code}' "$IMPORT_URL") || status=000
    case $status in
      200) return ;;
      201 | 429 | 5?? | 000) pause $attempt ;; # The same request with the same key.
      *) printf 'rejected: %s %s\n' "$status" "$(cat "$work/response")" >&2 && exit 1 ;;
    esac
  done
  printf 'no result after %s attempts, last status %s\n' "$attempts" "$status" >&2
  exit 1
}

jq -c --argjson n "$batch" \
  '. as {$publicParams, $data} | range(0; $data | length; $n) | {$publicParams, data: $data[. : . + $n]}' \
  "$1" >"$work/batches"

imported=0
summary=imported
: >"$work/failed"
while read -r body; do
  printf '%s' "$body" >"$work/body"
  for ((round = 1; ; round++)); do
    post
    imported=$((imported + $(jq .data.importSuccessNum "$work/response")))
    summary=$(jq -r 'if .data.dryRun then "dry run: would import" else "imported" end' "$work/response")
    # Without index, which is a record's place in the body sent, not in the file.
    jq -c '.data.errorData // [] | map(del(.index))' "$work/response" >"$work/errors"
    jq -c '.[] | select(.retryable | not)' "$work/errors" | tee -a "$work/failed"
    jq -c 'map(select(.retryable))' "$work/errors" >"$work/again"
    if [ "$(cat "$work/again")" = '[]' ]; then break; fi
    if [ "$round" -eq "$attempts" ]; then
      jq -c '.[]' "$work/again" | tee -a "$work/failed"
      break
    fi
    jq -c '{publicParams, data: $again[0]}' --slurpfile again "$work/again" <<<"$body" >"$work/body"
    : >"$work/headers" && pause "$round"
  done
done <"$work/batches"

printf '%s %s, failed %s\n' "$summary" "$imported" "$(wc -l <"$work/failed" | tr -d ' ')" >&2
[ ! -s "$work/failed" ]
