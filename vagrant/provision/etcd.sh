#!/bin/sh
# A member of etcd on a control plane, Debian's own: etcd.sh NAME ADDRESS begin|enter PEER…. The first begins a cluster of one, and each other is added to
# it when that is well: so machines may come up side by side, or one after another. One that was destroyed and made anew, or killed in here, enters again.
# Nothing to do when it is done.
set -eu
umask 077
name=$1 address=$2 how=$3
shift 3
dir=/etc/etcd/fairlead data=/var/lib/etcd/fairlead peer=https://$address:2380
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

endpoints=$(printf ',https://%s:2379' "$@")
ctl() { etcdctl --endpoints="${endpoints#,}" --cacert="$dir/ca.crt" --cert="$dir/member.crt" --key="$dir/member.key" "$@" 2>/dev/null; }
# A read is answered by a majority alone.
is_whole() { ctl get fairlead >/dev/null; }
# The members, one a line, as etcd itself asks for them: without a majority, too, which etcdctl needs since 3.5. One that has not started has no name:
# {"id":9372538179322589801,"peerURLs":["https://192.168.56.7:2380"],"name":"control-plane-1",…}
members() {
  for host in "$@"; do
    curl --http1.1 --silent --fail --max-time 5 --cacert "$dir/ca.crt" --cert "$dir/member.crt" --key "$dir/member.key" "https://$host:2380/members" |
      sed 's/},{/}\n{/g' | grep peerURLs && return
  done
  return 1
}

# Says whom this machine waits for, once, and again when others answer. $1: whether this member has run before, which no majority can take out now.
told=
say() {
  destroyed=$1 answering='' silent=''
  shift
  for host in "$@"; do
    if members "$host" >/dev/null; then answering="$answering $host"; else silent="$silent $host"; fi
  done
  said="Waiting for the members of etcd on $*: more than half of them must run. These do not answer:${silent:- none}. See there: sudo journalctl -u etcd -e"
  if [ -n "$destroyed" ] && [ -n "$silent" ] && [ -n "$answering" ]; then
    said="$said
Only if those that do not answer are gone for good: what$answering has goes on as a cluster of its own, once there is run:
  sudo sh -c 'systemctl set-environment ETCD_FORCE_NEW_CLUSTER=true; systemctl restart etcd; systemctl unset-environment ETCD_FORCE_NEW_CLUSTER'"
  fi
  [ "$said" = "$told" ] || printf '%s\n' "$said" >&2
  told=$said
}

# All members as this one must be told: NAME=URL,… of those that $1 has. Another one that has not started either is called by its address, since two of one
# name would be one member with two URLs.
listed() {
  printf '%s\n' "$1" | sed "s|.*\"$peer\".*|$name=$peer|; t"'
    s|.*"peerURLs":\["\([^"]*\)".*"name":"\([^"]*\)".*|\2=\1|; t
    s|.*"peerURLs":\["\(https://\([^:"]*\)[^"]*\)".*|\2=\1|' | paste -sd, -
}

# Adds this member, and prints all of them as it must be told: control-plane-1=https://192.168.56.7:2380,…
enter() {
  while :; do
    destroyed=''
    known=$(members "$@" || true)
    own=$(printf '%s\n' "$known" | grep -F "\"$peer\"" || true)
    if [ -z "$own" ]; then
      # Refused while the member before has not come up. The answer has them all: from now on two must agree, so nobody can be asked for the list.
      if added=$(ctl member add "$name" --peer-urls="$peer"); then
        printf '%s\n' "$added" | sed -n 's/^ETCD_INITIAL_CLUSTER="\(.*\)"$/\1/p'
        return
      fi
    elif is_whole; then
      # What is left of a machine that was destroyed, or killed before its member had started.
      id=$(printf '%s\n' "$own" | sed 's/.*"id":\([0-9]*\).*/\1/')
      ctl member remove "$(printf %x "$id")" >/dev/null && continue
    elif printf '%s\n' "$own" | grep -q '"name"'; then
      destroyed=yes
    else
      # Killed here, and nothing can be removed or added before it has started: there is no majority without it.
      listed "$known"
      return
    fi
    say "$destroyed" "$@"
    sleep 2
  done
}

if [ ! -e "$data/member" ]; then
  if [ "$how" = begin ] && ! members "$@" >/dev/null; then
    cluster=$name=$peer state=new
  else
    cluster=$(enter "$@") state=existing
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
  # Before the member has data: else a power cut could leave data beside an empty file, and Debian's presets would begin another cluster.
  sync /etc/default/etcd /etc/default
  # A member that is alone is ready when a second one has come up: on no account within systemd's 90 seconds.
  mkdir -p /etc/systemd/system/etcd.service.d
  printf '[Unit]\nAfter=network-online.target\nStartLimitIntervalSec=0\n[Service]\nTimeoutStartSec=infinity\nRestart=always\nRestartSec=2\n' >/etc/systemd/system/etcd.service.d/fairlead.conf
  systemctl daemon-reload
fi
# Another one may have been added at the same moment: the list that this one was told is too short then, and etcd ends at once.
until systemctl enable --quiet --now etcd; do
  [ ! -e "$data/member/wal" ] || exit 1
  now=$(listed "$(members "$@")")
  [ -n "$now" ] && [ "$now" != "${cluster:-}" ] || exit 1
  cluster=$now
  sed -i "s|^ETCD_INITIAL_CLUSTER=.*|ETCD_INITIAL_CLUSTER=$cluster|" /etc/default/etcd
  sync /etc/default/etcd
done
