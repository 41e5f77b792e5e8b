# PID 1 of a node: gives it a root file system and a network of its own, then keeps its services running and reaps what is left to
# it (Node.js as PID 1 would not). When it ends, the kernel ends everything in the node. Read by busybox sh as one function, because
# the file is out of reach after pivot_root. Expects the FL_* variables that launch-node.ts sets.
set -eu

mount_root() {
  mount -t tmpfs -o mode=0755 fairlead "$FL_DIR/root"
  cd "$FL_DIR/root"
  mkdir upper work new
  # The upper directory is a tmpfs because overlayfs refuses one on the file system of the lower directory.
  mount -t overlay -o "lowerdir=/,upperdir=$PWD/upper,workdir=$PWD/work" fairlead new
  cd new
  # What the machine has as separate file systems is not part of the lower directory.
  for dir in $FL_BINDS; do
    mount --bind "$dir" ".$dir"
    mount -o remount,bind,ro ".$dir"
  done
  mount -t proc -o nosuid,nodev,noexec proc proc
  mount -t sysfs -o nosuid,nodev,noexec sysfs sys
  mount -t tmpfs -o nosuid,nodev,mode=0755 run run
  mount -t tmpfs -o nosuid,nodev,mode=1777 tmp tmp
}

mount_dev() {
  mount -t tmpfs -o nosuid,mode=0755 dev dev
  mknod -m 666 dev/null c 1 3
  mknod -m 666 dev/zero c 1 5
  mknod -m 666 dev/full c 1 7
  mknod -m 666 dev/random c 1 8
  mknod -m 666 dev/urandom c 1 9
  mknod -m 666 dev/tty c 5 0
  mkdir dev/pts dev/shm dev/mqueue
  mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts dev/pts
  mount -t tmpfs -o nosuid,nodev,mode=1777 shm dev/shm
  mount -t mqueue mqueue dev/mqueue
  ln -s pts/ptmx dev/ptmx
  ln -s /proc/self/fd dev/fd
  ln -s fd/0 dev/stdin
  ln -s fd/1 dev/stdout
  ln -s fd/2 dev/stderr
}

# FL_HIERARCHIES: words of the form v1:cpu,cpuacct:/sys/fs/cgroup/cpu,cpuacct and v2::/sys/fs/cgroup
mount_cgroups() {
  case " $FL_HIERARCHIES " in
  *' v2::/sys/fs/cgroup '*) ;;
  *) mount -t tmpfs -o nosuid,nodev,noexec,mode=0755 cgroup sys/fs/cgroup ;;
  esac
  for word in $FL_HIERARCHIES; do
    path=${word#*:}
    controllers=${path%%:*}
    path=.${path#*:}
    [ -d "$path" ] || mkdir -p "$path"
    case $word in
    v2:*) mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$path" ;;
    v1:name=*) mount -t cgroup -o "nosuid,nodev,noexec,none,$controllers" cgroup "$path" ;;
    v1:*)
      mount -t cgroup -o "nosuid,nodev,noexec,$controllers" cgroup "$path"
      for one in $(echo "$controllers" | tr , ' '); do
        [ -e "sys/fs/cgroup/$one" ] || ln -s "${path##*/}" "sys/fs/cgroup/$one"
      done
      ;;
    esac
  done
  # A v2 cgroup that passes controllers on may hold no process itself. The launcher is out of reach in its other PID namespace: it is
  # moved by who started it, when this directory appears.
  if [ -e sys/fs/cgroup/cgroup.controllers ]; then
    mkdir -p sys/fs/cgroup/init
    echo 0 >sys/fs/cgroup/init/cgroup.procs
    tries=0
    while [ -n "$(cat sys/fs/cgroup/cgroup.procs)" ] && [ $tries -lt 200 ]; do
      tries=$((tries + 1))
      sleep 0.01
    done
    for one in $(cat sys/fs/cgroup/cgroup.controllers); do
      echo "+$one" >sys/fs/cgroup/cgroup.subtree_control || true
    done 2>/dev/null
  fi
}

