import assert from 'node:assert/strict';
import { test } from 'node:test';
import { daemonSets } from '../../api/resource-types.ts';
import type { ControllerRevision, DaemonSet } from '../../api/schema/types.ts';
import type { Client } from '../../client/client.ts';
import type { Informer } from '../../client/informer.ts';
import { Revisions } from './revisions.ts';

test('Revisions sends the data byte by byte as Go writes it, for a server that keeps it so, and knows it again', async () => {
  const sent: string[] = [];
  const stored: ControllerRevision[] = [];
  const client = {
    create: async (_type: object, made: ControllerRevision) => {
      const text = JSON.stringify(made);
      sent.push(JSON.stringify(made.data));
      const back = JSON.parse(text) as ControllerRevision;
      stored.push({ ...back, metadata: { ...back.metadata, uid: 'r1', resourceVersion: '1' } });
      return stored.at(-1);
    },
  } as unknown as Client;
  const informer = { list: () => stored, get: () => undefined, on() {} } as unknown as Informer<ControllerRevision>;
  const owner: DaemonSet = {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'd', namespace: 'default', uid: 'u' },
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'x', args: ['1 < 2 && 3 > 2'] }] } },
    },
  };
  const revisions = new Revisions(client, daemonSets, 'hash', informer);
  const made = await revisions.upTo(owner);
  assert.deepEqual(sent, [
    '{"spec":{"template":{"$patch":"replace","metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"args":["1 \\u003c 2 \\u0026\\u0026 3 \\u003e 2"],"image":"x","name":"c"}]}}}}',
  ]);
  assert.deepEqual(await revisions.upTo(owner), made);
  assert.equal(sent.length, 1);
});
