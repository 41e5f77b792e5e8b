import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { earlierNodeOf } from '../setup/node/earlier-node.ts';
import { nodeWish } from './node-wish.ts';

const unsaid = { 'node-name': undefined, 'cri-socket': undefined, 'ignore-preflight-errors': '', taint: true };
const agent = `FAIRLEAD_NODE_NAME="one"
FAIRLEAD_RUNTIME_ENDPOINT="unix:///x.sock"
FAIRLEAD_REGISTER_WITH_TAINTS="a=b:NoSchedule"
`;
const before = earlierNodeOf({ agent }, undefined);
const fresh = earlierNodeOf({}, undefined);

test('a machine that was nothing yet is known by its host name', () => {
  const { nodeName, runtimeEndpoint, taints } = nodeWish(unsaid, undefined, fresh, false);
  assert.deepEqual(
    [nodeName, runtimeEndpoint, taints.registered],
    [hostname().toLowerCase(), 'unix:///run/containerd/containerd.sock', undefined],
  );
});

test('a node that is made again, by a line that names nothing of it, stays what it is', () => {
  const { nodeName, runtimeEndpoint, taints } = nodeWish(unsaid, {}, before, false);
  assert.deepEqual(
    [nodeName, runtimeEndpoint, taints.registered],
    ['one', 'unix:///x.sock', [{ key: 'a', value: 'b', effect: 'NoSchedule' }]],
  );
});

test('what is empty in a file says nothing', () => {
  const { nodeName, runtimeEndpoint } = nodeWish(unsaid, { name: '', criSocket: '' }, before, false);
  assert.deepEqual([nodeName, runtimeEndpoint], ['one', 'unix:///x.sock']);
});

test('flags say more than the file, and the file more than what was before', () => {
  const registration = { name: 'Two', criSocket: 'unix:///two.sock', taints: [] };
  const inFile = nodeWish(unsaid, registration, before, false);
  assert.deepEqual([inFile.nodeName, inFile.runtimeEndpoint, inFile.taints.registered], ['two', 'unix:///two.sock', []]);
  const flags = { ...unsaid, 'node-name': 'Three', 'cri-socket': 'unix:///three.sock' };
  const given = nodeWish(flags, registration, before, false);
  assert.deepEqual([given.nodeName, given.runtimeEndpoint], ['three', 'unix:///three.sock']);
  assert.deepEqual(nodeWish({ ...unsaid, taint: false }, undefined, before, true).taints, { registered: [], marked: [] });
});
