#!/bin/sh
# A member of etcd on a control plane, Debian's own: etcd.sh NAME ADDRESS FIRST. The first begins a cluster of one, and each other is added to it when
# that is well: so machines may come up side by side, or one after another. Nothing to do when it is done.
set -eu
umask 077
name=$1 address=$2 first=$3
dir=/etc/etcd/fairlead data=/var/lib/etcd/fairlead peer=https://$2:2380
export DEBIAN_FRONTEND=noninteractive
if ! dpkg --status etcd-server etcd-client >/dev/null 2>&1; then
  apt-get -qq update
  apt-get -qq install --no-install-recommends etcd-server etcd-client >/dev/null
fi
install -d -m 0755 /etc/etcd "$dir"
printf '%s' "$ETCD_CA" >"$dir/ca.crt"
printf '%s' "$ETCD_CERT" >"$dir/member.crt"
printf '%s' "$ETCD_KEY" >"$dir/member.key"
chown -R etcd: "$dir"
ctl() { etcdctl --endpoints="https://$first:2379" --cacert="$dir/ca.crt" --cert="$dir/member.crt" --key="$dir/member.key" "$@"; }
# Lines such as: 8e9e05c52164694d, started, control-plane-1, https://192.168.56.7:2380, …; without a name until it has started.
listed() { ctl member list 2>/dev/null | grep -F ", $peer,"; }

if [ ! -e "$data/member" ]; then
  if [ "$address" = "$first" ]; then
    cluster=$name=$peer state=new
  else
    # What is left of a machine that was destroyed.
    stale=$(listed | cut -d, -f1)
    [ -z "$stale" ] || ctl member remove "$stale" >/dev/null
    # Refused while the member before has not come up. The answer has them all: from now on two must agree, so nobody can be asked for the list.
    until added=$(ctl member add "$name" --peer-urls="$peer" 2>/dev/null); do sleep 2; done
    cluster=$(printf '%s\n' "$added" | sed -n 's/^ETCD_INITIAL_CLUSTER="\(.*\)"$/\1/p')
    state=existing
  fi
  # Debian starts a member of its own.
  systemctl disable --quiet --now etcd
  # Half a second and five: emulated machines, and those of a busy laptop, may pause for as long as the presets are.
  cat >/etc/default/etcd <<ENV
ETCD_NAME=$name
ETCD_DATA_DIR=$data
ETCD_LISTEN_CLIENT_URLS=https://$address:2379
ETCD_ADVERTISE_CLIENT_URLS=https://$address:2379
ETCD_LISTEN_PEER_URLS=$peer
ETCD_INITIAL_ADVERTISE_PEER_URLS=$peer
ETCD_INITIAL_CLUSTER=$cluster
ETCD_INITIAL_CLUSTER_STATE=$state
ETCD_CERT_FILE=$dir/member.crt
ETCD_KEY_FILE=$dir/member.key
ETCD_TRUSTED_CA_FILE=$dir/ca.crt
ETCD_CLIENT_CERT_AUTH=true
ETCD_PEER_CERT_FILE=$dir/member.crt
ETCD_PEER_KEY_FILE=$dir/member.key
ETCD_PEER_TRUSTED_CA_FILE=$dir/ca.crt
ETCD_PEER_CLIENT_CERT_AUTH=true
ETCD_HEARTBEAT_INTERVAL=500
ETCD_ELECTION_TIMEOUT=5000
ETCD_UNSUPPORTED_ARCH=arm64
ENV
  # A member that is alone is ready when a second one has come up: on no account within systemd's 90 seconds.
  mkdir -p /etc/systemd/system/etcd.service.d
  printf '[Unit]\nAfter=network-online.target\nStartLimitIntervalSec=0\n[Service]\nTimeoutStartSec=infinity\nRestart=always\nRestartSec=2\n' >/etc/systemd/system/etcd.service.d/fairlead.conf
  systemctl daemon-reload
fi
systemctl enable --quiet --now etcd
