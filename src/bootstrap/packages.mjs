/** Installs the system packages that are missing, without starting a service or displacing anything that is there. */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answerOf, asRoot, find, isRoot, mustRun, Stop, say } from './process.mjs';

/** Program → Debian package. */
const needed = {
  containerd: 'containerd',
  ctr: 'containerd',
  'containerd-shim-runc-v2': 'containerd',
  runc: 'runc',
  ip: 'iproute2',
  nft: 'nftables',
  iptables: 'iptables',
  ipset: 'ipset',
  conntrack: 'conntrack',
  modprobe: 'kmod',
  nsenter: 'util-linux',
  dig: 'bind9-dnsutils',
  curl: 'curl',
};

/** A static busybox that could not be installed beside the system's own is unpacked here; the lab looks here too. */
export const unpackedBusybox = '/var/lib/fairlead/.cache/busybox';

/** Whether an executable needs no dynamic loader: it has no PT_INTERP (3) program header. */
export function isStatic(path) {
  const bytes = Buffer.alloc(4096);
  const file = openSync(path, 'r');
  const read = readSync(file, bytes, 0, bytes.length, 0);
  closeSync(file);
  if (read < 64 || bytes.readUInt32BE(0) !== 0x7f454c46) return false;
  const [offset, size, count] = [Number(bytes.readBigUInt64LE(32)), bytes.readUInt16LE(54), bytes.readUInt16LE(56)];
  for (let i = 0; i < count && offset + i * size + 4 <= read; i++) if (bytes.readUInt32LE(offset + i * size) === 3) return false;
  return true;
}

function hasStaticBusybox() {
  const busybox = find('busybox');
  return (busybox !== undefined && isStatic(busybox)) || existsSync(unpackedBusybox);
}

function containerdIsOld() {
  const version = /\bv?(\d+)\.(\d+)\.\d+/.exec(answerOf(find('containerd') ?? 'containerd', ['--version']) ?? '');
  return version !== null && (Number(version[1]) < 1 || (Number(version[1]) === 1 && Number(version[2]) < 6));
}

/** The packages this machine lacks. */
export function missingPackages() {
  const missing = Object.entries(needed)
    .filter(([program]) => find(program) === undefined)
    .map(([, name]) => name);
  if (!hasStaticBusybox()) missing.push('busybox-static');
  return [...new Set(missing)];
}

function commandFor(packages) {
  return `apt-get install --no-remove --no-install-recommends -y ${packages.join(' ')}`;
}

const policy = '/usr/sbin/policy-rc.d';

/** Runs `install` while a policy-rc.d (invoke-rc.d(8)) forbids packages to start their services. */
function withoutServices(install) {
  const sudo = asRoot('install packages');
  const own = existsSync(policy);
  const run = (...args) => mustRun([...sudo, ...args][0], [...sudo, ...args].slice(1));
  if (!own) {
    const file = join(mkdtempSync(join(tmpdir(), 'fairlead-')), 'policy-rc.d');
    writeFileSync(file, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    run('cp', file, policy);
  }
  try {
    install();
  } finally {
    if (!own) run('rm', '-f', policy);
  }
}

function apt(args) {
  const [file, ...rest] = [...asRoot('install packages'), 'env', 'DEBIAN_FRONTEND=noninteractive', 'LC_ALL=C', 'apt-get', ...args];
  return spawnSync(file, rest, { stdio: ['inherit', 2, 2] }).status === 0;
}

function aptInstall(packages) {
  return apt(['install', '-y', '--no-remove', '--no-install-recommends', ...packages]);
}

/** Where a dynamic busybox is part of the system, the static one conflicts with it: it is only unpacked then. */
function unpackBusybox() {
  const dir = mkdtempSync(join(tmpdir(), 'fairlead-'));
  try {
    const download = spawnSync('apt-get', ['download', 'busybox-static'], { cwd: dir, stdio: ['ignore', 2, 2] });
    const file = readdirSync(dir).find((name) => name.endsWith('.deb'));
    if (download.status !== 0 || file === undefined) return false;
    if (spawnSync('dpkg-deb', ['-x', join(dir, file), join(dir, 'x')], { stdio: ['ignore', 2, 2] }).status !== 0) return false;
    const found = ['bin/busybox', 'usr/bin/busybox'].map((path) => join(dir, 'x', path)).find((path) => existsSync(path));
    if (found === undefined) return false;
    if (isRoot()) {
      mkdirSync('/var/lib/fairlead/.cache', { recursive: true, mode: 0o711 });
      renameAcross(found, unpackedBusybox);
    } else {
      const sudo = asRoot('install busybox');
      mustRun(sudo[0], ['install', '-D', '-m', '755', found, unpackedBusybox]);
    }
    return true;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function renameAcross(from, to) {
  mustRun('cp', [from, `${to}.next`]);
  renameSync(`${to}.next`, to);
}

export function ensurePackages() {
  if (find('containerd') !== undefined && containerdIsOld())
    throw new Stop('Cannot use the containerd of this machine: 1.6 or later is needed\n  next: upgrade the package that brings it');
  const missing = missingPackages();
  if (missing.length === 0) return;
  const command = commandFor(missing);
  if (process.env.FAIRLEAD_NO_INSTALL || find('apt-get') === undefined || (!isRoot() && find('sudo') === undefined))
    throw new Stop(
      `Cannot start: ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not installed\n  next: run as root: ${command}`,
    );
  say(`Installing system packages: ${missing.join(' ')}`);
  const others = missing.filter((name) => name !== 'busybox-static');
  const newContainerd = others.includes('containerd');
  withoutServices(() => {
    // The lists of a fresh machine are empty, those of an old one name files that are gone.
    if (!aptInstall(missing) && !(apt(['update']) && aptInstall(missing))) {
      if (others.length > 0 && !aptInstall(others)) throw new Stop(`Cannot install the packages\n  next: run as root: ${command}`);
      if (missing.includes('busybox-static') && !unpackBusybox())
        throw new Stop(`Cannot get a static busybox\n  next: run as root: ${commandFor(['busybox-static'])}`);
    }
  });
  // Nobody asked for a containerd of the machine's own: it must not start with the next boot either.
  if (newContainerd && find('systemctl') !== undefined && existsSync('/run/systemd/system')) {
    const [file, ...rest] = [...asRoot('install packages'), 'systemctl', 'disable', 'containerd'];
    spawnSync(file, rest, { stdio: 'ignore' });
  }
  const still = missingPackages();
  if (still.length > 0) throw new Stop(`Cannot find what was installed: ${still.join(', ')}\n  next: run as root: ${commandFor(still)}`);
}
