import assert from 'node:assert/strict';
import { connect as connectTcp } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { connect } from 'node:tls';
import { TestServer } from '../testing/test-server.ts';
import { checkHead } from './request-head.ts';

describe('requests that are none, or too much of one', () => {
  let s: TestServer;
  let admin: { cert: string; key: string };
  before(async () => {
    s = await TestServer.start();
    admin = await s.pki.client('admin', 'system:masters');
  });
  after(() => s.stop());

  /** What the server says to a text, until it closes the connection. */
  const say = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      let answer = '';
      const socket = connect({ port: s.server.address.port, host: '127.0.0.1', ca: s.pki.ca, ...admin }, () => socket.write(text));
      socket.setEncoding('utf8').on('data', (part: string) => {
        answer += part;
      });
      socket.on('error', reject);
      socket.on('close', () => resolve(answer));
    });
  const close = 'host: x\r\nconnection: close\r\n\r\n';

  for (const path of ['/healthz', '/version', '/metrics', '/api/v1/namespaces', '/api/v1/namespaces/default/configmaps/x']) {
    for (const method of ['TRACE', 'OPTIONS', 'PROPFIND', 'QUERY', 'BREW', 'CONNECT']) {
      test(`${method} ${path} is not allowed`, async () => {
        const answer = await say(`${method} ${path} HTTP/1.1\r\n${close}`);
        assert.match(answer, /^HTTP\/1\.1 405 Method Not Allowed\r\n/);
        assert.match(answer, /"message":"the server does not allow this method on the requested resource","reason":"MethodNotAllowed"/);
      });
    }
  }

  test('takes headers of up to a megabyte, as upstream, and says why not more', async () => {
    const ask = (bytes: number): Promise<string> => say(`GET /api/v1/namespaces HTTP/1.1\r\nx-a: ${'x'.repeat(bytes)}\r\n${close}`);
    assert.match(await ask(1_000_000), /^HTTP\/1\.1 200 OK\r\n/);
    const refused = await ask(1_050_000);
    assert.match(refused, /^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/);
    assert.match(refused, /"kind":"Status".*the headers of the request are too large/);
  });

  test('drops no header, such as one that says in whose name a request is made', async () => {
    const many = 'x-a: b\r\n'.repeat(1990);
    const asJane = `GET /api/v1/namespaces HTTP/1.1\r\n${many}impersonate-user: jane\r\n${close}`;
    assert.match(await say(asJane), /^HTTP\/1\.1 403 Forbidden/);
    assert.match(await say(asJane.replace(many, many.repeat(2))), /^HTTP\/1\.1 431 /);
  });

  test('says why to what is no HTTP at all', async () => {
    assert.match(await say('hello\r\n\r\n'), /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*carries no HTTP/);
  });

  test('does not speak without TLS', async () => {
    const socket = connectTcp(s.server.address.port, '127.0.0.1', () => socket.write(`GET / HTTP/1.1\r\n${close}`));
    socket.on('error', () => {}).resume();
    await new Promise((resolve) => socket.on('close', resolve));
  });
});

describe('checkHead()', () => {
  test('refuses URLs of more parts than anybody needs, however they are parted', () => {
    const refused = { name: 'StatusError', code: 400, message: /too many parts/ };
    for (const url of ['/'.repeat(6000), `/api?${'a&'.repeat(6000)}`]) assert.throws(() => checkHead({ rawHeaders: [], url }), refused);
    checkHead({ rawHeaders: [], url: `/api/v1/pods?labelSelector=${'a%2Cb'.repeat(50_000)}` });
  });
});
