#!/bin/bash
# PID 1 of a private libvirt host (started by tests/support/libvirtd.py inside new mount, UTS, IPC, PID and net
# namespaces). It makes the private view, starts the daemons, and then only waits on standard input: when the test
# process ends, however it ends, the pipe closes, PID 1 leaves, and the kernel ends everything in here with it.
base=$1
set -e
mount -t proc proc /proc
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t sysfs sysfs /sys
mkdir -p /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /etc/libvirt
mount --bind "$base/etc" /etc/libvirt
mount --bind "$base/log" /var/log/libvirt
mount --bind "$base/cache" /var/cache/libvirt
mount --bind "$base/lib" /var/lib/libvirt
mount --bind "$base/run" /run
mount -t tmpfs -o mode=1777 shm /dev/shm
hostname allot-test-host
ip link set lo up
set +e

# What libvirtd is told beside its configuration: whether it is there for the network too.
listen=
[ -e /etc/libvirt/listen ] && listen=--listen

start_daemons() {
    for name in virtlogd libvirtd; do
        kill -0 "$(cat "/run/$name.pid" 2>/dev/null)" 2>/dev/null && continue
        rm -f "/run/$name.pid"
        [ $name = libvirtd ] && rm -f /run/libvirt/libvirt-sock*
        [ $name = libvirtd ] && flags=$listen || flags=
        "/usr/sbin/$name" $flags -d -p "/run/$name.pid" </dev/null >>"$base/log/start.log" 2>&1
    done
}

start_daemons
: > /run/host-ready
while read -r word; do
    [ "$word" = start ] && start_daemons
done
