#!/usr/bin/env bash
# Imports the records of a request file and resends those that may succeed later. Needs curl and jq.
# IMPORT_URL=https://…/api/integrate/audience/info/batchAdd IMPORT_TOKEN=… ./import.sh request.json
#
# Failed records are printed as lines of JSON, everything else goes to standard error. Exit status: 0 all records were
# imported, 1 some failed or the import stopped, 2 the program was not used as it should be.
set -euo pipefail

batch=1000
min_batch=50
attempts=10
# A little longer than the service takes at most.
timeout=35
# A wrong clock or date must not stop the import for hours.
longest_retry_after=60

report() { printf '%s\n' "$1" >&2; }
stop() { report "$1" && exit "$2"; }

[ $# -eq 1 ] || stop 'usage: ./import.sh request.json' 2
file=$1
for tool in curl jq; do
  command -v $tool >/dev/null || stop "$tool is not installed" 2
done
[ -n "${IMPORT_URL:-}" ] ||
  stop 'IMPORT_URL is not set: the whole address, https://HOST/api/integrate/audience/info/batchAdd' 2
LC_ALL=C
[[ $IMPORT_URL =~ ^https?://[!-.0-~] ]] || stop 'IMPORT_URL must begin with https:// or http:// and a host' 2
[ -n "${IMPORT_TOKEN:-}" ] || stop 'IMPORT_TOKEN is not set: the token of the enterprise' 2
[[ $IMPORT_TOKEN =~ ^[!-~]+$ ]] || stop 'IMPORT_TOKEN may have visible ASCII characters only' 2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A header in an argument could be read by every user of the machine.
printf 'X-Token: %s\n' "$IMPORT_TOKEN" >"$work/token"

cat -- "$file" >"$work/request" 2>"$work/error" || stop "$file cannot be read" 2
[ "$(head -c 3 "$work/request" | od -An -tx1 | tr -d ' \n')" != efbbbf ] ||
  stop "$file begins with a byte order mark: save it as UTF-8 without BOM" 2
# jq itself would put replacement characters in place of what is not UTF-8.
if ! iconv -f UTF-8 -t UTF-8 "$work/request" >"$work/utf8" 2>"$work/error" ||
  ! jq -e --slurp 'length == 1' "$work/request" >"$work/valid" 2>"$work/error"; then
  stop "$file is not JSON in UTF-8" 2
fi
jq -e '(.publicParams | type) == "object" and (.data | type) == "array"' "$work/request" >"$work/valid" \
  2>"$work/error" || stop "$file must be an object with publicParams, an object, and data, an array" 2
jq -e '.data != []' "$work/request" >"$work/valid" || stop "$file has no records: data is empty" 2
jq -c .publicParams "$work/request" >"$work/params"
jq -c '.data[]' "$work/request" >"$work/all"

# The seconds of Retry-After in the last response, a number or a date.
retry_after() {
  jq -Rrn --argjson longest "$longest_retry_after" '
    [inputs | select(test("^retry-after:"; "i")) | sub("^[^:]*:\\s*"; "") | sub("\\s+$"; "")
      | tonumber? // ((strptime("%a, %d %b %Y %H:%M:%S GMT") | mktime) - now)? // 0]
    | last // 0 | if . < 0 then 0 elif . > $longest then $longest else . end' "$work/headers"
}

# Waits, a random time longer than it must, so that many callers do not come back at the same moment.
pause() { # why, attempt
  local seconds most=$(($2 < 6 ? 1 << ($2 - 1) : 30))
  seconds=$(awk -v least="$(retry_after)" -v most=$most -v random=$RANDOM \
    'BEGIN { printf "%.1f", least + most * random / 32768 }')
  report "$1; again in $seconds s (attempt $(($2 + 1)) of $attempts)"
  sleep "$seconds"
}

# Posts $work/body until the import has ended; the response is then in $work/response.
post() {
  local attempt status key why
  key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  for ((attempt = 1; attempt <= attempts; attempt++)); do
    : >"$work/headers" && : >"$work/response" && : >"$work/error"
    status=$(curl --silent --show-error --max-time "$timeout" --header @"$work/token" \
      --header 'Content-Type: application/json' --header "Idempotency-Key: $key" --data-binary @"$work/body" \
      --dump-header "$work/headers" --output "$work/response" --write-out '%{http_code}' --stderr "$work/error" \
      "$IMPORT_URL") || status=000
    case $status in
      200)
        jq -e '.data.importSuccessNum | numbers' "$work/response" >"$work/valid" 2>"$work/error" ||
          stop 'stopped: the response is not one of the service; check IMPORT_URL' 1
        return
        ;;
      000) why="no response: $(tr '\n' ' ' <"$work/error")" ;;
      201 | 429 | 5??) why="status $status" ;;
      *) stop "rejected: $status $(head -c 500 "$work/response")" 1 ;;
    esac
    # The same request with the same key.
    if [ "$attempt" -lt "$attempts" ]; then pause "$why" "$attempt"; fi
  done
  stop "stopped after $attempts attempts: $why" 1
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

count() { wc -l <"$1" | tr -d ' '; }

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
  report "sent $(count "$work/records") records: $imported of $(count "$work/all") succeeded so far"
}

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
    : >"$work/headers"
    pause "$(count "$work/again") records failed for now" "$round"
  done
done 3<"$work/all"

report "$summary $imported, failed $(count "$work/failed")"
[ ! -s "$work/failed" ]
