#!/bin/sh
# Process 1 of a machine: init.sh MODULES SHARE. / is the host's own, read-only; over it lies what the machine has written, on a disk of its own that
# outlives a reboot. SHARE, a directory of the host, has its name and address in "machine". What comes over /dev/tty1 are numbers N: SHARE/N.job
# is run, side by side with others, and leaves N.out, N.err and N.rc.
modules=$1 share=$2
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C

if [ "${3:-}" != inside ]; then
  mount -n -t proc proc /proc
  read -r _ _ release _ </proc/version
  insmod "$modules/$release/kernel/fs/overlayfs/overlay.ko"
  mount -n -t ext4 /dev/ubda /mnt
  mount -n -t overlay root -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
  cd /mnt/root || busybox poweroff -f
  # What the host keeps there is not the machine's. containerd wants a file system that is no overlay.
  for dir in etc/cni etc/containerd etc/fairlead etc/kubernetes opt/cni var/lib/cni var/lib/containerd var/lib/kubelet var/log; do
    mkdir -p "$dir" "/mnt/own/$dir"
    mount -n --bind "/mnt/own/$dir" "$dir"
  done
  mkdir -p usr/lib/modules .host
  mount -n -t hostfs -o "$modules" none usr/lib/modules
  mount -n -t hostfs -o "$share" none media
  mount -n --move /proc proc
  pivot_root . .host
  exec chroot . /bin/sh "$0" "$modules" /media inside <>/dev/console >&0 2>&1
fi

umount -n -l /.host
mount -t sysfs sysfs /sys
mountpoint -q /dev || mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm /dev/mqueue
mount -t devpts -o ptmxmode=0666 devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t mqueue mqueue /dev/mqueue
ln -sf /proc/self/fd /dev/fd
ln -sf fd/0 /dev/stdin
ln -sf fd/1 /dev/stdout
ln -sf fd/2 /dev/stderr
mount -t tmpfs -o mode=0755 run /run
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --make-rshared /
mkdir -p /run/lock /run/netns /run/fairlead /var/log/fairlead
modprobe ipv6
# This kernel has no nf_tables.
for tool in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
  ln -sf "$(command -v "$(echo $tool | sed 's/tables/tables-legacy/')")" "/usr/local/sbin/$tool"
done

. "$share/machine"
hostname "$NAME"
rm -f /etc/hosts /etc/resolv.conf
echo "127.0.0.1 localhost
$ADDRESS $NAME" >/etc/hosts
echo "nameserver $GATEWAY" >/etc/resolv.conf
ip link set lo up
ip addr add "$ADDRESS/24" dev eth0
ip link set eth0 up
ip route add default via "$GATEWAY"

containerd >>/var/log/containerd.log 2>&1 </dev/null &
# As units would: what init or join has set up starts with the machine.
for name in server agent; do
  [ ! -e "/etc/fairlead/$name.env" ] || (
    set -a
    . "/etc/fairlead/$name.env"
    set +a
    cd /
    setsid sh -c 'while :; do "$@"; sleep 1; done' "fairlead-$name" "$FAIRLEAD" "$name" >>"/var/log/fairlead/$name.log" 2>&1 </dev/null &
    echo $! >"/run/fairlead/$name.pid"
  )
done

stty raw -echo </dev/tty1
exec 3<>/dev/tty1
: >"$share/up"
while read -r job <&3; do
  {
    sh "$share/$job.job" >"$share/$job.out" 2>"$share/$job.err" </dev/null 3<&-
    echo $? >"$share/$job.next"
    mv "$share/$job.next" "$share/$job.rc"
  } &
done
