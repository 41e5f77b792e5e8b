/** The Service kube-dns, which the control plane keeps. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/clock/clock.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { clusterDnsService, keepClusterDns } from '../../src/main/cluster-dns.ts';
import { DnsCluster, keepingLog } from './cluster.ts';

const services = '/api/v1/namespaces/kube-system/services';

test('the Service is made, made again when it was deleted, and left alone when somebody made another', async () => {
  const cluster = await DnsCluster.start();
  const end = new AbortController();
  const warnings: string[] = [];
  const { promise: over, resolve: endGrace } = Promise.withResolvers<void>();
  const graces: number[] = [];
  const clock = {
    ...systemClock,
    sleep: async (ms: number) => {
      if (graces.push(ms) > 1) await over;
    },
  };
  const service = async (): Promise<{ readonly uid: string; readonly selector: unknown } | undefined> => {
    const { status, body } = await cluster.api.call('GET', `${services}/kube-dns`);
    return status === 200 ? { uid: body.metadata.uid, selector: body.spec.selector } : undefined;
  };
  try {
    const client = await cluster.client('admin', 'system:masters');
    const options = { client, address: '10.96.0.10', clock, log: keepingLog(warnings), signal: end.signal };
    const kept = keepClusterDns(options);
    await eventually('it is there', async () => (await service()) !== undefined);
    const first = await service();
    await cluster.api.call('DELETE', `${services}/kube-dns`);
    await eventually('it is there again', async () => ![undefined, first?.uid].includes((await service())?.uid));

    await cluster.api.call('DELETE', `${services}/kube-dns`);
    const theirs = clusterDnsService('10.96.0.10');
    await cluster.api.call('POST', services, { ...theirs, spec: { ...theirs.spec, selector: { 'k8s-app': 'kube-dns' } } });
    await eventually('its end was seen', () => graces.length === 2);
    endGrace();
    end.abort();
    await kept;
    assert.deepEqual((await service())?.selector, { 'k8s-app': 'kube-dns' });
    assert.deepEqual(warnings, []);
  } finally {
    end.abort();
    await cluster.stop();
  }
});
