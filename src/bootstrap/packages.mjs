/** Installs the system packages that are missing, without starting a service or displacing anything that is there. */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
// biome-ignore lint/correctness/useImportExtensions: the types beside it are for .ts files
import { patientApt } from './apt.mjs';
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

/** What only tests use; servers are started by hand. */
const neededByTests = {
  etcd: 'etcd-server',
  etcdctl: 'etcd-client',
  'redis-server': 'redis-server',
  faketime: 'faketime',
  strace: 'strace',
  // No program of the path, but in a place beside /usr/bin.
  '../lib/cni/bridge': 'containernetworking-plugins',
};

/** Package → the service of the machine's own that it would start with the next boot. */
const services = { containerd: 'containerd', 'etcd-server': 'etcd', 'redis-server': 'redis-server' };

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
export function missingPackages({ forTests = false } = {}) {
  const missing = Object.entries({ ...needed, ...(forTests ? neededByTests : {}) })
    .filter(([program]) => find(program) === undefined)
    .map(([, name]) => name);
  if (!hasStaticBusybox()) missing.push('busybox-static');
  return [...new Set(missing)];
}

function commandFor(packages) {
  return `apt-get install --no-remove --no-install-recommends -y ${packages.join(' ')}`;
}

const policy = '/usr/sbin/policy-rc.d';
const ours = '# of fairlead';

/** Whether somebody else's policy is there; one of ours is left over from a start that was killed. */
function hasPolicy() {
  return existsSync(policy) && !readFileSync(policy, 'utf8').includes(ours);
}

/** Runs `install` while a policy-rc.d (invoke-rc.d(8)) forbids packages to start their services. */
function withoutServices(install) {
  const foreign = hasPolicy();
  const shell = (script) => {
    const [file, ...rest] = [...asRoot('install packages'), 'sh', '-c', script];
    mustRun(file, rest);
  };
  if (!foreign) shell(`printf '#!/bin/sh\\n${ours}\\nexit 101\\n' >${policy} && chmod 755 ${policy}`);
  try {
    return install();
  } finally {
    if (!foreign) shell(`rm -f ${policy}`);
  }
}

const installArguments = ['install', '-y', '--no-remove', '--no-install-recommends'];

/** What `install` needs of the machine. */
const debian = {
  apt: (args) => patientApt(args),
  /** Whether apt-get could install these, asked without a word: that the lists of a fresh machine are empty is nobody's error. */
  can: (packages) => answerOf('apt-get', ['--simulate', ...installArguments, ...packages]) !== undefined,
  unpackBusybox,
};

/** Installs the packages; gives those that could not be. */
export function install(packages, { apt, can, unpackBusybox } = debian) {
  const installed = (names) => names.length === 0 || apt([...installArguments, ...names]);
  if (!can(packages)) apt(['update']);
  // A system with a dynamic busybox keeps it: the static one conflicts with it, so it is only unpacked.
  const wanted = can(packages) ? packages : packages.filter((name) => name !== 'busybox-static');
  // Old lists name files that are gone.
  if (!installed(wanted) && !(apt(['update']) && installed(wanted))) return wanted;
  return wanted.length === packages.length || unpackBusybox() ? [] : ['busybox-static'];
}

/** A static busybox without installing it. */
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

/** `forTests`: also what only tests need. */
export function ensurePackages(options) {
  if (find('containerd') !== undefined && containerdIsOld())
    throw new Stop('Cannot use the containerd of this machine: 1.6 or later is needed\n  next: upgrade the package that brings it');
  const missing = missingPackages(options);
  if (missing.length === 0) return;
  const command = commandFor(missing);
  if (process.env.FAIRLEAD_NO_INSTALL || find('apt-get') === undefined || (!isRoot() && find('sudo') === undefined))
    throw new Stop(
      `Cannot start: ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not installed\n  next: run as root: ${command}`,
    );
  say(`Installing system packages: ${missing.join(' ')}`);
  const failed = withoutServices(() => install(missing));
  if (failed.length > 0)
    throw new Stop(`Cannot install ${failed.join(', ')}: apt-get says why above\n  next: run as root: ${commandFor(failed)}`);
  // Nobody asked for a service of the machine's own: it must not start with the next boot either.
  const unasked = missing.map((name) => services[name]).filter((name) => name !== undefined);
  if (unasked.length > 0 && find('systemctl') !== undefined && existsSync('/run/systemd/system')) {
    const [file, ...rest] = [...asRoot('install packages'), 'systemctl', 'disable', ...unasked];
    spawnSync(file, rest, { stdio: 'ignore' });
  }
  const still = missingPackages(options);
  if (still.length > 0) throw new Stop(`Cannot find what was installed: ${still.join(', ')}\n  next: run as root: ${commandFor(still)}`);
}
