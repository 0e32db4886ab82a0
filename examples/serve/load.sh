#!/bin/sh
# Starts the service of this checkout, loads it, and stops it: one launch for perfgate.
#
#   load.sh embed OUT    /embed by oha, in CSV
#   load.sh chat OUT     /v1/chat/completions by AIPerf, the records of its requests
#
# RATE is the rate of requests per second that is asked for, and PERFGATE_DURATION the seconds for which the service is
# loaded. OHA and AIPERF name the programs if they are not on the path. SERVE_* switch defects on, see README.md.
set -eu
kind=$1 out=$2
here=$(cd "$(dirname "$0")" && pwd)
oha=${OHA:-oha} aiperf=${AIPERF:-aiperf}
duration=${PERFGATE_DURATION:-10}
lines=${PERFGATE_LINES:-/dev/null}
work=$(mktemp -d)
server=
trap 'if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi; rm -rf "$work"' EXIT

# The service prints its address when the models are loaded.
"$here/target/release/perfgate-serve" >"$work/server.out" &
server=$!
until grep -q '^listening on ' "$work/server.out"; do
  kill -0 "$server" 2>/dev/null || { echo "the service did not start" >&2; exit 1; }
  sleep 0.05
done
address=$(sed -n 's/^listening on //p' "$work/server.out")

# The memory of the service, twice a second. perfgate makes a slope of it.
follow_memory() {
  while kill -0 "$server" 2>/dev/null; do
    kibibytes=$(awk '/^VmRSS:/ { print $2 }' "/proc/$server/status" 2>/dev/null) || kibibytes=
    [ -z "$kibibytes" ] || echo "{\"at_s\": $(date +%s.%N), \"rss_bytes\": $((kibibytes * 1024))}" >>"$lines"
    sleep 0.5
  done
}

state_load() {
  echo "{\"conditions\": {\"load\": \"open\", \"latency-from\": \"$1\", \"rate\": \"$2/s\"}}" >>"$lines"
}

[ ! -e "/proc/$server/status" ] || follow_memory &
case $kind in
  embed)
    rate=${RATE:-100}
    state_load intended-start "$rate"
    # A second of warm-up, which is not measured. oha's CSV leaves out requests without an answer, so the summary of
    # the warm-up must show that the service answers.
    body='{"input": "The mean of the samples is above the limit that the gate was given."}'
    post() { "$oha" --no-tui -m POST -T application/json -d "$body" "$@" "http://$address/embed"; }
    post -z 1s -w -q "$rate" --output-format json >"$work/warmup.json"
    grep -q '"successRate": 1.0' "$work/warmup.json" || { echo "the service does not answer" >&2; exit 1; }
    post -z "${duration}s" -w -q "$rate" --latency-correction --output-format csv >"$out"
    ;;
  chat)
    rate=${RATE:-4}
    state_load sent "$rate"
    requests=$(awk "BEGIN { printf \"%d\", $rate * $duration }")
    # AIPerf counts tokens with a tokenizer. The one in this repository needs no download.
    mkdir "$work/tokenizer"
    cp "$here/../../benches/models/bert/tokenizer.json" "$work/tokenizer/"
    echo '{"tokenizer_class": "PreTrainedTokenizerFast"}' >"$work/tokenizer/tokenizer_config.json"
    "$aiperf" profile --model small-decoder --tokenizer "$work/tokenizer" --endpoint-type chat --streaming \
      --url "http://$address" --request-rate "$rate" --request-rate-mode constant --request-count "$requests" \
      --warmup-request-count 2 --isl 32 --osl 32 --random-seed 1 --ui none --export-level records \
      --output-artifact-dir "$work/aiperf" >"$work/aiperf.out" 2>&1 || { tail -20 "$work/aiperf.out" >&2; exit 1; }
    cp "$work/aiperf/profile_export.jsonl" "$out"
    ;;
  *) echo "usage: load.sh embed|chat OUT" >&2; exit 2 ;;
esac
