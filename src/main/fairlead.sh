#!/bin/sh
# Runs fairlead with the node that the project pins, from wherever it is called.
here=$(readlink -f "$0")
here=${here%/*}
root=${here%/*/*}
# A small young generation and one malloc arena: bursts of garbage would keep their pages for good (a third of the memory).
export MALLOC_ARENA_MAX=1
# As a container of kube-proxy's calls it.
[ "${0##*/}" != kube-proxy ] || set -- proxy "$@"
# Each request of the API leaves garbage, and each collection looks at more than that: half as many of them are a sixth less CPU for a write.
case $1 in apiserver | server) young=4 ;; *) young=2 ;; esac
exec "$root/node_modules/.bin/node" --max-semi-space-size=$young "$here/fairlead.mjs" "$@"
