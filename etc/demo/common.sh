# Shared by run-demo and clean-demo: where the demo lives and what it made. Sourced, not run.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Not in the clone: `git clean` must not take away what says which machines are the demo's. `.demo` points here.
demo=${ALLOT_DEMO_DIR:-/var/lib/allotment-demo}
link=$root/.demo
bin=$root/.venv/bin
pool=allotment-demo
pool_dir=/var/lib/libvirt/allotment-demo
port=${ALLOT_DEMO_PORT:-8470}
# The demo's own settings alone: neither those of this machine in /etc/allotment nor the caller's have a say.
for variable in "${!ALLOT_@}"; do
    case $variable in
    ALLOT_DEMO_* | ALLOT_LANG) ;;
    *) unset "$variable" ;;
    esac
done
export ALLOT_CONFIG=$demo/controller.toml ALLOT_CONTEXT_DIR=$demo/context LC_ALL=C.UTF-8

bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
[ -t 1 ] || { bold= dim= plain=; }
say()  { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
note() { printf '%s%s%s\n' "$dim" "$*" "$plain"; }
die()  { printf '\nallotment demo: %s\n' "$*" >&2; exit 1; }
virsh() { timeout --foreground 120 virsh --quiet --connect qemu:///system "$@"; }

# Is the process whose id is in FILE alive, and is it what we started?
alive() {
    local pid
    [ -s "$1" ] || return 1
    pid=$(head -n 1 "$1")
    [ -r "/proc/$pid/cmdline" ] && tr '\0' ' ' < "/proc/$pid/cmdline" | grep -qE "$2"
}

# named_by DIRECTORY: ids of all that the state in there names.
named_by() {
    [ -s "$1/state/state.sqlite" ] || return 0
    /usr/bin/python3 - "$1/state/state.sqlite" <<'PYTHON'
import sqlite3, sys
state = sqlite3.connect(sys.argv[1])
if state.execute("SELECT 1 FROM sqlite_master WHERE name = 'resources'").fetchone():
    print(*(row[0] for row in state.execute("SELECT id FROM resources")), sep="\n")
PYTHON
}

# bridge_of SEGMENT: how the driver names its bridge.
bridge_of() { printf 'allot%s' "${1: -10}"; }

# libvirt's daemons that run here: units where there is systemd, else programs.
running_daemons() {
    if [ -d /run/systemd/system ]; then
        systemctl list-units --plain --no-legend --type=service,socket --state=active 'libvirt*' 'virtlog*' 'virtlock*' | awk '{print $1}'
    else
        local name
        for name in libvirtd virtlogd; do
            ! pgrep --ns $$ --nslist pid --exact $name > /dev/null || echo $name
        done
    fi
}

# Those of libvirt's units that start with the machine.
enabled_daemons() {
    [ ! -d /run/systemd/system ] ||
        systemctl list-unit-files --plain --no-legend --state=enabled 'libvirt*' 'virtlog*' 'virtlock*' | awk '{print $1}'
}
