#!/bin/bash
# private_preparation.sh BASE PYTHON PROGRAM…: run in new mount, PID, net, UTS and IPC namespaces. Gives the program a
# libvirt of its own below BASE (settings copied from the machine, without its networks). When the program ends, so does
# this PID 1, and with it the daemons the program started.
set -e
base=$1; shift
mount -t proc proc /proc
umount -R /sys/fs/cgroup 2>/dev/null || true
ip link set lo up
mkdir -p "$base"/{run,lib,log,cache,work}
[ -d /etc/libvirt ] && cp -a /etc/libvirt "$base/etc" || mkdir "$base/etc"
rm -rf "$base/etc/qemu/networks/autostart" "$base/etc/storage"
mkdir -p /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt
mount --bind "$base/etc" /etc/libvirt
mount --bind "$base/lib" /var/lib/libvirt
mount --bind "$base/log" /var/log/libvirt
mount --bind "$base/cache" /var/cache/libvirt
mount --bind "$base/run" /run
# Settings of the machine itself are not touched either: the role finds none and bridged packets unfiltered.
mkdir -p /etc/modules-load.d /etc/sysctl.d
mount -t tmpfs none /etc/modules-load.d
mount -t tmpfs none /etc/sysctl.d
[ ! -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || sysctl -qw net.bridge.bridge-nf-call-iptables=0
# No exec: PID 1 must collect the orphans libvirtd makes, which a shell does and the program would not.
"$@"
exit $?
