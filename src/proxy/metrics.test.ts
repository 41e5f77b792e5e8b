import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { FakeIptables } from '../linux/iptables/testing/fake-iptables.ts';
import { FakeNftables } from '../linux/testing/fake-nftables.ts';
import { countNoLocal, ProxyMetrics } from './metrics.ts';
import { IptablesMode } from './mode/iptables/iptables-mode.ts';
import { IpvsMode } from './mode/ipvs/ipvs-mode.ts';
import { FakeIpvsKernel } from './mode/ipvs/testing/fake-kernel.ts';
import type { Mode } from './mode/mode.ts';
import { NftablesMode } from './mode/nftables/nftables-mode.ts';
import type { Frontend, PortPlan, ServicePlan } from './plan/service-plan.ts';

type Row = readonly [name: string, type: string, labels?: string];

/** As in kube-proxy 1.34 and later. */
const ofEveryMode: readonly Row[] = [
  ['conntrack_reconciler_deleted_entries_total', 'counter', 'ip_family'],
  ['conntrack_reconciler_sync_duration_seconds', 'histogram', 'ip_family'],
  ['network_programming_duration_seconds', 'histogram', 'ip_family'],
  ['proxy_healthz_total', 'counter', 'code'],
  ['proxy_livez_total', 'counter', 'code'],
  ['sync_full_proxy_rules_duration_seconds', 'histogram', 'ip_family'],
  ['sync_partial_proxy_rules_duration_seconds', 'histogram', 'ip_family'],
  ['sync_proxy_rules_duration_seconds', 'histogram', 'ip_family'],
  ['sync_proxy_rules_endpoint_changes_pending', 'gauge'],
  ['sync_proxy_rules_endpoint_changes_total', 'counter'],
  ['sync_proxy_rules_last_queued_timestamp_seconds', 'gauge', 'ip_family'],
  ['sync_proxy_rules_last_timestamp_seconds', 'gauge', 'ip_family'],
  ['sync_proxy_rules_no_local_endpoints_total', 'gauge', 'ip_family traffic_policy'],
  ['sync_proxy_rules_service_changes_pending', 'gauge'],
  ['sync_proxy_rules_service_changes_total', 'counter'],
];

const modes: readonly (readonly [Mode, readonly Row[]])[] = [
  [
    new NftablesMode(new FakeNftables()),
    [
      ['sync_proxy_rules_nftables_cleanup_failures_total', 'counter', 'ip_family'],
      ['sync_proxy_rules_nftables_sync_failures_total', 'counter', 'ip_family'],
    ],
  ],
  [
    new IptablesMode({ iptables: new FakeIptables() }),
    [
      ['iptables_ct_state_invalid_dropped_packets_total', 'counter'],
      ['sync_proxy_rules_iptables_last', 'gauge', 'ip_family table'],
      ['sync_proxy_rules_iptables_partial_restore_failures_total', 'counter', 'ip_family'],
      ['sync_proxy_rules_iptables_restore_failures_total', 'counter', 'ip_family'],
      ['sync_proxy_rules_iptables_total', 'gauge', 'ip_family table'],
    ],
  ],
  [new IpvsMode(new FakeIpvsKernel()), [['sync_proxy_rules_iptables_restore_failures_total', 'counter', 'ip_family']]],
];

function metricsOf(mode: Mode): ProxyMetrics {
  return new ProxyMetrics(mode.failuresMetric, mode.figures, new FakeClock());
}

