import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Registry } from '../../api/registry/registry.ts';
import { TestServer } from '../testing/test-server.ts';
import { AdmissionChain, type AdmissionPlugin, type AdmissionRequest, callAgain } from './admission.ts';
import { type AdmissionDeps, admissionChain } from './chain.ts';
import { denyServiceExternalIps } from './deny-service-external-ips.ts';

const registry = new Registry();

const services = '/api/v1/namespaces/default/services';
const merge = { type: 'application/merge-patch+json' };
const service = (name: string, externalIPs?: readonly string[]) => ({ metadata: { name }, spec: { ports: [{ port: 80 }], externalIPs } });

describe('DenyServiceExternalIPs', () => {
  let s: TestServer;
  before(async () => {
    s = await TestServer.start(undefined, { admission: { enabled: ['DenyServiceExternalIPs'], disabled: [] } });
  });
  after(() => s.stop());

  test('refuses a new Service with one, and one to a Service that had none', async () => {
    const made = await s.call('POST', services, service('web', ['192.0.2.10']));
    assert.equal(made.status, 403, made.text);
    assert.equal(made.body.message, 'services "web" is forbidden: Use of external IPs is denied by admission control.');
    assert.equal((await s.call('POST', services, service('web'))).status, 201);
    assert.equal((await s.call('PATCH', `${services}/web`, { spec: { externalIPs: ['192.0.2.10'] } }, merge)).status, 403);
    assert.equal((await s.call('PATCH', `${services}/web`, { metadata: { labels: { a: 'b' } } }, merge)).status, 200);
  });

  test('leaves what was there before, and lets it go one by one', () => {
    const row = registry.rowOf('', 'v1', 'services')!;
    const write = (externalIPs: string[], had: string[]): unknown =>
      denyServiceExternalIps.validate?.({
        ...{ operation: 'UPDATE', row, subresource: '', namespace: 'default', name: 'web', dryRun: false, warnings: [] },
        ...{ user: { name: 'jane', groups: [] }, object: service('web', externalIPs) as never, old: service('web', had) as never },
      });
    write(['192.0.2.1', '192.0.2.2'], ['192.0.2.1', '192.0.2.2']);
    write(['192.0.2.2'], ['192.0.2.1', '192.0.2.2']);
    write([], ['192.0.2.1']);
    assert.throws(() => write(['192.0.2.1', '192.0.2.3'], ['192.0.2.1', '192.0.2.2']), /Use of external IPs is denied/);
  });

  test('is off by default', async () => {
    const open = await TestServer.start();
    try {
      assert.equal((await open.call('POST', services, service('web', ['192.0.2.10']))).status, 201);
    } finally {
      await open.stop();
    }
  });
});

