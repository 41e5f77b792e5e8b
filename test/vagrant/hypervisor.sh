#!/bin/sh
# Runs a command beside a libvirt of its own: hypervisor.sh DIR COMMAND…. To be started in new mount, network and process namespaces: the machine's own
# libvirt, its networks and its settings are neither read nor changed, and everything ends with the command. What it keeps lies in DIR.
set -eu
dir=$1
shift
ip link set lo up
for path in /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /run/libvirt; do
  mkdir -p "$dir$path" "$path"
  [ "$path" != /etc/libvirt ] || cp -a /etc/libvirt/. "$dir$path"
  mount --bind "$dir$path" "$path"
done
rm -rf /etc/libvirt/qemu/networks /run/libvirt/* && mkdir -p /etc/libvirt/qemu/networks
cat >/etc/libvirt/qemu.conf <<CONF
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
dynamic_ownership = 0
remember_owner = 0
CONF
printf 'auth_unix_rw = "none"\nauth_unix_ro = "none"\n' >/etc/libvirt/libvirtd.conf
# They write their process ids below /run, which the machine's own have, too.
virtlogd --daemon --pid-file /run/libvirt/virtlogd.pid
libvirtd --daemon --pid-file /run/libvirt/libvirtd.pid
if ! virsh --quiet pool-info default >/dev/null 2>&1; then
  mkdir -p /var/lib/libvirt/images
  virsh --quiet pool-define-as default dir --target /var/lib/libvirt/images
  virsh --quiet pool-autostart default
fi
virsh --quiet pool-start default >/dev/null 2>&1 || true
"$@"