describe('ProxyMetrics', () => {
  for (const [mode, own] of modes)
    test(`has the names, types and labels of kube-proxy in mode ${mode.name}`, async () => {
      const { registry } = metricsOf(mode);
      const rows = (await registry.getMetricsAsJSON()).flatMap(({ name, type }) => {
        const { labelNames = [] } = registry.getSingleMetric(name) as unknown as { readonly labelNames?: readonly string[] };
        return name.startsWith('kubeproxy_') ? [[name.slice('kubeproxy_'.length), type, labelNames.join(' ')].join(' ').trim()] : [];
      });
      assert.deepEqual(rows.sort(), [...ofEveryMode, ...own].map((row) => row.join(' ')).sort());
    });

  test('has the buckets of kube-proxy', async () => {
    const metrics = metricsOf(modes[0]?.[0] as Mode);
    metrics.programming.observe({ ip_family: 'IPv4' }, 0.3);
    metrics.sync.observe({ ip_family: 'IPv4' }, 0.003);
    metrics.flowsSync.observe({ ip_family: 'IPv4' }, 0.003);
    const text = await metrics.registry.metrics();
    const bounds = (name: string): number[] =>
      [...text.matchAll(new RegExp(`^kubeproxy_${name}_bucket\\{le="([\\d.]+)"`, 'gm'))].map(([, bound]) => Number(bound));
    const programming = bounds('network_programming_duration_seconds');
    assert.equal(programming.length, 80);
    assert.deepEqual(programming.slice(0, 4), [0.25, 0.5, 1, 2]);
    assert.deepEqual(programming.slice(59, 63), [58, 59, 60, 65]);
    assert.deepEqual(programming.slice(-3), [240, 270, 300]);
    for (const name of ['sync_proxy_rules_duration_seconds', 'conntrack_reconciler_sync_duration_seconds']) {
      const sync = bounds(name);
      assert.deepEqual([sync.length, sync[0], sync.at(-1)], [15, 0.001, 16.384]);
    }
  });

  test('tells of a family from the beginning that nothing failed, and when it was asked for', async () => {
    const metrics = metricsOf(modes[0]?.[0] as Mode);
    metrics.opened('ip6', 4000);
    const text = await metrics.registry.metrics();
    assert.match(text, /^kubeproxy_sync_proxy_rules_nftables_sync_failures_total\{ip_family="IPv6"\} 0$/m);
    assert.match(text, /^kubeproxy_conntrack_reconciler_deleted_entries_total\{ip_family="IPv6"\} 0$/m);
    assert.match(text, /^kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds\{ip_family="IPv6"\} 4$/m);
    assert.doesNotMatch(text, /IPv4/);
  });

  test('tells what a mode counts now, with its labels', async () => {
    let seen = 1;
    const figure = { help: 'x', labels: ['table'], read: async () => [[{ table: 'nat' }, seen++]] as const };
    const { registry } = new ProxyMetrics('failures', [
      { ...figure, name: 'a_total', type: 'counter' },
      { ...figure, name: 'b', type: 'gauge' },
    ]);
    await registry.metrics();
    const text = await registry.metrics();
    assert.match(text, /^kubeproxy_a_total\{table="nat"\} 3$/m);
    assert.match(text, /^kubeproxy_b\{table="nat"\} 4$/m);
  });

  for (const type of ['counter', 'gauge'] as const)
    test(`tells a ${type} as it was when it cannot be read, such as that of a mode that is closed, and all others`, async () => {
      let isClosed = false;
      const read = () => (isClosed ? Promise.reject(new Error('ESHUTDOWN')) : ([[{}, 7]] as const));
      const { registry } = new ProxyMetrics('failures', [{ name: 'a', help: 'x', labels: [], type, read }]);
      await registry.metrics();
      isClosed = true;
      const text = await registry.metrics();
      assert.match(text, /^kubeproxy_a 7$/m);
      assert.match(text, /^process_cpu_seconds_total /m);
    });

  test('tells of the process', async () => {
    const text = await metricsOf(modes[0]?.[0] as Mode).registry.metrics();
    const told = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
    assert.ok(told('process_cpu_seconds_total') > 0);
    assert.ok(told('process_open_fds') >= 3);
    assert.ok(told('process_resident_memory_bytes') > 1e7);
    assert.ok(told('process_virtual_memory_bytes') > told('process_resident_memory_bytes'));
    assert.ok(Math.abs(told('process_start_time_seconds') + process.uptime() - new FakeClock().now() / 1000) < 600);
  });
});

describe('countNoLocal', () => {
  const frontend = (kind: Frontend['kind'], more: Partial<Frontend>): Frontend => ({
    kind,
    port: 80,
    inside: 'cluster',
    outside: 'cluster',
    masquerade: 'always',
    ...more,
  });
  const plan = (key: string, ...frontends: Frontend[]): readonly [string, ServicePlan] => {
    const port: PortPlan = { name: '', protocol: 'tcp', frontends, cluster: [], local: [], serving: new Set() };
    return [key, { key, rank: '', ports: [port, port] }];
  };

  test('counts Services, by the policy that leaves them without', () => {
    const plans = new Map([
      plan('n/served', frontend('cluster-ip', {}), frontend('node-port', {})),
      plan('n/refused', frontend('cluster-ip', { inside: 'refuse' })),
      plan('n/internal', frontend('cluster-ip', { inside: 'drop', outside: 'drop' })),
      plan('n/external', frontend('cluster-ip', {}), frontend('node-port', { outside: 'drop' })),
      plan('n/external2', frontend('load-balancer-ip', { outside: 'drop' }), frontend('node-port', { outside: 'drop' })),
    ]);
    assert.deepEqual(countNoLocal(plans), [1, 2]);
  });
});
