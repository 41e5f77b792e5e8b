import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GaugeSource, Sample } from '../observability/gauge.ts';
import { ProcessMetrics } from './process-metrics.ts';

test('a process tells who leads, and what its parts count now, of nothing that is gone', async () => {
  let samples: Sample[] = [];
  const source: GaugeSource = { name: 'things', help: 'How many things', read: () => samples };
  let gauges: GaugeSource[] = [source];
  const metrics = new ProcessMetrics({ leads: () => new Map([['kube-x', true]]), gauges: () => gauges });
  const lines = async (): Promise<string[]> => (await metrics.text()).split('\n').filter((line) => /^(things|leader)/.test(line));
  assert.deepEqual(await lines(), ['leader_election_master_status{name="kube-x"} 1']);
  samples = [
    { labels: { of: 'a' }, value: 1 },
    { labels: { of: 'b' }, value: 2 },
  ];
  assert.deepEqual((await lines()).slice(1), ['things{of="a"} 1', 'things{of="b"} 2']);
  samples = [{ labels: { of: 'b' }, value: 0 }];
  assert.deepEqual((await lines()).slice(1), ['things{of="b"} 0']);
  gauges = [];
  assert.equal((await lines()).length, 1);
  assert.match(await metrics.text(), /^process_cpu_seconds_total /m);
});
