/** Every file says what it is, and every folder which file is its main one. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const files = globSync('{src,test}/**/*.ts', { cwd: root }).filter(
  (file) => !/\.test\.ts$|\.d\.ts$|^src\/api\/schema\/types\.ts$/.test(file),
);

const declaration = /^export (?:async |abstract |declare )*(?:class|function\*?|const|interface|type|let) (\w+)/gm;

/** Whether it opens with a doc comment, or its main export has one: the one that the file is named after, else the first. */
function saysWhatItIs(file: string, text: string): boolean {
  if (text.startsWith('/**') || text.startsWith('#!')) return true;
  const name = basename(file, '.ts').replaceAll('-', '').toLowerCase();
  const exports = [...text.matchAll(declaration)];
  const main = exports.find((found) => found[1]?.toLowerCase() === name) ?? exports[0];
  return main !== undefined && text.slice(0, main.index).trimEnd().endsWith('*/');
}

test('every file opens with what it is, or its main export says so', () => {
  const silent = files.filter((file) => !saysWhatItIs(file, readFileSync(join(root, file), 'utf8')));
  assert.deepEqual(silent, []);
});

test('a doc comment counts at the top and at the main export, not elsewhere', () => {
  assert.ok(saysWhatItIs('a/b.ts', '/** B. */\nimport c;\nexport const d = 1;'));
  assert.ok(saysWhatItIs('a/some-file.ts', 'import c;\n\nexport const d = 1;\n\n/** It. */\nexport class SomeFile {}'));
  assert.ok(!saysWhatItIs('a/some-file.ts', 'import c;\n\n/** D. */\nexport const d = 1;\n\nexport class SomeFile {}'));
  assert.ok(!saysWhatItIs('a/b.ts', 'import c;\n/** Private. */\nconst d = 1;\n\nexport const e = 1;'));
});

/** Main files that bear the name of their folder with more around it. */
const longerNames: Readonly<Record<string, string>> = {
  'api/apply': 'apply-configuration.ts',
  'api/cel/admission': 'admission-compiler.ts',
  'apiserver/admission/match': 'request-match.ts',
  'apiserver/admission/webhook': 'webhook-dispatch.ts',
  'apiserver/cache': 'resource-cache.ts',
  'apiserver/flow': 'flow-control.ts',
  'apiserver/http': 'https-listener.ts',
  'apiserver/resource': 'resource-handlers.ts',
  'apiserver/review': 'reviews.ts',
  'apiserver/server-path': 'server-paths.ts',
  'apiserver/status': 'status-error.ts',
  'apiserver/webhook': 'webhook-caller.ts',
  'client/certificate': 'certificate-manager.ts',
  'dns/metrics': 'dns-metrics.ts',
  'dns/publish': 'publisher.ts',
  'dns/zone': 'cluster-zone.ts',
  'kubelet/certificate': 'kubelet-certificates.ts',
  'kubelet/node': 'node-manager.ts',
  'kubelet/probe': 'probe-manager.ts',
  'kubelet/runtime': 'runtime-manager.ts',
  'kubelet/server': 'kubelet-server.ts',
  'kubelet/source': 'pod-sources.ts',
  'kubelet/status': 'status-manager.ts',
  'kubelet/volume': 'volume-manager.ts',
  'kubelet/worker': 'pod-workers.ts',
  lab: 'lab-command.ts',
  'lab/kubeconfig': 'user-kubeconfig.ts',
  'lab/logs': 'show-logs.ts',
  'lab/node': 'launch-node.ts',
  'linux/netlink': 'netlink-socket.ts',
  'linux/nftables': 'kernel-nftables.ts',
  'net-agent/kernel': 'network-kernel.ts',
  'proxy/plan': 'planner.ts',
  'proxy/track': 'change-tracker.ts',
  'storage/etcd': 'etcd-store.ts',
  'storage/memory': 'memory-store.ts',
  'storage/redis': 'redis-store.ts',
  'storage/sqlite': 'sqlite-store.ts',
};

/** Folders whose files are equals: what each of their files is. */
const equals: Readonly<Record<string, string>> = {
  api: 'what all of Kubernetes names alike: keys, labels, users of parts',
  'api/cel/library': 'functions of one kind',
  'api/codec': 'a format, or a piece of one',
  'api/defaults': 'the defaults of some kinds',
  'api/patch': 'a kind of patch',
  'api/placement': 'a rule by which a node takes a pod',
  'api/registry/rows': 'the rows of some API groups',
  'api/selector': 'a kind of selector',
  'api/validation': 'the rules of some kinds',
  'api/warnings': 'the warnings of some kinds',
  'apiserver/auth': 'an authenticator, an authorizer, or a table of theirs',
  'apiserver/bootstrap': 'something that the server itself keeps in the cluster',
  'apiserver/kubelet': 'a subresource that the node answers: log, exec, proxy',
  'apiserver/subresource': 'a subresource',
  bootstrap: 'a kind of file: certificates, kubeconfigs, secrets',
  'cni/spec': 'a message of the CNI specification',
  'controllers/ownership': 'what controllers share about pods of theirs',
  'dns/message': 'a kind of message, or a piece of one',
  errors: 'the class, and the catalogue of codes',
  'kubelet/pod': 'a field of a pod as it becomes words of the runtime or of a status',
  'lab/command': 'a command',
  'lab/images': 'an image, or a step in making one',
  'lab/net': 'the machine, and the network between nodes',
  linux: 'something that the kernel gives',
  main: 'a command; `fairlead.ts` is the executable, which `fairlead.mjs` starts with compiled code',
  observability: 'a way in which a process speaks of itself',
  'proxy/inspect': 'what a cluster means on a node, or a text of it for people',
  'scheduler/plugins': 'a plugin',
  package: 'a step in making the package; `build.ts` is the executable',
  setup: 'what init, join and reset have in common',
  'setup/config': 'what a person says of a cluster or a node',
  'setup/node': 'a piece of a node',
  storage: 'the contract, `store.ts`, or what engines share; an engine is a folder',
  x509: 'a certificate, a request, a key, or a piece of one',
};

const folders = [...new Set(files.filter((file) => file.startsWith('src/')).map((file) => dirname(file).slice('src/'.length)))].filter(
  (folder) => !folder.endsWith('testing'),
);
const own = (folder: string): string[] => files.filter((file) => dirname(file) === `src/${folder}`).map((file) => basename(file));

/** The main file by the folder's name, with that of the folder around it (`nftables-mode.ts`), or by its work. */
function plainMain(folder: string): string | undefined {
  const name = basename(folder);
  const names = [name, `${name}-${basename(dirname(folder))}`, 'start', 'controller'];
  return own(folder).find((file) => names.includes(basename(file, '.ts')));
}

test("each folder's main file bears the folder's name or is start.ts or controller.ts, but where files are equals", () => {
  const without = folders.filter((folder) => plainMain(folder) === undefined && !(folder in longerNames) && !(folder in equals));
  assert.deepEqual(without, []);
});

test('the tables of main files hold what is there, and nothing that the plain rule says already', () => {
  for (const [folder, main] of Object.entries(longerNames)) {
    assert.ok(main.includes(basename(folder)), `${main} does not bear the name of ${folder}`);
    assert.ok(own(folder).includes(main), `${folder}/${main} is not there`);
  }
  for (const folder of [...Object.keys(longerNames), ...Object.keys(equals)]) {
    assert.ok(folders.includes(folder), `${folder} is not there`);
    assert.equal(plainMain(folder), undefined, `${folder} has a main file of the plain kind`);
  }
});
