import assert from 'node:assert/strict';
import test from 'node:test';
import { isContainerExit } from './containerd-events.ts';

/** A field whose number and length take one byte each. */
const field = (number: number, content: Buffer | string): Buffer => {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
};
const envelope = (exit: Buffer): Buffer => Buffer.concat([field(2, 'k8s.io'), field(3, '/tasks/exit'), field(4, field(2, exit))]);

test('a container has ended when the task that ended has its id', () => {
  assert.equal(isContainerExit(envelope(Buffer.concat([field(1, 'c1'), field(2, 'c1')]))), true);
});

test('the end of a command that was run in a container is none of the container', () => {
  assert.equal(isContainerExit(envelope(Buffer.concat([field(1, 'c1'), field(2, 'exec-1')]))), false);
});

test('an event that says nothing may be the end of a container', () => {
  assert.equal(isContainerExit(field(2, 'k8s.io')), true);
});
