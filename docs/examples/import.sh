#!/usr/bin/env bash
# Imports the records of a request file and resends those that may succeed later. Needs curl and jq.
# IMPORT_URL=https://…/api/integrate/audience/info/batchAdd IMPORT_TOKEN=… ./import.sh request.json
set -euo pipefail

batch=1000
min_batch=50
attempts=10
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A header in an argument could be read by every user of the machine.
printf 'X-Token: %s\n' "$IMPORT_TOKEN" >"$work/token"

# Sleeps for the seconds of Retry-After, if the last response has it, and a random time of up to 1, 2, 4, … 30 seconds:
# many callers do not come back at the same moment.
pause() {
  local most=$(($1 < 6 ? 1 << ($1 - 1) : 30))
  sleep "$(awk -v most=$most -v random=$RANDOM \
    'tolower($1) == "retry-after:" { least = $2 } END { print least + most * random / 32768 }' "$work/headers")"
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

# Moves up to $size records from standard input to $work/records; fails if none is left.
take() {
  local n record
  for ((n = 0; n < size; n++)); do
    IFS= read -r record || break
    printf '%s\n' "$record"
  done >"$work/records"
  [ -s "$work/records" ]
}

# Sends $work/records by one request. What failed retryably is added to $work/again, the rest of it is printed.
send() {
  jq -c --slurp --slurpfile params "$work/params" '{publicParams: $params[0], data: .}' "$work/records" >"$work/body"
  post
  imported=$((imported + $(jq .data.importSuccessNum "$work/response")))
  summary=$(jq -r 'if .data.dryRun then "dry run: would import" else "imported" end' "$work/response")
  # Without index, which is a record's place in the body sent, not in the file.
  jq -c '.data.errorData // [] | .[] | del(.index)' "$work/response" >"$work/errors"
  jq -c 'select(.retryable)' "$work/errors" >>"$work/again"
  jq -c 'select(.retryable | not)' "$work/errors" | tee -a "$work/failed"
  # Records ran out of time: the next requests are smaller.
  if jq -e --slurp 'any(.errorCode == "TIMEOUT")' "$work/errors" >"$work/slow"; then
    size=$((size / 2 > min_batch ? size / 2 : min_batch))
  else
    size=$((size * 2 < batch ? size * 2 : batch))
  fi
}

jq -c .publicParams "$1" >"$work/params"
jq -c '.data[]' "$1" >"$work/all"

size=$batch
imported=0
summary=imported
: >"$work/failed"
while take <&3; do
  mv "$work/records" "$work/again"
  for ((round = 1; ; round++)); do
    mv "$work/again" "$work/batch"
    : >"$work/again"
    while take <&4; do send; done 4<"$work/batch"
    if [ ! -s "$work/again" ]; then break; fi
    if [ "$round" -eq "$attempts" ]; then
      tee -a "$work/failed" <"$work/again"
      break
    fi
    : >"$work/headers" && pause "$round"
  done
done 3<"$work/all"

printf '%s %s, failed %s\n' "$summary" "$imported" "$(wc -l <"$work/failed" | tr -d ' ')" >&2
[ ! -s "$work/failed" ]
