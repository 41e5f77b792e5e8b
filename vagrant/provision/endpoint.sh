#!/bin/sh
# The address of the API, on one control plane whose API server answers: endpoint.sh ADDRESS API_ADDRESS PRIORITY PEER…
set -eu
address=$1 api=$2 priority=$3
shift 3
export DEBIAN_FRONTEND=noninteractive
if ! dpkg --status keepalived >/dev/null 2>&1; then
  apt-get -qq update
  apt-get -qq install --no-install-recommends keepalived >/dev/null
fi
link=$(ip -oneline -4 address show to "$address" | awk '{ print $2; exit }')
config=$(mktemp)
cat >"$config" <<CONF
global_defs {
  script_user nobody
  enable_script_security
}
vrrp_script api {
  script "/usr/bin/curl --silent --fail --insecure --max-time 8 --output /dev/null https://127.0.0.1:6443/readyz"
  interval 3
  timeout 9
  fall 2
  rise 1
}
vrrp_instance api {
  state BACKUP
  interface $link
  virtual_router_id 56
  priority $priority
  advert_int 1
  unicast_src_ip $address
  unicast_peer {
$(printf '    %s\n' "$@")
  }
  virtual_ipaddress {
    $api/32 dev $link
  }
  track_script {
    api
  }
}
CONF
mkdir -p /etc/keepalived
if ! cmp -s "$config" /etc/keepalived/keepalived.conf; then
  mv "$config" /etc/keepalived/keepalived.conf
  chmod 0644 /etc/keepalived/keepalived.conf
  systemctl restart keepalived
fi
rm -f "$config"
systemctl enable --quiet --now keepalived
