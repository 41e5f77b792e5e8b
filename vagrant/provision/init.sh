#!/bin/sh
# The control plane: init.sh NETWORK POOL PROXY_MODE IPVS_SCHEDULER NETWORK_BACKEND. The authority was made before, so that workers know it;
# everything else is "fairlead init".
set -eu
umask 077
if [ ! -e /etc/kubernetes/pki/ca.key ]; then
  mkdir -p /etc/kubernetes/pki
  printf '%s' "$CA_CERT" >/etc/kubernetes/pki/ca.crt
  printf '%s' "$CA_KEY" >/etc/kubernetes/pki/ca.key
fi
# Long limits: emulated machines take ten times as long.
# The token stays: a worker may be added on any day, and it is as secret as the key beside it.
fairlead init --node-cidr "$1" --token "$TOKEN" --token-ttl 0 --proxy-mode "$3" ${4:+--ipvs-scheduler "$4"} --network-backend "$5" \
  --address-pools "$2" --timeout 30m
