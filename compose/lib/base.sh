# shellcheck shell=bash
# base.sh: what every script of compose/ needs: the state folder, messages, locks. Sourced, not run.
# All that compose/ makes lives in one folder of the user's state directory, never in the repository.

set -euo pipefail

COMPOSE_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034 # for those who source this
REPO_DIR=$(cd "$COMPOSE_DIR/.." && pwd)
PERSAI_STATE=${PERSAI_STATE:-${XDG_STATE_HOME:-$HOME/.local/state}/persai}
export PERSAI_STATE

# Messages go to stderr: stdout is for results (a path, an answer).
say() { printf '%s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# run_logged LOG WHAT COMMAND…: shows WHAT with a running clock on a terminal (one line before and one
# after elsewhere), keeps the output in LOG, and on failure shows its end.
run_logged() {
    local log=$1 what=$2 start=$SECONDS rc=0 pid
    shift 2
    mkdir -p "$(dirname "$log")"
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    if [ -t 2 ]; then
        while kill -0 "$pid" 2>/dev/null; do
            printf '\r  %s … %ds ' "$what" $((SECONDS - start)) >&2
            sleep 0.5
        done
    else
        say "  $what …"
    fi
    wait "$pid" || rc=$?
    if [ "$rc" -eq 0 ]; then
        if [ -t 2 ]; then printf '\r' >&2; fi
        say "  $what: done in $((SECONDS - start)) s"
        return 0
    fi
    if [ -t 2 ]; then printf '\n' >&2; fi
    say "  $what: failed; the end of $log:"
    tail -n 20 "$log" >&2
    if grep -qi 'no space left on device' "$log"; then
        die "the disk is full: free some space (df -h '$PERSAI_STATE') and run this again"
    fi
    return "$rc"
}

# need_space DIR MEGABYTES: a clear sentence before a long job fails in its middle.
need_space() {
    local free
    mkdir -p "$1" 2>/dev/null || die "cannot write to $1: set PERSAI_STATE to a folder that can be written"
    free=$(df -Pm "$1" | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$2" ] || die "not enough disk space: $1 has $free MB free, $2 MB are needed"
}

# with_lock NAME: held until this process ends; a second caller waits for the first.
with_lock() {
    local fd
    mkdir -p "$PERSAI_STATE/locks"
    exec {fd}>"$PERSAI_STATE/locks/$1"
    if ! flock -n "$fd"; then
        say "  waiting for another run that works on $1"
        flock "$fd"
    fi
}

# hash_of PATH…: one short hash of the files (a folder: all its files with their names; what is built or
# installed in it, tests and documentation are left out).
hash_of() {
    local p
    for p in "$@"; do
        if [ -d "$p" ]; then
            (cd "$p" && find . \( -name node_modules -o -name dist -o -name e2e -o -name docs -o -name test \) -prune -o \
                -type f ! -name '*.md' ! -name '*.test.ts*' ! -name 'vitest*' -print0 | LC_ALL=C sort -z | xargs -0r sha256sum)
        else
            sha256sum <"$p"
        fi
    done | sha256sum | cut -c1-12
}

# newest_only DIR KEEP: of a folder of cached builds keep the ones used last.
newest_only() {
    local old
    while IFS= read -r old; do
        rm -rf -- "${1:?}/$old"
    done < <(cd "$1" && ls -1t | tail -n +$(($2 + 1)))
}
