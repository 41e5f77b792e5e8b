#!/bin/sh
# A worker: join.sh CONTROL_PLANE NETWORK CA_HASH. It waits for the control plane when that comes up beside it.
set -eu
fairlead join "$1" --token "$TOKEN" --discovery-token-ca-cert-hash "$3" --node-cidr "$2" --timeout 30m
