import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { UpgradeFacts } from './facts.ts';
import { judge, lateCertificates } from './judge.ts';
import { controlPlaneFacts as control, workerFacts as worker } from './testing/facts.ts';

const day = 86_400_000;
const now = control.now;
const store = control.store as UpgradeFacts['store'] & { kind: 'file' };
const leaf = {
  name: 'apiserver',
  path: '/a.crt',
  kind: 'certificate',
  starts: now - 360 * day,
  ends: now + 5 * day,
  isRenewable: true,
} as const;
const nodesOf = (...versions: string[]): UpgradeFacts['nodes'] =>
  versions.map((version, i) => ({ name: `worker-${i + 1}`, version, isReady: true }));
const ended = (name: 'server' | 'agent', isElsewhere: boolean): UpgradeFacts['services'][number] => ({
  name,
  isRunning: false,
  isElsewhere,
  logHint: '',
});

const cases: readonly (readonly [string, UpgradeFacts, readonly string[]])[] = [
  ['an older control plane', control, []],
  ['a control plane that runs it already', { ...control, server: { version: control.installed } }, []],
  ['an older node of a control plane that runs it', worker, []],
  ['a machine that nobody has set up', { ...control, role: undefined, server: { why: 'x' } }, ['error NotSetUp']],
  ['a service that another program keeps', { ...control, services: [ended('server', true)] }, ['error Service-server']],
  ['an agent that has ended', { ...worker, services: [ended('agent', false)] }, []],
  ['a control plane that is silent', { ...control, server: { why: 'refused' } }, ['error ControlPlane']],
  ['a worker whose control plane is silent', { ...worker, server: { why: 'refused' } }, ['error ControlPlane']],
  ['a server that has ended', { ...control, services: [ended('server', false)], server: { why: 'refused' } }, ['warning ServerDown']],
  ['an older package than what runs', { ...control, server: { version: 'v1.35.0+fairlead.0.2.1' } }, ['error Downgrade']],
  ['an older minor version than what runs', { ...control, server: { version: 'v1.36.0+fairlead.0.1.0' } }, ['error Downgrade']],
  ['the next minor version', { ...control, server: { version: 'v1.34.0+fairlead.0.1.0' } }, []],
  ['the minor version after the next', { ...control, server: { version: 'v1.33.0+fairlead.0.1.0' } }, ['error VersionSkew']],
  ['a node before its control plane', { ...worker, server: { version: 'v1.35.0+fairlead.0.1.0' } }, ['error ControlPlaneFirst']],
  ['a node three minor versions behind', { ...worker, server: { version: 'v1.38.0+fairlead.0.2.0' } }, []],
  ['a node four minor versions behind', { ...worker, server: { version: 'v1.39.0+fairlead.0.2.0' } }, ['error VersionSkew']],
  ['a control plane of another make', { ...worker, server: { version: 'v1.35.3' } }, []],
  ['a node that is newer', { ...control, nodes: nodesOf('v1.35.0+fairlead.0.3.0') }, ['error NodeNewer']],
  ['a stock node of a newer minor version', { ...control, nodes: nodesOf('v1.36.0') }, ['error NodeNewer']],
  ['a stock node of a newer patch', { ...control, nodes: nodesOf('v1.35.9') }, []],
  ['nodes three minor versions older', { ...control, nodes: nodesOf('v1.32.0', 'v1.35.0+fairlead.0.1.0') }, []],
  ['a node four minor versions older', { ...control, nodes: nodesOf('v1.31.0') }, ['error NodeTooOld']],
  ['a node that says no version', { ...control, nodes: nodesOf('') }, []],
  [
    'a node that is not Ready',
    { ...control, nodes: [{ name: 'a', version: control.installed, isReady: false }] },
    ['warning NodeNotReady'],
  ],
  ['a store of a newer format', { ...control, store: { ...store, format: 3 } }, ['error StoreFormat']],
  ['a store of an older format', { ...control, store: { ...store, format: 1 } }, ['warning StoreFormat']],
  ['just enough room', { ...control, store: { ...store, freeBytes: store.bytes + (64 << 20) } }, []],
  ['too little room', { ...control, store: { ...store, freeBytes: store.bytes + (64 << 20) - 1 } }, ['error StoreRoom']],
  ['too little room, and nothing to save', { ...control, server: { version: control.installed }, store: { ...store, freeBytes: 0 } }, []],
  ['a store elsewhere', { ...control, store: { kind: 'elsewhere', url: 'redis://a' } }, ['warning StoreBackup']],
  ['a store that cannot be read', { ...control, store: { kind: 'unreadable', path: '/a' } }, ['error Store']],
  ['a certificate that ends soon, and can be renewed', { ...control, certificates: [leaf] }, []],
  [
    'a certificate that ends soon, of an authority whose key is elsewhere',
    { ...control, certificates: [{ ...leaf, isRenewable: false }] },
    ['warning Certificate-apiserver'],
  ],
  ['a certificate that some do not trust', { ...control, certificates: [{ ...leaf, ends: now + 300 * day, flaw: 'it is misspelt' }] }, []],
  ['an authority that ends soon', { ...control, certificates: [{ ...leaf, kind: 'authority' }] }, ['warning Certificate-apiserver']],
  ['a certificate that cannot be read', { ...control, certificates: [{ ...leaf, problem: 'x' }] }, ['error Certificate-apiserver']],
  [
    "a kubelet's certificate that has ended",
    { ...worker, certificates: [{ ...leaf, kind: 'rotated', ends: now }] },
    ['error Certificate-apiserver'],
  ],
];

describe('judge() says of', () => {
  for (const [what, facts, expected] of cases)
    test(`${what}: ${expected.join(', ') || 'nothing'}`, () => {
      const found = judge(facts);
      assert.deepEqual(
        found.map(({ severity, id }) => `${severity} ${id}`),
        expected,
      );
      for (const { cause, cure } of found) assert.doesNotMatch(`${cause}${cure}`, /undefined|\.$/);
    });

  test('nodes: which, and of what version', () => {
    const [found] = judge({ ...control, nodes: nodesOf('v1.36.0', 'v1.30.0', 'v1.37.0') });
    assert.equal(
      found?.cause,
      'nodes may not be newer than the control plane, which would be v1.35.0+fairlead.0.2.0: "worker-1" (v1.36.0), "worker-3" (v1.37.0)',
    );
  });

  test('the room for a snapshot, in megabytes', () => {
    const [found] = judge({ ...control, store: { ...store, bytes: 100 << 20, freeBytes: 10 << 20 } });
    assert.match(`${found?.cause} ${found?.cure}`, /takes 100 MB, and 10 MB are free .* Make room: 164 MB/);
  });
});

test('lateCertificates() are those of a control plane that a new one can take the place of', () => {
  const kinds = ['certificate', 'kubeconfig', 'rotated', 'authority'] as const;
  const certificates = kinds.map((kind) => ({ ...leaf, name: kind, kind }));
  const late = (facts: UpgradeFacts): string[] => lateCertificates(facts).map(({ name }) => name);
  assert.deepEqual(late({ ...control, certificates }), ['certificate', 'kubeconfig']);
  assert.deepEqual(late({ ...control, certificates: certificates.map((one) => ({ ...one, isRenewable: false })) }), []);
  assert.deepEqual(late({ ...control, certificates: [{ ...leaf, ends: now + 300 * day }] }), []);
  assert.deepEqual(late({ ...worker, certificates }), []);
});
