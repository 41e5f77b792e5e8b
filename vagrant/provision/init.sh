#!/bin/sh
# The first control plane: init.sh NODE_IP POOL PROXY_MODE IPVS_SCHEDULER NETWORK_BACKEND STORE ENDPOINT CA_HASH. The authority was made before, so that
# workers know it; everything else is "fairlead init". With a hash the cluster is there already, and others have it.
set -eu
umask 077
pki=/etc/kubernetes/pki
# put FILE TEXT: whole or not at all, also when the power is cut. A key that is there and empty would be taken for done.
put() {
  printf '%s' "$2" >"$1.new"
  sync "$1.new"
  mv "$1.new" "$1"
  sync "${1%/*}"
}
if [ ! -s $pki/ca.key ] || [ ! -s $pki/ca.crt ]; then
  mkdir -p $pki
  put $pki/ca.crt "$CA_CERT"
  put $pki/ca.key "$CA_KEY"
fi
# What opens the store. Other control planes get it as they get all keys: encrypted, by "fairlead join --control-plane".
case $6 in
  etcd=*)
    mkdir -p $pki/etcd
    put $pki/etcd/ca.crt "$ETCD_CA"
    put $pki/apiserver-etcd-client.crt "$ETCD_CLIENT_CERT"
    put $pki/apiserver-etcd-client.key "$ETCD_CLIENT_KEY"
    ;;
  redis:*) put $pki/redis-password "$REDIS_PASSWORD" ;;
esac
# Destroyed and made anew it is one control plane more, with the keys of the others; "init" then finds all done, and changes what was set meanwhile.
if [ -n "$8" ] && [ ! -e /etc/fairlead/server.env ]; then
  fairlead join "$7" --token "$TOKEN" --discovery-token-ca-cert-hash "$8" --node-ip "$1" --timeout 30m \
    --control-plane --certificate-key "$CERTIFICATE_KEY"
fi
# Long limits: emulated machines take ten times as long.
# The token stays: a worker may be added on any day, and it is as secret as the key beside it.
fairlead init --node-ip "$1" --token "$TOKEN" --token-ttl 0 --proxy-mode "$3" --ipvs-scheduler "$4" --network-backend "$5" \
  --address-pools "$2" ${6:+--store "$6"} ${7:+--control-plane-endpoint "$7" --upload-certs --certificate-key "$CERTIFICATE_KEY"} --timeout 30m
