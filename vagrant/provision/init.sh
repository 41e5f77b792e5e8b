#!/bin/sh
# The first control plane: init.sh NODE_IP POOL PROXY_MODE IPVS_SCHEDULER NETWORK_BACKEND STORE ENDPOINT. The authority was made before, so that
# workers know it; everything else is "fairlead init".
set -eu
umask 077
pki=/etc/kubernetes/pki
if [ ! -e $pki/ca.key ]; then
  mkdir -p $pki
  printf '%s' "$CA_CERT" >$pki/ca.crt
  printf '%s' "$CA_KEY" >$pki/ca.key
fi
# Other control planes get them as they get all keys: encrypted, by "fairlead join --control-plane".
if [ -n "$6" ] && [ ! -e $pki/apiserver-etcd-client.key ]; then
  mkdir -p $pki/etcd
  printf '%s' "$ETCD_CA" >$pki/etcd/ca.crt
  printf '%s' "$ETCD_CLIENT_CERT" >$pki/apiserver-etcd-client.crt
  printf '%s' "$ETCD_CLIENT_KEY" >$pki/apiserver-etcd-client.key
fi
# Long limits: emulated machines take ten times as long.
# The token stays: a worker may be added on any day, and it is as secret as the key beside it.
fairlead init --node-ip "$1" --token "$TOKEN" --token-ttl 0 --proxy-mode "$3" ${4:+--ipvs-scheduler "$4"} --network-backend "$5" \
  --address-pools "$2" ${6:+--store "$6"} ${7:+--control-plane-endpoint "$7" --upload-certs --certificate-key "$CERTIFICATE_KEY"} --timeout 30m