describe('admissionChain()', () => {
  const deps = { unserved: { foreign: [], tell: () => {} } } as unknown as AdmissionDeps;
  const refused: [string, { enabled?: string[]; disabled?: string[] }, RegExp][] = [
    ['a name that nothing has', { enabled: ['DenyServiceExternalIP'] }, /"DenyServiceExternalIP": there is none of that name/],
    ['to enable what nothing would do', { enabled: ['EventRateLimit'] }, /"EventRateLimit": this server has no such plugin/],
    ['to disable what is always on', { disabled: ['CertificateApproval'] }, /"CertificateApproval": it is no plugin here/],
    ['both at once', { enabled: ['Priority'], disabled: ['Priority'] }, /enable and disable the admission plugin "Priority" at once/],
  ];
  for (const [name, choice, why] of refused)
    test(`refuses ${name}`, () => assert.throws(() => admissionChain(deps, { enabled: [], disabled: [], ...choice }), why));

  test('lets those be disabled that nothing does anyway, and those be enabled that are on', () => {
    admissionChain(deps, { enabled: ['NodeRestriction', 'CertificateSigning'], disabled: ['PodSecurity', 'Priority'] });
  });

  /** Upstream's names: on or off by default, always on, or absent here. */
  const upstream = `AlwaysPullImages absent CertificateApproval always CertificateSigning always
    CertificateSubjectRestriction always ClusterTrustBundleAttest absent DefaultIngressClass absent DefaultStorageClass on
    DefaultTolerationSeconds on DenyServiceExternalIPs off EventRateLimit absent ExtendedResourceToleration absent ImagePolicyWebhook absent
    LimitPodHardAntiAffinityTopology absent LimitRanger on MutatingAdmissionPolicy absent MutatingAdmissionWebhook on
    NamespaceAutoProvision absent NamespaceExists absent NamespaceLifecycle on NodeRestriction on
    OwnerReferencesPermissionEnforcement absent PersistentVolumeClaimResize absent PodNodeSelector absent PodSecurity absent
    PodTolerationRestriction absent PodTopologyLabels absent Priority on ResourceQuota on RuntimeClass on ServiceAccount on
    StorageObjectInUseProtection on TaintNodesByCondition on ValidatingAdmissionPolicy on ValidatingAdmissionWebhook on`.matchAll(
    /(\w+) (absent|always|on|off)/g,
  );
  for (const [, name, kind] of upstream)
    test(`${name} can be ${{ absent: 'disabled', always: 'enabled', on: 'both', off: 'both' }[kind!]}`, () => {
      const can = (choice: object): boolean => {
        try {
          admissionChain(deps, { enabled: [], disabled: [], ...choice });
          return true;
        } catch {
          return false;
        }
      };
      assert.deepEqual([can({ enabled: [name!] }), can({ disabled: [name!] })], [kind !== 'absent', kind !== 'always']);
    });

  test('names in its refusal what there is', () => {
    assert.throws(() => admissionChain(deps, { enabled: ['No'], disabled: [] }), {
      hint: 'There are NamespaceLifecycle, LimitRanger, TaintNodesByCondition, ServiceAccount, Priority, DefaultStorageClass, StorageObjectInUseProtection, RuntimeClass, DefaultTolerationSeconds, NodeRestriction, DenyServiceExternalIPs, MutatingAdmissionWebhook, ValidatingAdmissionPolicy, ValidatingAdmissionWebhook, ResourceQuota',
    });
  });

  test('runs what is on, and not what is disabled', async () => {
    const lookup = { find: async () => undefined, list: () => [], follow: () => {} } as unknown as AdmissionDeps['lookup'];
    const row = registry.rowOf('', 'v1', 'pods')!;
    const request: AdmissionRequest = {
      ...{ operation: 'CREATE' as const, row, subresource: '', namespace: 'no', name: 'a', dryRun: false, warnings: [] },
      ...{ user: { name: 'jane', groups: [] }, object: { metadata: { name: 'a' } } as never, old: undefined },
    };
    await assert.rejects(admissionChain({ ...deps, lookup }).mutate(request), /namespaces "no" not found/);
    await admissionChain({ ...deps, lookup }, { enabled: [], disabled: ['NamespaceLifecycle'] }).mutate(request);
  });
});

describe('AdmissionChain', () => {
  const told: string[] = [];
  const plugin = (name: string): AdmissionPlugin => ({
    mutate: () => void told.push(`mutate ${name}`),
    validate: () => void told.push(`validate ${name}`),
    admitted: () => void told.push(`admitted ${name}`),
  });
  const request = (dryRun: boolean): AdmissionRequest => ({ dryRun }) as AdmissionRequest;

  test('asks all to change before any looks at the result, and tells them when it is stored', async () => {
    const chain = new AdmissionChain([plugin('a'), {}, plugin('b')]);
    await chain.admit(request(false));
    chain.admitted(request(true));
    assert.deepEqual(told.splice(0), ['mutate a', 'mutate b', 'validate a', 'validate b']);
    chain.admitted(request(false));
    assert.deepEqual(told.splice(0), ['admitted a', 'admitted b']);
  });

  test('lets all change it once more where one asks for that, and no further', async () => {
    const rounds: boolean[] = [];
    const again: AdmissionPlugin = {
      mutate: (_, isAgain) => {
        rounds.push(isAgain);
        return Promise.resolve(callAgain);
      },
    };
    await new AdmissionChain([plugin('a'), again, plugin('b')]).mutate(request(false));
    assert.deepEqual(rounds, [false, true]);
    assert.deepEqual(told.splice(0), ['mutate a', 'mutate b', 'mutate a', 'mutate b']);
  });
});
