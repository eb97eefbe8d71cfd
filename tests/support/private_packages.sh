#!/bin/bash
# private_packages.sh BASE PROGRAM…: run in new mount, PID, net, UTS and IPC namespaces. The program finds the machine's /usr,
# /etc and /var, and what it changes in them (packages it removes and installs) is seen by itself alone and gone with it;
# the rest is private as private_preparation.sh makes it.
set -e
mkdir "$1/over"
mount -t tmpfs none "$1/over"
for name in usr etc var; do
    mkdir -p "$1/over/$name/changed" "$1/over/$name/work"
    mount -t overlay overlay -o "lowerdir=/$name,upperdir=$1/over/$name/changed,workdir=$1/over/$name/work" "/$name"
done
# No exec: see there.
"$(dirname "$0")/private_preparation.sh" "$@"
exit $?
