import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { listenForCalls } from './server.ts';

describe('listenForCalls()', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'fl-server-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('lets go of a caller that ends before it has asked', async () => {
    const server = await listenForCalls(join(dir, 's'), async () => assert.fail());
    const socket = connect(join(dir, 's'));
    const closed = once(socket, 'close');
    socket.end('{"plugin"');
    await closed;
    await new Promise((resolve) => server.close(resolve));
  });

  it('answers a caller that has said all it has to say', async () => {
    const server = await listenForCalls(join(dir, 's'), async ({ stdin }) => ({ code: 0, stdout: stdin }));
    const socket = connect(join(dir, 's'));
    socket.end('{"stdin":"x"}\n');
    assert.equal(String((await once(socket, 'data'))[0]), '{"code":0,"stdout":"x"}\n');
    await new Promise((resolve) => server.close(resolve));
  });
});
