#!/bin/sh
# Runs fairlead with the node that the project pins, from wherever it is called.
here=$(readlink -f "$0")
here=${here%/*}
root=${here%/*/*}
# A small young generation and one malloc arena: bursts of garbage would keep their pages for good (a third of the memory).
export MALLOC_ARENA_MAX=1
# As a container of kube-proxy's calls it.
[ "${0##*/}" != kube-proxy ] || set -- proxy "$@"
exec "$root/node_modules/.bin/node" --max-semi-space-size=2 "$here/fairlead.mjs" "$@"
