/**
 * The arrows between folders: what may import what, and why. A new folder needs a line here before it may import anything.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const src = join(root, 'src');

const leaves = ['ip', 'clock', 'errors'];
/** What every domain may use: values, the client, the kernel's seam, the log. */
const shared = [...leaves, 'api', 'client', 'linux', 'observability'];

/** Folder → the folders it may import besides itself. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  ip: [],
  clock: [],
  errors: [],
  // Certificates as values; what they are for, its users know.
  x509: ['ip'],
  observability: leaves,
  api: leaves,
  // Of api the coder of protobuf messages, which etcd speaks; certificates for the engines that tests start.
  storage: [...leaves, 'x509', 'api', 'observability'],
  // The kernel's seam knows netlink and tools, never Services.
  linux: leaves,
  client: [...leaves, 'x509', 'api', 'observability'],
  // Nothing else ever talks to the store.
  apiserver: [...leaves, 'x509', 'api', 'storage', 'observability'],
  // Controllers and scheduler see the API only, so that they work with any API server.
  controllers: [...leaves, 'x509', 'api', 'client', 'observability'],
  scheduler: [...leaves, 'api', 'client', 'observability'],
  cloud: [...leaves, 'api', 'client', 'observability'],
  kubelet: [...shared, 'x509'],
  proxy: shared,
  'net-agent': shared,
  cni: shared,
  dns: shared,
  speaker: shared,
  cli: [...leaves, 'observability'],
  bootstrap: [...shared, 'x509', 'cli'],
  lab: [...shared, 'cli', 'bootstrap'],
  // Made from the commands' own words; nothing of it runs on a node.
  package: [...leaves, 'linux', 'cli', 'bootstrap', 'x509', 'lab', 'main'],
  setup: [...shared, 'x509', 'cli', 'bootstrap'],
  // The parts of processes, and the commands: the only place where domains meet.
  main: ['*'],
};

interface Import {
  readonly file: string;
  readonly from: string;
  readonly target: string;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(src, file), 'utf8');
  const found = text.matchAll(/(?:^|\n)(?:import|export)\s[^;]*?from\s+'(\.[^']+)'|import\('(\.[^']+)'\)/g);
  return [...found].map((m) => {
    const target = relative(src, join(src, dirname(file), m[1] ?? m[2] ?? ''));
    return { file, from: file.split('/')[0] ?? '', target };
  });
}

const files = globSync('**/*.{ts,mjs}', { cwd: src });

test('every folder of src has its line in the table of arrows', () => {
  const folders = new Set(files.map((f) => f.split('/')[0] ?? ''));
  for (const folder of folders) assert.ok(folder in arrows, `src/${folder} has no line`);
});

test('imports follow the arrows', () => {
  const wrong = files.flatMap(importsOf).filter(({ from, target }) => {
    const to = target.split('/')[0] ?? '';
    const allowed = arrows[from] ?? [];
    return to !== from && !allowed.includes('*') && !allowed.includes(to);
  });
  assert.deepEqual(
    wrong.map(({ file, target }) => `${file} imports ${target}`),
    [],
  );
});

/** Packages that belong to one folder, with the reason. */
const packages: readonly { readonly name: RegExp; readonly folders: readonly string[]; readonly why: string }[] = [
  {
    name: /^(netlink|koffi)$/,
    folders: ['linux', 'dns'],
    why: 'the kernel sits behind src/linux; the DNS server batches datagrams through FFI',
  },
  { name: /^@peculiar\//, folders: ['x509'], why: 'certificates are made and read there' },
  { name: /^fastify$/, folders: ['apiserver'], why: 'only the API server routes HTTP requests of many kinds' },
  { name: /^node:sqlite$/, folders: ['storage'], why: 'only the store knows its engine' },
  { name: /^ioredis$/, folders: ['storage'], why: 'only the store knows its engine' },
  { name: /^@grpc\//, folders: ['kubelet', 'storage'], why: 'CRI and etcd speak gRPC, nothing else does' },
  { name: /^dns-packet$/, folders: ['dns', 'lab'], why: 'DNS messages are made and read there' },
  { name: /^esbuild$/, folders: ['package'], why: 'nothing is built where it runs' },
  { name: /^ip6addr$/, folders: ['ip'], why: 'addresses are values of src/ip' },
  {
    name: /^node:child_process$/,
    folders: ['linux', 'bootstrap'],
    why: 'processes are started from src/linux/exec.ts; bootstrap runs before there is TypeScript',
  },
];

test('packages stay in the folder that they were chosen for', () => {
  const wrong: string[] = [];
  for (const file of files) {
    if (/\.test\.ts$|\/testing\//.test(file)) continue;
    const folder = file.split('/')[0] ?? '';
    for (const m of readFileSync(join(src, file), 'utf8').matchAll(/from\s+'([^.'][^']*)'/g)) {
      const rule = packages.find((p) => p.name.test(m[1] ?? ''));
      if (rule && !rule.folders.includes(folder)) wrong.push(`${file} imports ${m[1]}: ${rule.why}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('mode ipvs speaks netlink: a node needs neither ipvsadm nor ipset for it', () => {
  const speaks = /^(?:linux\/(?:netlink|ipvs|ipset)|proxy\/mode\/ipvs)\/(?!testing\/)(?!.*\.test\.ts$)/;
  const found = files.filter((file) => speaks.test(file));
  assert.ok(found.length > 20, 'the folders are there');
  const wrong = found.flatMap(importsOf).filter(({ target }) => target === 'linux/exec.ts');
  assert.deepEqual(
    wrong.map(({ file }) => file),
    [],
  );
});

test('every folder says what it is', () => {
  const folders = new Set(files.map((f) => f.split('/')[0] ?? ''));
  const silent = [...folders].filter((folder) => {
    if (files.includes(`${folder}/README.md`)) return false;
    const readme = globSync('README.md', { cwd: join(src, folder) });
    if (readme.length > 0) return false;
    const main = files.find((f) => f === `${folder}/${folder}.ts`);
    return !main || !readFileSync(join(src, main), 'utf8').startsWith('/**');
  });
  assert.deepEqual(silent, []);
});

test('no top-level folder but the given ones', () => {
  const given = new Set(['src', 'cni-bin', 'rules', 'vagrant', 'test', 'node_modules', 'dist']);
  const extra = globSync('*/', { cwd: root })
    .map((f) => f.replace(/\/$/, ''))
    .filter((f) => !f.startsWith('.') && !given.has(f));
  assert.deepEqual(extra, []);
});

test('source files stay readable: none over 400 lines, tables aside', () => {
  const tables = /schema\/(types|tables)|cri\/messages|\.test\.ts$|bootstrap-policy|rows\//;
  const long = files.filter((f) => !tables.test(f) && readFileSync(join(src, f), 'utf8').split('\n').length > 401);
  assert.deepEqual(long, []);
});
