import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, request, type Server, type ServerResponse } from 'node:http';
import https from 'node:https';
import net, { type AddressInfo, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { describe, test } from 'node:test';
import { termHeader } from '../api/leader-term.ts';
import { eventually } from '../clock/testing/eventually.ts';
import { isKnownError } from '../errors/known-error.ts';
import { createAuthority, issueCertificate } from '../x509/authority.ts';
import { Client } from './client.ts';
import type { ClientConfig, Credentials } from './client-config.ts';
import { eachLine } from './transport.ts';

interface Flaky extends Disposable {
  readonly client: Client;
  readonly seen: string[];
  /** The terms that requests named. */
  readonly terms: unknown[];
  /** From now on every connection that has served a request before is reset by the next one. */
  resetKept(): void;
}

/** `timeoutMs` is short only where silence is what is waited for. */
async function flakyServer(timeoutMs = 60_000): Promise<Flaky> {
  const seen: string[] = [];
  const terms: unknown[] = [];
  const served = new WeakSet<Socket>();
  let reset = false;
  const server: Server = createServer({ keepAliveTimeout: 60_000 }, (req, res) => {
    seen.push(`${req.method} ${req.url}`);
    terms.push(req.headers[termHeader]);
    if (reset && served.has(req.socket)) {
      req.socket.resetAndDestroy();
      return;
    }
    served.add(req.socket);
    if (req.url === '/cut') {
      res.writeHead(200, { 'content-length': 100 });
      res.write('half');
      setImmediate(() => req.socket.resetAndDestroy());
      return;
    }
    if (req.url === '/never') return;
    res.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = new Client({ server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, timeoutMs });
  return {
    client,
    seen,
    terms,
    resetKept: () => {
      reset = true;
    },
    [Symbol.dispose]() {
      client.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

const isUnreachable = (err: unknown): boolean => isKnownError(err) && err.code === 'API_UNREACHABLE';

test('a GET on kept connections that are all reset is answered on a new one', async () => {
  using s = await flakyServer();
  // Several idle connections, as a busy controller keeps them.
  await Promise.all([1, 2, 3, 4].map(() => s.client.raw('GET', '/x')));
  s.resetKept();
  assert.equal(await s.client.raw('GET', '/x'), '{}');
});

test('a POST that met a reset is not said twice', async () => {
  using s = await flakyServer();
  await s.client.raw('GET', '/x');
  s.resetKept();
  await assert.rejects(s.client.raw('POST', '/x', { body: '{}' }), isUnreachable);
  assert.equal(s.seen.filter((r) => r.startsWith('POST')).length, 1);
});

test('a body that is cut off is told as unreachable', async () => {
  using s = await flakyServer();
  await assert.rejects(s.client.raw('GET', '/cut'), isUnreachable);
});

test('silence is told as unreachable once the time is up', async () => {
  using s = await flakyServer(50);
  await assert.rejects(s.client.raw('GET', '/never'), isUnreachable);
});

test('an abort gives the reason of the signal, also between head and body', async () => {
  using s = await flakyServer();
  const stop = new AbortController();
  const asked = s.client.raw('GET', '/never', { signal: stop.signal });
  stop.abort();
  await assert.rejects(asked, (err) => err instanceof Error && err.name === 'AbortError');
});

test('a client that is closed cuts what is under way, and sends nothing any more', async () => {
  using s = await flakyServer();
  await s.client.raw('GET', '/x');
  const asked = assert.rejects(s.client.raw('GET', '/never'), isUnreachable);
  for (const deadline = performance.now() + 60_000; s.seen.length < 2 && performance.now() < deadline; )
    await new Promise((resolve) => setTimeout(resolve, 2));
  s.client.close();
  await asked;
  await assert.rejects(s.client.raw('GET', '/y'), isUnreachable);
  assert.deepEqual(s.seen, ['GET /x', 'GET /never']);
});

test('a connection is probed after 15 s of silence, so that a peer that is cut off does not go unseen', async () => {
  using s = await flakyServer();
  void s.client.raw('GET', '/never').catch(() => {});
  const { port } = new URL(s.client.transport.config.server);
  const peer = `0100007F:${Number(port).toString(16).toUpperCase().padStart(4, '0')}`;
  // `02:` is the timer of keepalive, and when it is due in hundredths of a second.
  const due = (): number | undefined => {
    const line = readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .find((l) => l.trim().split(/\s+/)[2] === peer);
    const [, when] = /^02:([0-9A-F]+)$/.exec(line?.trim().split(/\s+/)[5] ?? '') ?? [];
    return when === undefined ? undefined : Number.parseInt(when, 16);
  };
  let left: number | undefined;
  for (const deadline = performance.now() + 60_000; left === undefined && performance.now() < deadline; left = due())
    await new Promise((resolve) => setTimeout(resolve, 2));
  assert.ok(left !== undefined && left > 200 && left <= 1_500, `${left}`);
});

test('who may not write any more sends nothing that changes something, and reads on', async () => {
  using s = await flakyServer();
  let lasts = true;
  const client = new Client({ server: s.client.server, term: { mayAct: () => lasts, text: () => 'holder=a' } });
  try {
    await client.raw('POST', '/x');
    lasts = false;
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) await assert.rejects(client.raw(method, '/x'), /may not write any more/);
    await client.raw('GET', '/x');
    assert.deepEqual(s.seen, ['POST /x', 'GET /x']);
    assert.deepEqual(s.terms, ['holder=a', undefined], 'what changes something names the term');
  } finally {
    client.close();
  }
});

/** An API server whose connections wait for `open` before a word is exchanged on them. */
async function slowToConnect(): Promise<Disposable & { readonly config: ClientConfig; readonly seen: string[]; open(): Promise<void> }> {
  const seen: string[] = [];
  const authority = await createAuthority('ca', Date.now());
  const { certPem: cert, keyPem: key } = await issueCertificate(
    authority,
    { commonName: 'server', ips: ['127.0.0.1'], usages: ['server'] },
    Date.now(),
  );
  const server = https.createServer({ cert, key }, (req, res) => {
    seen.push(`${req.method} ${req.url}`);
    res.end('{}');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const waiting: Socket[] = [];
  const door = net.createServer((socket) => void waiting.push(socket));
  await once(door.listen(0, '127.0.0.1'), 'listening');
  const portOf = (listening: net.Server): number => (listening.address() as AddressInfo).port;
  return {
    config: { server: `https://127.0.0.1:${portOf(door)}`, ca: authority.certPem },
    seen,
    async open() {
      await eventually(() => waiting.length > 0);
      for (const socket of waiting.splice(0)) {
        const beyond = net.connect(portOf(server), '127.0.0.1');
        pipeline(socket, beyond, socket, () => {});
      }
    },
    [Symbol.dispose]() {
      for (const socket of waiting) socket.destroy();
      server.closeAllConnections();
      server.close();
      door.close();
    },
  };
}

test('who may not write any more by the time the connection stands sends nothing on it', async () => {
  using s = await slowToConnect();
  let lasts = true;
  const client = new Client({ ...s.config, term: { mayAct: () => lasts, text: () => 'holder=a' } });
  try {
    const first = client.raw('POST', '/first', { body: '{}' });
    await s.open();
    assert.equal(await first, '{}');
    // Two at once, of which one needs a connection of its own.
    const kept = client.raw('POST', '/kept', { body: '{}' });
    const late = assert.rejects(client.raw('POST', '/late', { body: '{}' }), /may not write any more/);
    assert.equal(await kept, '{}');
    lasts = false;
    await s.open();
    await late;
    assert.deepEqual(s.seen, ['POST /first', 'POST /kept']);
  } finally {
    client.close();
  }
});

test('a client that is closed cuts also what is under way on connections whose credentials were replaced', async () => {
  using s = await flakyServer();
  let renewed: Credentials | undefined;
  const client = new Client({ server: s.client.server, renewed: async () => renewed });
  const old = assert.rejects(client.raw('GET', '/never'), /the client was closed/);
  await eventually(() => s.seen.includes('GET /never'));
  renewed = { token: 'new' };
  await client.raw('GET', '/x');
  client.close();
  await old;
});

/** Reads what `say` writes, line by line: the next part is written when the one before was read. */
async function linesOf(say: (response: ServerResponse) => void, onLine: (line: string) => void): Promise<void> {
  const server = createServer((_, response) => {
    response.flushHeaders();
    say(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    await new Promise<void>((resolve, reject) => {
      request({ port, host: '127.0.0.1' }, (response) => eachLine(response, onLine).then(resolve, reject))
        .on('error', () => {})
        .end();
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe('eachLine()', () => {
  test('puts lines together that come in parts, whatever the parts, and leaves out empty ones and the rest without an end', async () => {
    const bytes = Buffer.from('one\n\nzwölf\n\ncafé 🦀\nlast\nrest');
    for (let size = 1; size <= bytes.length; size++) {
      const seen: string[] = [];
      const parts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.subarray(n * size, (n + 1) * size));
      const say = (response: ServerResponse): void => {
        const part = parts.shift();
        if (part) response.write(part, () => setImmediate(() => say(response)));
        else response.end();
      };
      await linesOf(say, (line) => seen.push(line));
      assert.deepEqual(seen, ['one', 'zwölf', 'café 🦀', 'last'], `in parts of ${size}`);
    }
  });

  test('rejects when the body breaks off, after the lines that came', async () => {
    const seen: string[] = [];
    let cutOff = (): void => {};
    const cut = linesOf(
      (response) => {
        response.write('one\ntw');
        cutOff = () => response.socket?.resetAndDestroy();
      },
      (line) => {
        seen.push(line);
        cutOff();
      },
    );
    await assert.rejects(cut);
    assert.deepEqual(seen, ['one']);
  });

  test('rejects with what the reader throws, who then hears no more', async () => {
    const seen: string[] = [];
    const refused = linesOf(
      (response) => response.write('one\ntwo\nthree\n'),
      (line) => {
        seen.push(line);
        if (line === 'two') throw new Error('enough');
      },
    );
    await assert.rejects(refused, /^Error: enough$/);
    assert.deepEqual(seen, ['one', 'two']);
  });
});
