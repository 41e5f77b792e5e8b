/**
 * `fairlead.local/tools:1`: the programs that tutorials use, as they are installed on this machine, with their libraries. What is not
 * installed is downloaded and unpacked aside, never installed. It is some 60 MB, so it is made when somebody asks for it.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { mustRun } from '../../linux/exec.ts';
import type { LabContext } from '../down.ts';
import type { LabPlan } from '../plan.ts';
import { architecture } from './image-store.ts';
import { appletLinks, waiting } from './lab-images.ts';
import { type ImageSpec, ociArchive } from './oci-image.ts';
import { findProgram, librariesOf, type Program, patientlyNoting, unpackMissing } from './programs-of-debian.ts';
import { directory, file, symlink, type TarEntry } from './tar.ts';
import type { Architecture } from './udp-echo.ts';

const toolsReference = 'fairlead.local/tools:1';

/** What `lab load` takes for it. */
export function isToolsImage(source: string): boolean {
  return source === 'tools' || source === toolsReference;
}

export const toolPrograms: readonly Program[] = [
  { name: 'curl', package: 'curl' },
  { name: 'dig', package: 'bind9-dnsutils' },
  { name: 'nslookup', package: 'bind9-dnsutils' },
  { name: 'host', package: 'bind9-host' },
  { name: 'wget', package: 'wget' },
  { name: 'nc', package: 'netcat-openbsd', installedAs: 'nc.openbsd' },
  { name: 'iperf3', package: 'iperf3' },
  { name: 'tcpdump', package: 'tcpdump' },
  { name: 'ip', package: 'iproute2' },
  { name: 'ss', package: 'iproute2' },
  { name: 'bridge', package: 'iproute2' },
  { name: 'jq', package: 'jq' },
  // The shell, as busybox's runs what it can be itself before it looks for programs (FEATURE_SH_STANDALONE): its own wget, nc and ip.
  { name: 'bash', package: 'bash' },
];

interface Parts {
  readonly busybox: Uint8Array;
  readonly applets: readonly string[];
  /** Program → what is in its file. */
  readonly programs: ReadonlyMap<string, Uint8Array>;
  /** Path in the image, without a leading slash → what is in the file. */
  readonly libraries: ReadonlyMap<string, Uint8Array>;
  /** The certificate authorities of this machine, when it has any. */
  readonly authorities: Uint8Array | undefined;
}

function parents(paths: Iterable<string>): string[] {
  const found = new Set<string>();
  for (const path of paths) for (let dir = dirname(path); dir !== '.'; dir = dirname(dir)) found.add(dir);
  return [...found].toSorted();
}

export function toolsImage(cpu: Architecture, parts: Parts): ImageSpec {
  const own: TarEntry[] = [
    file('bin/busybox', parts.busybox, 0o755),
    ...appletLinks(parts.applets.filter((name) => name !== 'sh' && !parts.programs.has(name))),
    ...['sh', 'bash'].map((name) => symlink(`bin/${name}`, '../usr/bin/bash')),
    ...[...parts.programs].map(([name, content]) => file(`usr/bin/${name}`, content, 0o755)),
    ...[...parts.libraries].map(([path, content]) => file(path, content, 0o755)),
    ...(parts.authorities ? [file('etc/ssl/certs/ca-certificates.crt', parts.authorities)] : []),
    // tcpdump becomes this user once it has opened its socket.
    file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\ntcpdump:x:100:100::/:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n'),
    file('etc/group', 'root:x:0:\ntcpdump:x:100:\nnogroup:x:65534:\n'),
    file('etc/nsswitch.conf', 'hosts: files dns\n'),
  ];
  return {
    reference: toolsReference,
    architecture: cpu,
    command: ['/bin/sh', '-c', waiting],
    rootfs: [
      ...parents(own.map((entry) => entry.path)).map((path) => directory(path)),
      directory('root', 0o700),
      directory('tmp', 0o1777),
      directory('var'),
      // Program loaders are named by these paths, wherever a system keeps them.
      ...['lib', 'lib64'].map((name) => symlink(name, `usr/${name}`)),
      ...own,
    ],
  };
}

/** Where a library of this machine goes in the image: its loader looks in few places, and never in a cache there. */
export function placeOfLibrary(path: string, unpacked: string): string {
  const plain = path.startsWith(`${unpacked}/`) ? path.slice(unpacked.length) : path;
  const [, lib, rest] = /^(?:\/usr)?\/(lib64|lib)\/(.+)$/.exec(plain) ?? [];
  return lib === undefined ? `usr/lib/${basename(path)}` : `usr/${lib}/${rest}`;
}

/** Builds the image and gives `use` its archive, which is gone afterwards. Throws TOOL_MISSING and COMMAND_FAILED. */
export async function withToolsArchive<T>(
  { exec, tools, progress }: LabContext,
  plan: LabPlan,
  use: (file: string) => Promise<T>,
): Promise<T> {
  const unpacked = join(plan.cacheDir, 'tools');
  const fetched = await unpackMissing(
    exec,
    toolPrograms,
    unpacked,
    patientlyNoting((text) => progress.note(text)),
  );
  if (fetched.length > 0) progress.note(`Downloaded ${fetched.join(', ')} for ${toolsReference}; nothing was installed`);
  const files = new Map<string, string>();
  for (const program of toolPrograms) files.set(program.name, await findProgram(program, unpacked));
  const libraries = await librariesOf(exec, [...files.values()], unpacked);
  const [busybox, applets, authorities, programs, contents] = await Promise.all([
    readFile(tools.busybox),
    mustRun(exec, tools.busybox, ['--list']),
    readFile('/etc/ssl/certs/ca-certificates.crt').catch(() => undefined),
    Promise.all([...files].map(async ([name, path]) => [name, await readFile(path)] as const)),
    Promise.all(libraries.map(async (path) => [placeOfLibrary(path, unpacked), await readFile(path)] as const)),
  ]);
  const image = toolsImage(architecture(), {
    busybox,
    applets: applets.split('\n').filter(Boolean),
    programs: new Map(programs),
    libraries: new Map(contents),
    authorities,
  });
  const archive = join(plan.dir, 'images', 'tools.new');
  await mkdir(dirname(archive), { recursive: true, mode: 0o700 });
  try {
    await writeFile(archive, ociArchive(image), { mode: 0o600 });
    return await use(archive);
  } finally {
    await rm(archive, { force: true });
  }
}
