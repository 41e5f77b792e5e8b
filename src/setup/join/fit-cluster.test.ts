import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { configMaps, nodes } from '../../api/resource-types.ts';
import type { Node } from '../../api/schema/types.ts';
import { FakeClient, refusal } from '../../client/testing/fake-client.ts';
import { type Clock, systemClock } from '../../clock/clock.ts';
import { KnownError } from '../../errors/known-error.ts';
import type { Facts } from '../preflight/facts.ts';
import { healthyFacts } from '../preflight/testing/healthy-facts.ts';
import type { Token } from '../token/token.ts';
import { type FitRequest, fitCluster } from './fit-cluster.ts';

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
  const putSetting = (name: string, data: Record<string, string>): void =>
    void client.put(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'kube-system' }, data });
  beforeEach(() => {
    client = new FakeClient(systemClock);
    Object.defineProperty(client, 'transport', { value: { send: async () => ({ headers: {}, resume() {} }), config: {}, close() {} } });
    putSetting('kube-proxy', {});
    putSetting('kubeadm-config', {});
    [time, notes.length, onSleep] = [start, 0, () => {}];
  });
  const addressesFor: FitRequest['addressesFor'] = async (families) =>
    families.length > 0 ? families.map((family) => ({ 4: '192.168.56.10', 6: 'fd00::10' })[family]) : healthyFacts.addresses;
  const fit = (facts = healthyFacts, token?: Token): Promise<Facts> =>
    fitCluster(context, client, { facts, addressesFor, ignored: [], token, told: new Set() });

  test('is quiet where nothing is in the way', async () => {
    await fit();
    assert.deepEqual([time, notes], [start, []]);
  });

  test('finds the addresses of the families that pods of the cluster have', async () => {
    const networking = 'networking: { podSubnet: "fd00:10:244::/56,10.244.0.0/16", serviceSubnet: 10.96.0.0/16 }';
    putSetting('kubeadm-config', { ClusterConfiguration: networking });
    const { addresses, families } = await fit({ ...healthyFacts, families: [] });
    assert.deepEqual(
      [families, addresses],
      [
        [6, 4],
        ['fd00::10', '192.168.56.10'],
      ],
    );
  });

  test('goes on where nobody may read what the cluster says of itself', async () => {
    client.refuse(/get configmaps/, refusal(403, 'Forbidden'));
    assert.deepEqual((await fit({ ...healthyFacts, families: [] })).families, []);
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
    await assert.rejects(fit(), {
      code: 'BAD_CONFIG',
      message: /does not know the certificate/,
      hint: /run the same command again, which gets another: rm \/etc\/kubernetes\/kubelet\.conf$/,
    });
  });

  test('says what to do with a token that is not taken, and nothing of a certificate', async () => {
    client.refuse(/list nodes/, refusal(401, 'Unauthorized'));
    await assert.rejects(fit(healthyFacts, { id: 'abcdef', secret: '0123456789abcdef' }), {
      code: 'CHECK_FAILED',
      message: /^Cannot join by token "abcdef": \S+ does not take it: it has ended since, or is not for authentication$/,
      hint: 'On the control plane: fairlead token create --print-join-command',
    });
  });

  test('says that it cannot tell where nodes are shown to nobody who joins, and passes on any other refusal', async () => {
    client.refuse(/list nodes/, refusal(403, 'Forbidden'), 1);
    await fit();
    assert.match(notes[0] ?? '', /is not checked/);
    client.refuse(/list nodes/, refusal(500, 'InternalError'));
    await assert.rejects(fit(), { code: 500 });
  });
});
