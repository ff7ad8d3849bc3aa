#!/usr/bin/env bash
# Writes sources.list and apt.conf for mmdebstrap into a directory: a suite of
# Debian from the mirror that this machine uses, whose address is nobody else's
# business, and in the way in which this machine reaches it.
#   tests/mirror.sh SUITE DIRECTORY
set -euo pipefail
suite=${1:?usage: mirror.sh SUITE DIRECTORY}
directory=${2:?usage: mirror.sh SUITE DIRECTORY}

# The host's package lists name their own suites, so those of another suite are
# derived by name.
# shellcheck disable=SC1091
host_suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
# shellcheck disable=SC2016 # apt expands these
apt-get indextargets --format '$(REPO_URI) $(RELEASE)' \
    'Created-By: Packages' 'Origin: Debian' 'Component: main' |
    sed "s/ $host_suite/ $suite/" | sort -u |
    awk -v suite="$suite" '$2 ~ "^" suite "(-updates|-security)?$" {
        print "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] " $1 " " $2 " main"
    }' >"$directory/sources.list"
if ! [ -s "$directory/sources.list" ]; then
    echo "apt knows no Debian mirror for $suite: run 'apt-get update' first" >&2
    exit 1
fi
apt-config dump --no-empty --format '%f "%v";%n' Acquire::http Acquire::https \
    Acquire::Check-Valid-Until Acquire::Check-Date >"$directory/apt.conf"
