#!/usr/bin/env bash
# Brings a Docker engine up where none answers and this user may, then makes the base image of the project's builds.
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
INSTALL_LIMIT_S=${DOCKER_UP_INSTALL_LIMIT_S:-300}
START_LIMIT_S=${DOCKER_UP_START_LIMIT_S:-60}
LOG=${DOCKER_UP_LOG:-/var/log/dockerd.log}

say() { printf 'docker: %s\n' "$*"; }
fail() { printf 'docker: %s\n  hint: %s\n' "$1" "$2" >&2; exit 1; }

answers() { command -v docker >/dev/null && timeout 20 docker info >/dev/null 2>&1; }

is_debian_or_ubuntu() { grep -Eq '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release 2>/dev/null; }

may_install() { [ "$(id -u)" = 0 ] && is_debian_or_ubuntu && command -v apt-get >/dev/null; }

install() {
    local missing=()
    command -v docker >/dev/null && command -v dockerd >/dev/null || missing+=(docker.io)
    command -v iptables >/dev/null || missing+=(iptables)
    command -v debootstrap >/dev/null || missing+=(debootstrap)
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]} from the distribution (at most $INSTALL_LIMIT_S s)"
    local log=/tmp/docker-up-apt.log
    if ! timeout "$INSTALL_LIMIT_S" sh -c '
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -q && apt-get install -qy --no-install-recommends "$@"' sh "${missing[@]}" >"$log" 2>&1; then
        fail "apt-get failed or took over $INSTALL_LIMIT_S s: $(tail -n 1 "$log")" "read $log"
    fi
}

start() {
    if [ -d /run/systemd/system ]; then
        say "starting the engine with systemctl"
        timeout "$START_LIMIT_S" systemctl start docker || true
    elif ! pgrep -x dockerd >/dev/null; then
        say "starting dockerd in the background (log: $LOG)"
        # Detached, or the engine would die with this make.
        setsid dockerd >"$LOG" 2>&1 </dev/null &
    fi
}

await() {
    local deadline=$((SECONDS + START_LIMIT_S))
    until answers; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            fail "waited $START_LIMIT_S s for the engine; last seen: $(docker info 2>&1 | tail -n 1)" \
                "read $LOG: $(tail -n 1 "$LOG" 2>/dev/null || echo 'no log')"
        fi
        sleep 0.5
    done
}

main() {
    if answers; then
        say "an engine answers: $(docker info --format '{{.ServerVersion}}, {{.Driver}}')"
    elif may_install; then
        install
        start
        await
        say "the engine is up: $(docker info --format '{{.ServerVersion}}, {{.Driver}}')"
    else
        fail "no Docker engine answers, and only root on Debian or Ubuntu may install one here" \
            "install and start Docker (docs.docker.com/engine/install), join its group, then run make docker again"
    fi
    if may_install && ! docker image inspect debian:bookworm-slim >/dev/null 2>&1; then
        install
    fi
    "$HERE/base-image.sh"
}

main "$@"
