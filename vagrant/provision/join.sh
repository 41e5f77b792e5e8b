#!/bin/sh
# A worker, or one more control plane where there is a key: join.sh CONTROL_PLANE NODE_IP CA_HASH. It waits for the first control plane when that comes up
# beside it.
set -eu
fairlead join "$1" --token "$TOKEN" --discovery-token-ca-cert-hash "$3" --node-ip "$2" --timeout 30m \
  ${CERTIFICATE_KEY:+--control-plane --certificate-key "$CERTIFICATE_KEY"}
# For two hours more: so any control plane can let another in that is made anew.
[ -z "${CERTIFICATE_KEY:-}" ] || fairlead init phase upload-certs --certificate-key "$CERTIFICATE_KEY" >/dev/null || echo 'Not done: vagrant provision' >&2
