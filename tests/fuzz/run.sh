#!/usr/bin/env bash
# Fuzzes with the stable toolchain: tests/fuzz/run.sh [SECONDS [TARGET...]]
# Without arguments every target for ten minutes, one after the other. Stops at the first finding.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

seconds=${1:-600}
shift || true
if [ "$#" -eq 0 ]; then
    set -- targets/*.rs
fi

# What cargo-fuzz asks of the compiler, which needs no nightly for it.
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="--cfg fuzzing -Zsanitizer=address -Cdebug-assertions -Ccodegen-units=1 \
-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0"
host=$(rustc -vV | sed -n 's/^host: //p')
# Leaks are bounded by the limit of memory; looking for them hangs where ptrace is blocked.
export ASAN_OPTIONS=detect_leaks=0
cargo build --locked --release --target "$host" --target-dir target

for target in "$@"; do
    target=$(basename "$target" .rs)
    mkdir -p "corpus/$target" "artifacts/$target"
    printf '\n== %s for %s s\n' "$target" "$seconds"
    "target/$host/release/$target" "corpus/$target" "seeds/$target" -dict=dictionary \
        -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
        -artifact_prefix="artifacts/$target/"
done
