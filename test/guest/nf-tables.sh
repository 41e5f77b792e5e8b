#!/bin/sh
# Builds what Debian's User Mode Linux lacks for nftables from the source of that very kernel: nf_tables with tables of IPv4 and IPv6, as modules beside its own. Prints
# their directory, for FAIRLEAD_GUEST_MODULES. Once: 140 MB to fetch, a minute of CPU. Needs root, user-mode-linux installed or unpacked, and gcc, make, bc, flex, bison, kmod.
set -eu
cache=/var/lib/fairlead/.cache
uml=/usr/lib/uml/modules
[ -d $uml ] || uml=$cache/guest$uml
config=${uml%/lib/uml/modules}/share/doc/user-mode-linux/config.gz
release=$(ls "$uml")
built=$cache/nf-tables
modules=$built/lib/modules
if [ -e "$built/ready" ] && [ -d "$modules/$release" ]; then
  echo "$modules"
  exit
fi
for tool in gcc make bc flex bison depmod; do
  command -v $tool >/dev/null || { echo "Cannot build nf_tables: $tool is not installed" >&2; exit 1; }
done

rm -rf "$built"
mkdir -p "$built/source" "$modules"
cd "$built"
exec 3>&1 4>&2 >log 2>&1
trap '[ -e "$built/ready" ] || tail -20 "$built/log" >&4' EXIT
apt-get download "linux-source-6.1=$release-1"
dpkg-deb --fsys-tarfile linux-source-*.deb | tar xO --wildcards './usr/src/linux-source-*.tar.xz' |
  tar xJ -C source --strip-components=1 --exclude='*/drivers/*.[ch]' --exclude='*/sound/*.[ch]' --exclude='*/tools/testing/*'
rm linux-source-*.deb
cd source
gzip -dc "$config" >.config
# Nothing but the code of these modules depends on it: the kernel itself stays what it is.
scripts/config -e NF_TABLES_IPV4 -e NF_TABLES_IPV6 -m NFT_NAT -d LOCALVERSION_AUTO
for part in FIB REJECT; do scripts/config -m NFT_${part}_IPV4 -m NFT_${part}_IPV6; done
make ARCH=um olddefconfig
make ARCH=um -j2 modules_prepare
wanted=$(for name in nf_tables nft_nat nft_chain_nat nft_fib nft_reject nft_masq nft_redir nft_ct nft_numgen nft_hash nft_limit nft_log; do echo net/netfilter/$name.ko; done)
wanted="$wanted $(for ip in ipv4 ipv6; do echo net/$ip/netfilter/nft_fib_$ip.ko net/$ip/netfilter/nft_reject_$ip.ko; done)"
# Symbols of the kernel, which is not built here, are found when a module is loaded.
make ARCH=um -j2 KCFLAGS=-g0 KBUILD_MODPOST_WARN=1 $wanted
cd ..
cp -a "$uml/$release" "$modules/"
mkdir "$modules/$release/updates"
find source/net -name '*.ko' -exec cp {} "$modules/$release/updates/" \;
depmod -b "$built" "$release"
rm -rf source
touch ready
echo "$modules" >&3
