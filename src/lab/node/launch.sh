# Starts a node. The launcher enters the node's cgroups first, because a cgroup namespace shows what it was made in as the root.
# Read by busybox sh, which prefers its own applets: other people's tools are called by path. Gets FL_CGROUPS and what node-init.sh needs in its environment.
set -eu
umask 022
for dir in $FL_CGROUPS; do
  echo 0 >"$dir/cgroup.procs"
done
exec "$FL_UNSHARE" --propagation slave --mount --net --uts --ipc --pid --cgroup --fork --kill-child "$FL_BUSYBOX" sh "$FL_INIT"
