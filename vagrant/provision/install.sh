#!/bin/sh
# The package, a container runtime, and the images that the tour runs. Root's work; nothing to do when it is done.
set -eu
export DEBIAN_FRONTEND=noninteractive
# At its first boot a machine may be upgrading itself: who installs waits for it, here and in the steps after this one.
[ -e /etc/apt/apt.conf.d/90fairlead ] || echo 'DPkg::Lock::Timeout "600";' >/etc/apt/apt.conf.d/90fairlead
# curl, dig and each mode's own tool are there to look with.
tools='containerd runc iptables nftables ipset ipvsadm conntrack busybox-static curl bind9-dnsutils'
if ! dpkg --status $tools >/dev/null 2>&1; then
  apt-get -qq update
  apt-get -qq install --no-install-recommends $tools >/dev/null
fi
if ! cmp -s /tmp/fairlead.deb /var/cache/fairlead-installed.deb; then
  apt-get -qq install --no-install-recommends --allow-downgrades --reinstall /tmp/fairlead.deb >/dev/null
  ln -f /tmp/fairlead.deb /var/cache/fairlead-installed.deb 2>/dev/null || cp /tmp/fairlead.deb /var/cache/fairlead-installed.deb
fi

# The pod's own container is an image of the package: no node needs a registry to begin with.
config=$(mktemp)
cat >"$config" <<TOML
version = 2
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "fairlead.local/pause:1"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
TOML
mkdir -p /etc/containerd
if ! cmp -s "$config" /etc/containerd/config.toml; then
  mv "$config" /etc/containerd/config.toml
  systemctl restart containerd
fi
rm -f "$config"
for image in pause box; do
  ctr --namespace k8s.io images ls --quiet | grep -qx "fairlead.local/$image:1" && continue
  [ -e "/var/cache/fairlead-images/$image.tar" ] || fairlead lab images /var/cache/fairlead-images >/dev/null
  ctr --namespace k8s.io images import "/var/cache/fairlead-images/$image.tar" >/dev/null
done
