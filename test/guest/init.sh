#!/bin/sh
# Process 1 of the guest: init.sh MODULES SHARE. / is the host's own, read-only; SHARE is a directory of the host to which results go. Runs
# SHARE/job, and leaves its exit status in SHARE/rc.
export PATH=/run/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev
ln -sf /proc/self/fd /dev/fd
mkdir -p /dev/shm && mount -t tmpfs shm /dev/shm
for dir in /run /tmp; do mount -t tmpfs mem "$dir"; done
mkdir -p /run/bin /run/lock /run/netns /run/share /run/modules/lib
mount -t hostfs -o "$2" none /run/share
# Modules are loaded on demand, from where the package has them.
ln -s "$1" /run/modules/lib/modules
printf '#!/bin/sh\nexec /sbin/modprobe -d /run/modules "$@"\n' >/run/bin/modprobe && chmod 755 /run/bin/modprobe
echo /run/bin/modprobe >/proc/sys/kernel/modprobe
modprobe -a ipv6 dummy
# This kernel has no nf_tables.
for tool in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
  ln -s "$(command -v "$(echo $tool | sed 's/tables/tables-legacy/')")" "/run/bin/$tool"
done
hostname guest
ip link set lo up
echo up >/run/share/up
sh /run/share/job </dev/null >/run/share/out 2>&1
echo $? >/run/share/rc
sync
busybox poweroff -f
