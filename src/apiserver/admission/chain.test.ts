import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Registry } from '../../api/registry/registry.ts';
import { TestServer } from '../testing/test-server.ts';
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
    ['to enable what nothing would do', { enabled: ['LimitRanger'] }, /"LimitRanger": this server has no such plugin/],
    ['to disable what is always on', { disabled: ['CertificateApproval'] }, /"CertificateApproval": it is no plugin here/],
    ['both at once', { enabled: ['Priority'], disabled: ['Priority'] }, /enable and disable the admission plugin "Priority" at once/],
  ];
  for (const [name, choice, why] of refused)
    test(`refuses ${name}`, () => assert.throws(() => admissionChain(deps, { enabled: [], disabled: [], ...choice }), why));

  test('lets those be disabled that nothing does anyway, and those be enabled that are on', () => {
    admissionChain(deps, { enabled: ['NodeRestriction', 'CertificateSigning'], disabled: ['PodSecurity', 'Priority'] });
  });
});
