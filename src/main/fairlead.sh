#!/bin/sh
# Runs fairlead with the node that the project pins, from wherever it is called.
here=$(dirname "$(readlink -f "$0")")
root=$(dirname "$(dirname "$here")")
# A small young generation and one malloc arena: bursts of garbage would keep their pages for good (a third of the memory).
export MALLOC_ARENA_MAX=1
# As a container of kube-proxy's calls it.
[ "$(basename "$0")" != kube-proxy ] || set -- proxy "$@"
exec "$root/node_modules/.bin/node" --max-semi-space-size=2 "$here/fairlead.mjs" "$@"
