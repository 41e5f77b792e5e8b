#!/bin/sh
# Builds a libvirt box of Debian for `npm run test:vagrant`: build-box.sh OUT.box. Root's work, without loop devices: the file system is made
# from a directory, the boot loader is written into the gap before it. What a node needs is installed, since the guests of a test reach no mirror.
set -eu
out=$1
suite=trixie
work=$(mktemp -d /tmp/fairlead-box.XXXXXX)
trap 'rm -rf "$work"' EXIT
mirror=$(apt-get indextargets --format '$(SITE)' | head -1)

system=linux-image-cloud-amd64,systemd-sysv,systemd-resolved,systemd-timesyncd,dbus,udev,openssh-server,sudo,rsync,kmod,procps,less
network=iproute2,iputils-ping,ca-certificates,curl,bind9-dnsutils
node=containerd,runc,iptables,nftables,ipset,ipvsadm,conntrack,busybox-static
# Of three control planes, and of stores that are no file.
control=etcd-server,etcd-client,keepalived,redis-server
mmdebstrap --quiet --variant=minbase --format=tar --include=$system,$network,$node,$control $suite "$work/root.tar" "$mirror"
root=$work/root
mkdir "$root"
tar -xf "$work/root.tar" -C "$root" --numeric-owner
rm "$work/root.tar"

# The user that Vagrant expects, with the key that is public knowledge and belongs in no box but a test's.
chroot "$root" useradd --create-home --shell /bin/bash vagrant
echo 'vagrant ALL=(ALL) NOPASSWD:ALL' >"$root/etc/sudoers.d/vagrant"
chmod 0440 "$root/etc/sudoers.d/vagrant"
install -d -m 0700 "$root/home/vagrant/.ssh"
install -m 0600 "$(find /usr/share /usr/lib -path '*vagrant*/keys/vagrant.pub' 2>/dev/null | head -1)" "$root/home/vagrant/.ssh/authorized_keys"
chroot "$root" chown -R vagrant:vagrant /home/vagrant/.ssh

# One host key, no name look-ups: an emulated CPU takes seconds for each.
rm -f "$root"/etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N '' -f "$root/etc/ssh/ssh_host_ed25519_key"
printf 'UseDNS no\nPrintMotd no\nHostKey /etc/ssh/ssh_host_ed25519_key\n' >"$root/etc/ssh/sshd_config.d/box.conf"

echo box >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 box\n::1 localhost\n' >"$root/etc/hosts"
echo '/dev/vda1 / ext4 noatime 0 1' >"$root/etc/fstab"
printf '[Match]\nName=eth0\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\n[DHCPv4]\nClientIdentifier=mac\n' >"$root/etc/systemd/network/eth0.network"
ln -sf /run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
: >"$root/etc/machine-id"
# -cpu qemu64 calls itself an AMD.
printf 'blacklist kvm_amd\nblacklist powernow_k8\n' >"$root/etc/modprobe.d/box.conf"
# Debian starts what it installs.
chroot "$root" systemctl --quiet disable etcd keepalived redis-server
chroot "$root" systemctl --quiet enable systemd-networkd systemd-resolved ssh serial-getty@ttyS0
chroot "$root" systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer systemd-networkd-wait-online

# The disk: a gap of 1 MiB with the boot loader, then the file system.
gigabytes=4
kernel=$(basename "$(ls "$root"/boot/vmlinuz-*)")
mkdir -p "$work/grub"
cat >"$work/grub/early.cfg" <<CFG
set root=(hd0,msdos1)
linux /boot/$kernel root=/dev/vda1 rw quiet console=ttyS0 mitigations=off nowatchdog net.ifnames=0
initrd /boot/initrd.img-${kernel#vmlinuz-}
boot
CFG
grub-mkimage -O i386-pc -o "$work/core.img" -p /boot/grub -c "$work/grub/early.cfg" biosdisk part_msdos ext2 linux echo
truncate -s "${gigabytes}G" "$work/disk"
echo '2048,,L,*' | sfdisk --quiet "$work/disk"
dd if=/usr/lib/grub/i386-pc/boot.img of="$work/disk" bs=1 count=440 conv=notrunc status=none
dd if="$work/core.img" of="$work/disk" bs=512 seek=1 conv=notrunc status=none
mke2fs -q -t ext4 -L root -d "$root" -E offset=1048576 "$work/disk" $((gigabytes * 1024 * 1024 - 1024))k

mkdir "$work/box"
qemu-img convert -q -O qcow2 -c "$work/disk" "$work/box/box.img"
printf '{"provider":"libvirt","format":"qcow2","virtual_size":%d,"architecture":"amd64"}\n' "$gigabytes" >"$work/box/metadata.json"
echo 'Vagrant.configure("2") { |config| config.vm.guest = :debian }' >"$work/box/Vagrantfile"
tar -cf "$out" -C "$work/box" metadata.json Vagrantfile box.img
