#!/usr/bin/env bash
# Makes debian:bookworm-slim available to the local engine: already there, else pulled, else made with debootstrap.
set -euo pipefail

IMAGE=debian:bookworm-slim
SUITE=bookworm
PULL_LIMIT_S=${BASE_IMAGE_PULL_LIMIT_S:-15}
BOOTSTRAP_LIMIT_S=${BASE_IMAGE_BOOTSTRAP_LIMIT_S:-300}
IMPORT_LIMIT_S=120
CA_DIR=/usr/local/share/ca-certificates
CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt

say() { printf 'base image: %s\n' "$*"; }
fail() { printf 'base image: %s\n  hint: %s\n' "$1" "$2" >&2; exit 1; }

# Lines "URI SUITE" of the Debian archives that this machine's own apt uses; empty on other distributions.
host_archives() {
    command -v apt-get >/dev/null || return 0
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' 2>/dev/null |
        awk -v suite="$SUITE" '$2 ~ "^" suite "(-updates|-security)?$" && $3 == "main" && $4 == "Debian" {print $1, $2}' |
        awk '!seen[$0]++' || true
}

pull() {
    say "pulling $IMAGE (at most $PULL_LIMIT_S s)"
    timeout "$PULL_LIMIT_S" docker pull --quiet "$IMAGE" >/dev/null 2>&1
}

bootstrap() {
    local root=$1 mirror=$2
    say "no registry answered: making it with debootstrap from ${mirror:-the default archive} (about 40 s)"
    # shellcheck disable=SC2086  # No mirror must be no argument: debootstrap then picks its own default.
    timeout "$BOOTSTRAP_LIMIT_S" debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$root" $mirror \
        >"$root.log" 2>&1 ||
        fail "debootstrap failed or took over $BOOTSTRAP_LIMIT_S s: $(tail -n 1 "$root.log")" \
            "check that this machine's apt archive answers: apt-get update"
}

trust_host_authorities() {
    local root=$1 count
    count=$(find "$CA_DIR" -name '*.crt' 2>/dev/null | wc -l)
    if [ "$count" -gt 0 ]; then
        cp -rL "$CA_DIR/." "$root$CA_DIR/"
    fi
    timeout 60 chroot "$root" update-ca-certificates >/dev/null 2>&1 ||
        fail "update-ca-certificates failed inside the new image" "check the certificates in $CA_DIR"
    say "trusts $count certificate authorities of this machine besides Debian's own"
}

slim() {
    local root=$1 archives=$2
    if [ -n "$archives" ]; then
        printf '%s\n' "$archives" | sed 's/$/ main/; s/^/deb /' >"$root/etc/apt/sources.list"
    fi
    printf 'path-exclude /usr/share/doc/*\npath-include /usr/share/doc/*/copyright\npath-exclude /usr/share/locale/*\n' \
        >"$root/etc/dpkg/dpkg.cfg.d/slim"
    printf 'APT::Install-Recommends "false";\nAcquire::Languages "none";\n' >"$root/etc/apt/apt.conf.d/slim"
    rm -rf "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* \
        "$root"/usr/share/locale/* "$root"/var/log/*.log
    # A name server of this machine may not be reachable from a container: the engine writes its own.
    : >"$root/etc/resolv.conf"
}

import() {
    local root=$1 index changes
    # pip carries its own list of authorities, which knows nothing of a proxy that inspects TLS.
    changes=(--change "ENV PIP_CERT=$CA_BUNDLE SSL_CERT_FILE=$CA_BUNDLE REQUESTS_CA_BUNDLE=$CA_BUNDLE"
        --change 'CMD ["bash"]' --change 'LABEL chaoscheck.base=debootstrap')
    index=$(python3 -m pip config get global.index-url 2>/dev/null || true)
    case $index in
        '' | file:* | *@*) ;;  # Nothing set, unreachable from a container, or carrying a password.
        *) changes+=(--change "ENV PIP_INDEX_URL=$index") ;;
    esac
    tar -C "$root" --numeric-owner -c . | timeout "$IMPORT_LIMIT_S" docker import "${changes[@]}" - "$IMAGE" >/dev/null ||
        fail "docker import failed or took over $IMPORT_LIMIT_S s" "check free space: docker system df"
}

# An interrupted debootstrap leaves the machine's own /proc mounted in there: never delete through it.
discard() {
    umount --lazy "$1/root/proc" "$1/root/sys" 2>/dev/null || true
    rm -rf --one-file-system "$1"
}

main() {
    timeout 20 docker info >/dev/null 2>&1 || fail "no Docker engine answers" "run: make docker"
    if docker image inspect "$IMAGE" >/dev/null 2>&1; then
        say "$IMAGE is there"
        return
    fi
    if pull; then
        say "$IMAGE pulled"
        return
    fi
    [ "$(id -u)" = 0 ] || fail "$IMAGE can't be pulled, and making it takes root" "run as root: $0"
    command -v debootstrap >/dev/null ||
        fail "$IMAGE can't be pulled, and debootstrap is missing" "apt-get install debootstrap"
    local work archives mirror
    archives=$(host_archives)
    mirror=$(printf '%s\n' "$archives" | awk -v suite="$SUITE" '$2 == suite {print $1; exit}')
    work=$(mktemp -d /var/tmp/base-image.XXXXXX)
    # Expanded now: the local variable is gone when the trap runs.
    # shellcheck disable=SC2064
    trap "discard '$work'" EXIT
    bootstrap "$work/root" "$mirror"
    trust_host_authorities "$work/root"
    slim "$work/root" "$archives"
    import "$work/root"
    say "$IMAGE made locally in $SECONDS s"
}

main "$@"
