#!/usr/bin/env bash
# Sends one request: IMPORT_URL=… IMPORT_TOKEN=… ./call.sh request.json (needs curl and jq)
# Prints every failed record as a line of JSON. Exit status: 0 none failed, 1 some did, or nothing was imported.
# Left to client/import_groups.py: files of any size, a request that is too large (413), and sending records again that
# failed for now ("retryable": true).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# In an argument every user of the machine could read the token.
printf 'X-Token: %s\n' "$IMPORT_TOKEN" >"$work/token"
key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')

# A number or a date; a wrong clock must not stop the program for hours.
seconds() {
  value=$(sed -n 's/^[Rr]etry-[Aa]fter: *\(.*[^ \r]\)[ \r]*$/\1/p' "$work/headers" | tail -n 1)
  case $value in
  '') value=0 ;;
  *[!0-9]*) value=$(($(date -d "$value" +%s 2>/dev/null || date +%s) - $(date +%s))) ;;
  *) value=$((10#$value)) ;;
  esac
  echo $((value > 60 ? 60 : value < 0 ? 0 : value))
}

for attempt in 0 1 2 3 4 5 6 7 8 9; do
  : >"$work/headers"
  # The file is sent as it is: what reads and writes JSON could change it.
  status=$(curl --silent --show-error --max-time 35 --dump-header "$work/headers" --output "$work/response" \
    --write-out '%{http_code}' --header @"$work/token" --header 'Content-Type: application/json' \
    --header "Idempotency-Key: $key" --data-binary @"$1" "$IMPORT_URL") || status=000
  case $status in 000 | 201 | 408 | 425 | 429 | 5??) ;; *) break ;; esac
  pause=$(($(seconds) + 1 + RANDOM % (attempt < 5 ? 1 << attempt : 30))).$((RANDOM % 10))
  echo "status $status; again in $pause s" >&2
  sleep "$pause" # Then the same, with the same key.
done

# jq takes no half of a surrogate pair (\ud83d), so such escapes pass it as other text. ASCII, for any console.
sed -E ':a; s/(^|[^\\])((\\\\)*)\\(u[dD][89a-fA-F])/\1\2\\\\\4/; ta' "$work/response" 2>/dev/null >"$work/json" || true
if [ "$status" != 200 ] || ! jq -ace '.data | select(.importFailNum != null) | .errorData // [] | arrays' "$work/json" \
  >"$work/failed" 2>&1 || [ ! -s "$work/failed" ]; then
  echo "status $status, no result (if it is 200, check IMPORT_URL): $(head -c 500 "$work/response" 2>&1)" >&2
  exit 1
fi
jq -ac '.[]' "$work/failed" | sed -E 's/\\\\(u[dD][89a-fA-F])/\\\1/g'
[ "$(cat "$work/failed")" = '[]' ]
