#!/bin/sh
# Redis on the one control plane, Debian's own: it keeps what it has acknowledged, and answers this machine alone. Nothing to do when it is done.
set -eu
umask 077
export DEBIAN_FRONTEND=noninteractive
if ! dpkg --status redis-server >/dev/null 2>&1; then
  apt-get -qq update
  apt-get -qq install --no-install-recommends redis-server >/dev/null
fi
config=$(mktemp)
cat >"$config" <<CONF
bind 127.0.0.1
port 6379
requirepass $REDIS_PASSWORD
dir /var/lib/redis
appendonly yes
appendfsync always
save ""
maxmemory-policy noeviction
CONF
if ! cmp -s "$config" /etc/redis/redis.conf; then
  mkdir -p -m 0755 /etc/redis
  mv "$config" /etc/redis/redis.conf
  chown redis: /etc/redis/redis.conf
  # Debian starts what it installs, with files of its own.
  systemctl restart redis-server
fi
rm -f "$config"
systemctl enable --quiet --now redis-server