# What the machine keeps there is not the node's: keys, other labs, other runtimes, plugins.
mount_state() {
  for dir in root home var/lib/fairlead etc/kubernetes etc/cni etc/containerd etc/fairlead opt/cni opt/fairlead var/lib/cni var/cache/fairlead; do
    mkdir -p "$dir"
    mount -t tmpfs -o mode=0755 fairlead "$dir"
  done
  mkdir -p etc/cni/net.d opt/cni/bin var/lib/containerd var/lib/kubelet var/log etc/kubernetes/manifests
  mount --bind "$FL_INSTALLATION" opt/fairlead
  mount -o remount,bind,ro opt/fairlead
  mount --bind "$FL_CACHE" var/cache/fairlead
  mount --bind "$FL_DIR/containerd" var/lib/containerd
  mount --bind "$FL_DIR/kubelet" var/lib/kubelet
  # Addresses given to pods outlive a reboot, so that none is given again while the cluster still knows its last owner.
  mkdir -p var/lib/fairlead/agent var/lib/fairlead/bin
  mount --bind "$FL_DIR/agent" var/lib/fairlead/agent
  ln -s "$FL_PROGRAM" var/lib/fairlead/bin/fairlead
  mount --bind "$FL_DIR/log" var/log
  mount --bind "$FL_DIR/etc" etc/fairlead
  if [ -n "$FL_SERVER_DIR" ]; then
    mkdir -p var/lib/fairlead/server etc/kubernetes/pki
    mount --bind "$FL_SERVER_DIR" var/lib/fairlead/server
    mount --bind "$FL_PKI_DIR" etc/kubernetes/pki
    ln -s pki/admin.conf etc/kubernetes/admin.conf
  fi
  # resolv.conf is a link into /run on some systems.
  rm -f etc/resolv.conf etc/hostname etc/hosts etc/machine-id
  cp -a "$FL_DIR/etc/hosts" "$FL_DIR/etc/machine-id" etc/
  cp -a "$FL_DIR/etc/node-resolv.conf" etc/resolv.conf
  echo "$FL_NODE" >etc/hostname
}

on_bridge() {
  "$FL_NSENTER" --net="$FL_UNDERLAY" "$FL_IP" link "$@"
}

plug_network() {
  # Made from the bridge's side: "netns 1" is the namespace of PID 1 as this process counts, which is the node's.
  set -- master br0 up type veth peer name eth0 address "$FL_MAC" netns 1
  on_bridge add name "$FL_PORT" "$@" || {
    # The kernel takes away the port of a node that was killed a while after its last process.
    on_bridge delete "$FL_PORT" || true
    on_bridge add name "$FL_PORT" "$@"
  }
  {
    echo link set lo up
    for address in $FL_ADDRESSES; do
      case $address in
      # Nobody else has it, so it can be used at once.
      *:*) echo "addr add $address dev eth0 nodad" ;;
      *) echo "addr add $address dev eth0" ;;
      esac
    done
    echo link set eth0 up
  } | "$FL_IP" -batch -
  # Without a route the kernel refuses before any rule is asked, so a node needs one for Service addresses (their packets are
  # rewritten or refused on the way out; none is ever sent like this).
  [ -z "$FL_GATEWAY" ] || "$FL_IP" route add default via "$FL_GATEWAY"
  for cidr in $FL_SERVICE_CIDRS; do
    "$FL_IP" route add "$cidr" dev eth0
  done
}

set_up_kernel() {
  hostname "$FL_NODE"
  cd /proc/sys/net
  echo 1 >ipv4/ip_forward
  # Replies to a Service may come by another way than their question went.
  echo 0 >ipv4/conf/all/rp_filter
  echo 0 >ipv4/conf/default/rp_filter
  echo 0 >ipv4/conf/eth0/rp_filter
  # A node that sends a packet back where it came from must not tell the sender to go around it.
  for dir in all default eth0; do echo 0 >"ipv4/conf/$dir/send_redirects"; done
  for file in ipv6/conf/all/forwarding bridge/bridge-nf-call-iptables bridge/bridge-nf-call-ip6tables; do
    [ ! -e "$file" ] || echo 1 >"$file"
  done
  [ ! -e ipv6/conf/all/accept_dad ] || { echo 0 >ipv6/conf/all/accept_dad; echo 0 >ipv6/conf/default/accept_dad; }
  cd /
  # Settings outside net/ belong to the machine, not to the node.
  mount --bind /proc/sys /proc/sys
  mount -o remount,bind,ro /proc/sys
  mount --bind /proc/sys/net /proc/sys/net
  mount -o remount,bind,rw /proc/sys/net
}

say() {
  echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) init: $*" >>/var/log/init.log
}

# Runs a service again whenever it ends: at once when it had lived for a while, after a growing pause otherwise.
keep() {
  name=$1
  shift
  failures=0
  while :; do
    read -r before _ </proc/uptime
    code=0
    "$@" >>"/var/log/$name.log" 2>&1 </dev/null || code=$?
    read -r after _ </proc/uptime
    if [ $((${after%.*} - ${before%.*})) -ge 10 ]; then failures=0; fi
    failures=$((failures + 1))
    case $failures in
    1) pause=0.1 ;;
    2) pause=0.5 ;;
    3) pause=1 ;;
    4) pause=2 ;;
    *) pause=5 ;;
    esac
    say "$name ended with code $code, starting it again in $pause s"
    sleep $pause
  done
}

node_init() {
  # /proc is still the machine's: this is the PID by which others know this process.
  read -r pid _ </proc/self/stat
  mount_root
  mount_dev
  mount_cgroups
  mount_state
  plug_network
  echo "$pid" >"$FL_DIR/init.pid"
  mkdir -p .machine
  pivot_root . .machine
  umount -l /.machine
  rmdir /.machine
  mount --make-rshared /
  set_up_kernel
  export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  : >/run/ready
  while IFS= read -r line; do
    eval "keep $line &"
  done </etc/fairlead/services
  wait
}

node_init
