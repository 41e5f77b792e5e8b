/**
 * A Service of very many endpoints that come and go by portions in mode ipvs: another one is served meanwhile, and by what it changed. FAIRLEAD_ENDPOINTS=60000 has so many.
 * Runs in the guest.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../../../src/clock/testing/eventually.ts';
import { inNetns } from '../../../src/linux/netns.ts';
import { ipvsFace } from '../../../src/proxy/mode/ipvs/testing/face.ts';
import type { HandmadeCluster } from '../../../src/proxy/testing/handmade-cluster.ts';
import { cluster, endpoints, LiveNode } from '../../rules/testing/live-suite.ts';

const hostileIp = '10.96.0.66';
const perSlice = 1000;
const sliceName = (at: number): string => `hostile-${at}`;
/** More than go in one portion. */
const count = Number(process.env.FAIRLEAD_ENDPOINTS ?? 8000);
/** For hangs: how long it takes is told. */
const patience = { timeoutMs: 600_000, pauseMs: 1000 };

function putEndpoints(made: HandmadeCluster): void {
  for (let at = 0; at < count; at += perSlice) {
    const ips = Array.from({ length: Math.min(perSlice, count - at) }, (_, i) => `10.100.${(at + i) >> 8}.${(at + i) & 255}`);
    const metadata = { name: sliceName(at), namespace: 'default', labels: { 'kubernetes.io/service-name': 'hostile' } };
    const ports = [{ name: '', port: 8080, protocol: 'TCP' }];
    const list = ips.map((ip) => ({ addresses: [ip], nodeName: 'node2' }));
    made.slices.put({ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata, addressType: 'IPv4', ports, endpoints: list });
  }
}

async function seconds(work: Promise<unknown>): Promise<string> {
  const begun = performance.now();
  await work;
  return `${((performance.now() - begun) / 1000).toFixed(1)} s`;
}

describe(`mode ipvs beside a Service of ${count} endpoints`, { concurrency: false }, () => {
  let node: LiveNode;
  before(async () => {
    node = await LiveNode.create(ipvsFace, 'hos');
  });
  after(async () => {
    await node?.clear();
    await node?.[Symbol.asyncDispose]();
  });

  /** How many endpoints the kernel has of it: 10.100.0.0/16 as its table has it. */
  const held = (): number => {
    const table = inNetns(node.topology.node, () => readFileSync('/proc/thread-self/net/ip_vs', 'utf8'));
    return table.match(/-> 0A64/g)?.length ?? 0;
  };

  test('serves others while they come and go, by what these changed meanwhile', async (t) => {
    const made = cluster();
    await node.start(made);
    await using traffic = await node.traffic();
    const change = async (turn: number, when: string): Promise<void> => {
      const ip = endpoints[turn % endpoints.length] ?? '';
      made.endpoints('web', [ip]);
      const took = await seconds(node.untilServedBy(ip));
      t.diagnostic(`another Service's change ${when}: ${took}, ${held()} endpoints are there then`);
      await traffic.goesOn(`${when}: `);
    };
    const until = async (wanted: number, what: string): Promise<void> => {
      t.diagnostic(`${what}: ${await seconds(eventually(what, () => assert.equal(held(), wanted), patience))} more`);
      await traffic.goesOn(`${what}: `);
    };

    made.service('hostile', hostileIp);
    putEndpoints(made);
    await change(0, 'while they come');
    await until(count, 'all are there');
    await change(1, 'when all are there');
    for (let at = perSlice; at < count; at += perSlice) made.slices.remove(`default/${sliceName(at)}`);
    await change(2, 'while all but one slice go');
    await until(perSlice, 'these are gone');
    putEndpoints(made);
    await until(count, 'all are back');
    made.services.remove('default/hostile');
    await change(3, 'while the Service goes');
    await until(0, 'it is gone');
    await node.assertConverged(made);
    await traffic.goesOn();
  });
});
