import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownServer } from './own-server.ts';

test('who runs beside an API server meets it where it listens', () => {
  for (const [bind, url] of [
    [undefined, 'https://127.0.0.1:6443'],
    ['', 'https://127.0.0.1:6443'],
    ['0.0.0.0', 'https://127.0.0.1:6443'],
    ['::', 'https://127.0.0.1:6443'],
    ['192.0.2.10', 'https://192.0.2.10:6443'],
    ['fd00::10', 'https://[fd00::10]:6443'],
  ] as const)
    assert.equal(ownServer(bind, 6443).server, url);
});
