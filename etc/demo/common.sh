# Shared by run-demo and clean-demo: where the demo lives and what it made. Sourced, not run.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
demo=${ALLOT_DEMO_DIR:-$root/.demo}
bin=$root/.venv/bin
pool=allotment-demo
pool_dir=/var/lib/libvirt/allotment-demo
port=${ALLOT_DEMO_PORT:-8470}
export ALLOT_STATE__DIRECTORY=$demo/state ALLOT_SERVER__PORT=$port ALLOT_CONTEXT_DIR=$demo/context
export ALLOT_LOG__FORMAT=text ALLOT_RECONCILE__GRACEFUL_STOP_S=20 LC_ALL=C.UTF-8
unset ALLOT_CONFIG ALLOT_SERVER ALLOT_TOKEN_FILE ALLOT_CONTEXT

bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
[ -t 1 ] || { bold= dim= plain=; }
say()  { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
note() { printf '%s%s%s\n' "$dim" "$*" "$plain"; }
die()  { printf '\nallotment demo: %s\n' "$*" >&2; exit 1; }
virsh() { command virsh --quiet --connect qemu:///system "$@"; }

# Is the process whose id is in FILE alive, and is it what we started?
alive() {
    local pid
    [ -s "$1" ] || return 1
    pid=$(head -n 1 "$1")
    [ -r "/proc/$pid/cmdline" ] && tr '\0' ' ' < "/proc/$pid/cmdline" | grep -qE "$2"
}
