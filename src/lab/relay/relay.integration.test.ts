/**
 * The relay between three network namespaces: a lab, the machine it runs on, and a world behind the machine with addresses as the
 * world has them. Whoever connects from the lab is what a pod is: it reaches the relay, and knows no credential.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../../clock/testing/eventually.ts';
import { listenInNetns } from '../../linux/listen-in-netns.ts';
import { cannotMakeNamespaces, Namespaces } from '../../linux/testing/namespaces.ts';
import { relayPort, relayUser } from './login.ts';
import type { RelayConfig } from './start.ts';

const relayAddress = '192.168.120.126';
const credential = 'of-this-test';
const secret = Buffer.from(`${relayUser}:${credential}`).toString('base64');
const usersSecret = Buffer.from('user:password').toString('base64');

describe('the relay', { skip: cannotMakeNamespaces }, () => {
  const spaces = new Namespaces();
  const servers: Server[] = [];
  /** What was connected to in vain if the relay is as it should be. */
  const reached: string[] = [];
  /** What the proxy of the machine was asked. */
  const asked: string[] = [];
  let dir = '';

  function serve(space: string, address: string, port: number, answer: (first: string) => string): void {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (bytes) => socket.end(answer(bytes.toString('latin1'))));
    });
    servers.push(server.listen({ fd: listenInNetns(spaces.path(space), 'tcp', address, port) }));
  }

  async function startRelay(lab: string, allowed: string, ...env: string[]): Promise<void> {
    await spaces.add(lab);
    await spaces.ip(lab, `addr add ${relayAddress}/32 dev lo`);
    const config: RelayConfig = {
      name: 'none',
      netns: spaces.path(lab),
      address: relayAddress,
      lab: ['192.168.120.0/24', '21.0.0.0/16'],
      allowed,
      credentialFile: join(dir, 'credential'),
    };
    const program = join(import.meta.dirname, 'relay-process.ts');
    spaces.start('machine', 'env', [...env, process.execPath, program, JSON.stringify(config)], 'ignore');
    await eventually('the relay to listen', async () => (await connect(lab, 'none:443')).startsWith('HTTP/1.1'));
  }

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'relay-'));
    await writeFile(join(dir, 'credential'), credential, { mode: 0o600 });
    await spaces.add('machine', 'world');
    await spaces.ip('machine', 'link add eth0 type veth peer name eth0 netns @world');
    await spaces.ip('machine', 'addr add 20.0.0.7/24 dev eth0');
    // As docker0 is while no container runs: up, without a carrier, and left out by the usual list of a machine's addresses.
    await spaces.ip('machine', 'link add idle0 type bridge');
    await spaces.ip('machine', 'addr add 22.0.0.1/24 dev idle0');
    await spaces.ip('machine', 'link set idle0 up');
    await spaces.ip('world', 'addr add 20.0.0.1/24 dev eth0');
    for (const space of ['machine', 'world']) await spaces.ip(space, 'link set eth0 up');
    serve('world', '20.0.0.1', 443, (first) => `world heard ${first}`);
    serve('world', '20.0.0.1', 8080, (request) => {
      asked.push(request);
      return 'HTTP/1.1 200 ok\r\nX-Proxy: 1\r\n\r\nbehind the proxy';
    });
    for (const address of ['127.0.0.1', '20.0.0.7', '22.0.0.1'])
      serve('machine', address, 443, () => {
        reached.push(address);
        return 'host';
      });
    const proxy = 'HTTPS_PROXY=http://user:password@20.0.0.1:8080';
    await Promise.all([
      startRelay('direct', ''),
      startRelay('proxied', '', proxy),
      startRelay('opened', 'registry.example,20.0.0.0/8', proxy),
    ]);
  });

  after(async () => {
    for (const server of servers) server.close();
    await spaces[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  /** Everything that comes back for a CONNECT from inside the lab. */
  async function connect(lab: string, target: string, login?: string): Promise<string> {
    const header = login === undefined ? '' : `Proxy-Authorization: Basic ${login}\r\n`;
    const request = `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${header}\r\nhello`;
    return (await spaces.run(lab, 'busybox', ['nc', '-w', '15', relayAddress, String(relayPort)], request)).stdout;
  }

  const hostile = [
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '127.0.0.1',
    '127.1',
    '0x7f000001',
    'localhost',
    '0.0.0.0',
    '[::]',
    '20.0.0.7',
  ].concat([
    '[::ffff:20.0.0.7]',
    '22.0.0.1',
    '21.0.3.4',
    '192.168.120.10',
    '10.0.0.1',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::1]',
    '[fe80::1]',
    '20.0.0.255',
  ]);

  for (const lab of ['direct', 'proxied']) {
    test(`serves no pod, wherever it wants to go (${lab})`, async () => {
      for (const login of [undefined, '', usersSecret, Buffer.from(`${relayUser}:`).toString('base64')])
        for (const target of ['20.0.0.1:443', '[::ffff:127.0.0.1]:443', 'registry.invalid:443'])
          assert.match(await connect(lab, target, login), /^HTTP\/1\.1 407 /, target);
      assert.deepEqual([reached, asked], [[], []]);
    });

    test(`gives not even a runtime what is of this machine or of the lab (${lab})`, async () => {
      for (const host of hostile) {
        const answer = await connect(lab, `${host}:443`, secret);
        assert.match(answer, /^HTTP\/1\.1 502 the lab's relay cannot reach /, host);
      }
      for (const target of ['20.0.0.1:80', '20.0.0.1:6443', '20.0.0.1', 'x@20.0.0.1:443', ''])
        assert.doesNotMatch(await connect(lab, target, secret), /^HTTP\/1\.1 200/, target);
      assert.deepEqual([reached, asked], [[], []]);
    });
  }

  test('gives a runtime the world', async () => {
    assert.equal(await connect('direct', '20.0.0.1:443', secret), 'HTTP/1.1 200 Connection established\r\n\r\nworld heard hello');
  });

  test('gives a runtime the world through the proxy of this machine, by its address and with the login of the user', async () => {
    asked.length = 0;
    // 20.0.0.9 as one number: what is asked for is what it was resolved to, not what it was called.
    assert.equal(await connect('proxied', '335544329:443', secret), 'HTTP/1.1 200 Connection established\r\n\r\nbehind the proxy');
    assert.match(asked[0] ?? '', /^CONNECT 20\.0\.0\.9:443 HTTP\/1\.1\r\n/);
    assert.ok(asked[0]?.includes(`Proxy-Authorization: Basic ${usersSecret}\r\n`));
    assert.ok(!asked[0]?.includes(secret));
  });

  test('hands a name that was opened on to the proxy of this machine, and opens nothing else by that', async () => {
    asked.length = 0;
    assert.match(await connect('opened', 'registry.example:443', secret), /^HTTP\/1\.1 200 /);
    assert.match(asked[0] ?? '', /^CONNECT registry\.example:443 /);
    for (const target of ['registry.example:80', '20.0.0.7:443', '22.0.0.1:443', '[::ffff:20.0.0.9]:443'])
      assert.match(await connect('opened', target, secret), /^HTTP\/1\.1 502 /, target);
    assert.match(await connect('opened', 'registry.example:443'), /^HTTP\/1\.1 407 /);
    assert.deepEqual([reached, asked.length], [[], 1]);
  });
});
