/**
 * `npm run test:vagrant`: `vagrant up` for real, under emulation, in a libvirt of its own; then the tour of vagrant/README.md in every mode.
 * Takes a quarter of an hour on a quiet machine; not part of `npm test`. The box is kept for the next run.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** What must be installed, and the package of Debian 12 and later that brings it. */
const programs: Readonly<Record<string, string>> = {
  vagrant: 'vagrant vagrant-libvirt',
  libvirtd: 'libvirt-daemon-system libvirt-daemon-driver-qemu',
  virsh: 'libvirt-clients',
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-img': 'qemu-utils',
  mmdebstrap: 'mmdebstrap',
  dnsmasq: 'dnsmasq-base',
  'grub-mkimage': 'grub-pc-bin grub-common',
  sfdisk: 'fdisk',
  rsync: 'rsync',
};

const here = dirname(fileURLToPath(import.meta.url));
const project = join(here, '../..');
/** Outside of the checkout: a box takes minutes to build, and gigabytes. */
const work = '/var/tmp/fairlead-vagrant';

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): number {
  return spawnSync(command, args, { cwd: project, stdio: 'inherit', env: { ...process.env, ...env } }).status ?? 1;
}

function missing(): string[] {
  const path = `${process.env.PATH}${delimiter}/usr/sbin${delimiter}/sbin`.split(delimiter);
  return Object.keys(programs).filter((name) => !path.some((dir) => existsSync(join(dir, name))));
}

const usage = `Brings the lab of vagrant/ up under emulation and takes its tour. Knobs of vagrant/settings.yaml hold by environment, such as FAIRLEAD_CONTROL_PLANES=3.

Usage: sudo npm run test:vagrant -- [--workers N]

  --workers N  how many workers the lab has (default: 2)
`;

/** The same sources as a later release, for `fairlead upgrade`. */
function newerPackage(): string | undefined {
  const out = join(work, 'newer');
  rmSync(out, { recursive: true, force: true });
  const { version } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as { readonly version: string };
  const release = version.replace(/\d+$/, (patch) => String(Number(patch) + 1));
  if (run('npm', ['run', '--silent', 'build', '--', '--release', release, '--out', out]) !== 0) return undefined;
  return join(out, readdirSync(out).find((name) => name.endsWith('.deb')) ?? '');
}

function main(): number {
  const { values } = parseArgs({ options: { workers: { type: 'string', default: '2' }, help: { type: 'boolean', short: 'h' } } });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const absent = missing();
  if (absent.length > 0 || process.getuid?.() !== 0) {
    const packages = absent.map((name) => programs[name]).join(' ');
    const next = absent.length > 0 ? `sudo apt install --no-install-recommends ${packages}` : 'sudo npm run test:vagrant';
    process.stderr.write(`Error: Cannot bring the lab up: ${absent.join(', ') || 'root'} is missing\n  next: ${next}\n`);
    return 2;
  }
  mkdirSync(work, { recursive: true, mode: 0o700 });
  // Built again when it would be another one.
  const content = createHash('sha256')
    .update(readFileSync(join(here, 'build-box.sh')))
    .digest('hex');
  const box = join(work, `debian-${content.slice(0, 12)}.box`);
  if (!existsSync(box) && run(join(here, 'build-box.sh'), [box]) !== 0) return 1;
  if (run('npm', ['run', '--silent', 'build']) !== 0) return 1;
  const newer = newerPackage();
  if (newer === undefined) return 1;
  // What an earlier run left: machines that no libvirt knows any more.
  for (const name of ['libvirt', 'home', 'dotfiles']) rmSync(join(work, name), { recursive: true, force: true });
  mkdirSync(join(work, 'home'));
  const namespaces = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const command = [
    join(here, 'hypervisor.sh'),
    join(work, 'libvirt'),
    process.execPath,
    join(here, 'tour.ts'),
    ...[box, newer],
    ...['--workers', values.workers],
  ];
  return run('unshare', [...namespaces, ...command], {
    HOME: join(work, 'home'),
    VAGRANT_HOME: join(work, 'home'),
    VAGRANT_DOTFILE_PATH: join(work, 'dotfiles'),
    FAIRLEAD_VAGRANT_DRIVER: 'qemu',
    FAIRLEAD_MANAGEMENT_MODE: 'none',
    FAIRLEAD_BOX: 'fairlead-test',
    PATH: `${process.env.PATH}${delimiter}/usr/sbin${delimiter}/sbin`,
  });
}

process.exitCode = main();
