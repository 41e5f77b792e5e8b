import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { systemClock } from '../../clock/clock.ts';
import { silentLog } from '../../observability/log.ts';
import { TestPki } from '../testing/test-pki.ts';
import { listenHttps } from './https-listener.ts';

test('a connection that was opened and never used ends with 408, which Go takes as what it is, and nonsense with 400', async () => {
  const pki = await TestPki.create();
  const { app } = await listenHttps({
    listen: { host: '127.0.0.1', port: 0 },
    tls: { ...(await pki.server()), clientCa: pki.ca },
    access: { admit: () => Promise.reject(new Error('nobody asks')) },
    clock: systemClock,
    log: silentLog,
    serve: () => Promise.resolve(),
    upgrade: () => {},
    observe: () => {},
  });
  try {
    const answers = [];
    for (const code of ['ERR_HTTP_REQUEST_TIMEOUT', 'HPE_INVALID_METHOD']) {
      const socket = new PassThrough();
      app.server.emit('clientError', Object.assign(new Error(code), { code }), socket);
      answers.push((await text(socket)).split('\r\n')[0]);
    }
    assert.deepEqual(answers, ['HTTP/1.1 408 Request Timeout', 'HTTP/1.1 400 Bad Request']);
  } finally {
    await app.close();
  }
});
