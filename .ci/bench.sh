#!/usr/bin/env bash
# What the exporter allocates where it must not allocate more, held against bench/figures.txt: allocations do not depend
# on how busy a machine is, as times do.
#   .ci/bench.sh check     fails when something allocates more than a tenth (and a little) above its figure
#   .ci/bench.sh update    writes the figures
set -euo pipefail
cd "$(dirname "$0")/.."
figures=bench/figures.txt

# One processor, no collection that would empty the pools, so many iterations: the same figures at every run.
measure() {
  { bench 'Benchmark(Decode|Scrape)$/=/^by=exporter$' ./internal/cas ./collector && bench 'BenchmarkServe$/=/=/^by=exporter$' ./internal/server; } |
    tee -a /dev/stderr | awk '/^Benchmark/ {
      for (i = 2; i < NF; i++) { if ($(i+1) == "B/op") bytes = $i; if ($(i+1) == "allocs/op") allocs = $i }
      print $1, bytes, "B/op", allocs, "allocs/op" }'
}
bench() { GOGC=off go test -run '^$' -bench "^$1" -benchmem -benchtime 50x -cpu 1 "${@:2}"; }

case ${1:-} in
  update) measure >"$figures" ;;
  check)
    measure | awk '
      NR == FNR { bytes[$1] = $2; allocs[$1] = $4; next }
      { seen[$1] = 1 }
      !($1 in bytes) { print "no figure for " $1; bad = 1; next }
      $2 > bytes[$1] * 1.1 + 2048 || $4 > allocs[$1] * 1.1 + 4 {
        printf "%s: %d B/op and %d allocs/op, the figures are %d and %d\n", $1, $2, $4, bytes[$1], allocs[$1]; bad = 1
      }
      END { for (name in bytes) if (!(name in seen)) { print name " was not measured"; bad = 1 } exit bad }' "$figures" -
    ;;
  *) sed -n '2,5s/^# //p' "$0"; exit 2 ;;
esac
