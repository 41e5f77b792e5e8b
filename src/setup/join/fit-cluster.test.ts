import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { configMaps, nodes } from '../../api/resource-types.ts';
import type { Node } from '../../api/schema/types.ts';
import { FakeClient, refusal } from '../../client/testing/fake-client.ts';
import { type Clock, systemClock } from '../../clock/clock.ts';
import { KnownError } from '../../errors/known-error.ts';
import { healthyFacts } from '../preflight/testing/healthy-facts.ts';
import { fitCluster } from './fit-cluster.ts';

const node = (machineID: string, status: 'True' | 'Unknown'): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'one' },
  status: { nodeInfo: { machineID } as never, conditions: [{ type: 'Ready', status }] },
});

describe('fitCluster()', () => {
  let client: FakeClient;
  /** Of a machine that has run for a while. */
  const start = 900_000;
  let time = start;
  const notes: string[] = [];
  /** What happens while it waits. */
  let onSleep: () => void = () => {};
  const clock: Clock = {
    ...systemClock,
    monotonic: () => time,
    sleep: async (ms) => {
      time += ms;
      onSleep();
    },
  };
  const context = {
    clock,
    signal: new AbortController().signal,
    steps: { note: (text: string) => notes.push(text), warn: () => {} } as never,
    timeoutMs: 300_000,
  };
  beforeEach(() => {
    client = new FakeClient(systemClock);
    Object.defineProperty(client, 'transport', { value: { send: async () => ({ headers: {}, resume() {} }), config: {}, close() {} } });
    client.put(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'kube-proxy', namespace: 'kube-system' } });
    [time, notes.length, onSleep] = [start, 0, () => {}];
  });
  const fit = (): Promise<void> => fitCluster(context, client, healthyFacts, [], new Set());

  test('is quiet where nothing is in the way', async () => {
    await fit();
    assert.deepEqual([time, notes], [start, []]);
  });

  test('waits until the control plane has missed a machine of the same name', async () => {
    client.put(nodes, node('gone', 'True'));
    onSleep = () => time >= start + 40_000 && client.put(nodes, node('gone', 'Unknown'));
    await fit();
    assert.equal(time, start + 40_000);
    assert.equal(notes.length, 1);
  });

  test('refuses a name whose machine lives on', async () => {
    client.put(nodes, node('lives', 'True'));
    await assert.rejects(fit(), { code: 'CHECK_FAILED', message: /is the node "one"/ });
    assert.equal(time, start + 60_000);
  });

  test('waits for a control plane that is away, and not for ever', async () => {
    const away = new KnownError('API_UNREACHABLE', 'nobody answers', { hint: '' });
    client.refuse(/list nodes/, away, 3);
    await fit();
    assert.deepEqual([time, notes], [start + 3_000, ['Waiting: nobody answers']]);
    client.refuse(/list nodes/, away);
    time = start;
    await assert.rejects(fit(), { code: 'API_UNREACHABLE' });
    assert.equal(time, start + 300_000);
  });

  test('says what to do with the certificate of another cluster', async () => {
    client.refuse(/list nodes/, refusal(401, 'Unauthorized'));
    await assert.rejects(fit(), { code: 'BAD_CONFIG', message: /does not know the certificate/, hint: /fairlead reset/ });
  });

  test('says that it cannot tell where nodes are shown to nobody who joins, and passes on any other refusal', async () => {
    client.refuse(/list nodes/, refusal(403, 'Forbidden'), 1);
    await fit();
    assert.match(notes[0] ?? '', /is not checked/);
    client.refuse(/list nodes/, refusal(500, 'InternalError'));
    await assert.rejects(fit(), { code: 500 });
  });
});
