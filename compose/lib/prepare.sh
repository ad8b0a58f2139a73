# shellcheck shell=bash
# prepare.sh: everything that must be there before the stack starts: packages, Perses, its plugins, the C programs.
# Each step is skipped when its result is there already. Sourced after base.sh, toolchain.sh and packages.sh.

DISK_MB_FIRST=6000 # Go's modules and cache while Perses is built are most of it
DISK_MB=300

prepare_c() (
    with_lock build
    # A build folder belongs to one checkout.
    build=$PERSAI_STATE/build/$(printf '%s' "$REPO_DIR" | sha256sum | cut -c1-12)
    if [ ! -f "$build/build.ninja" ]; then
        rm -rf "$build"
        run_logged "$PERSAI_STATE/logs/configure.log" "PersAI: configure" \
            cmake -G Ninja -S "$REPO_DIR" -B "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
            -DBUILD_TESTING=OFF ||
            { rm -rf "$build" && die "PersAI could not be configured"; }
    fi
    # Always: ninja knows what has changed (a dry run does not, where CMake looks for new sources each time).
    run_logged "$PERSAI_STATE/logs/build.log" "PersAI: build the gateway, the worker and the terminal client" \
        ninja -C "$build" persai-gateway persai-worker persai || die "PersAI could not be built"
    mkdir -p "$PERSAI_STATE/bin"
    for program in gateway/persai-gateway worker/persai-worker gateway/persai; do
        # A copy: a build that goes on while the stack runs does not pull the program from under it.
        name=${program#*/}
        if ! cmp -s "$build/$program" "$PERSAI_STATE/bin/$name"; then
            cp "$build/$program" "$PERSAI_STATE/bin/$name.new"
            mv "$PERSAI_STATE/bin/$name.new" "$PERSAI_STATE/bin/$name"
        fi
    done
)

# ui: the folder of the web UI that Perses serves. PERSAI_UI: full (Perses's own), small (a page with its Explore and
# dashboards, a few minutes sooner there); unset: full, or small where the full one can not be built.
ui() {
    case ${PERSAI_UI:-} in
    small) "$COMPOSE_DIR/perses/web-page" ;;
    full) "$COMPOSE_DIR/perses/full-ui" ;;
    '')
        "$COMPOSE_DIR/perses/full-ui" || {
            say "Perses is served with a small page instead of its whole web UI."
            "$COMPOSE_DIR/perses/web-page"
        }
        ;;
    *) die "PERSAI_UI is full or small, not '$PERSAI_UI'" ;;
    esac
}

prepare_all() {
    local page
    if [ ! -e "$PERSAI_STATE/.prepared" ]; then
        export PERSAI_RUN_BEGAN=${EPOCHREALTIME/,/.}
        say "First start: packages, Perses and PersAI are installed and built; this takes some minutes."
        need_space "$PERSAI_STATE" "$DISK_MB_FIRST"
    else
        need_space "$PERSAI_STATE" "$DISK_MB"
    fi
    packages_install
    PERSAI_PLUGINS_DIR=$("$COMPOSE_DIR/perses/plugins" | tail -n 1)
    page=$(ui | tail -n 1)
    PERSAI_PERSES_BIN=$("$COMPOSE_DIR/perses/build" "$page" | tail -n 1)
    prepare_c
    PERSAI_BIN_DIR=$PERSAI_STATE/bin
    export PERSAI_PLUGINS_DIR PERSAI_PERSES_BIN PERSAI_BIN_DIR
    touch "$PERSAI_STATE/.prepared"
}
