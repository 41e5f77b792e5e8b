import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { serviceAccounts } from '../api/resource-types.ts';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { AccountClients, AccountToken } from './account-clients.ts';
import { Client } from './client.ts';
import { FakeClient, refusal } from './testing/fake-client.ts';

/** Gives tokens named one after the other to accounts that are there. */
class Issuer extends FakeClient {
  issued = 0;

  override async createSubresource<T>(_type: unknown, name: string, subresource: string, body: object): Promise<T> {
    assert.deepEqual([subresource, (body as { spec: object }).spec], ['token', { expirationSeconds: 3600 }]);
    await Promise.resolve();
    if (this.away) throw new Error('away');
    if (!this.find(serviceAccounts, `kube-system/${name}`)) throw refusal(404, 'NotFound');
    return { status: { token: `${name}-${++this.issued}` } } as T;
  }

  away = false;
}

describe('AccountToken', () => {
  const hour = 3_600_000;

  test('makes the account when it is not there, and asks once for many', async () => {
    const clock = new FakeClock();
    const issuer = new Issuer(clock);
    const token = new AccountToken(issuer, 'job-controller', clock);
    assert.deepEqual(await Promise.all([token.text(), token.text()]), ['job-controller-1', 'job-controller-1']);
    assert.ok(issuer.find(serviceAccounts, 'kube-system/job-controller'));
  });

  test('asks anew when four fifths of its life are over, and goes on with what it has while the server is away', async () => {
    const clock = new FakeClock();
    const issuer = new Issuer(clock);
    const token = new AccountToken(issuer, 'a', clock);
    await token.text();
    await clock.advance(0.8 * hour - 1);
    assert.equal(await token.text(), 'a-1');
    issuer.away = true;
    await clock.advance(0.2 * hour);
    assert.equal(await token.text(), 'a-1');
    await clock.advance(1);
    await assert.rejects(token.text(), /away/);
    issuer.away = false;
    assert.equal(await token.text(), 'a-2');
  });

  test('asks anew when the server refuses the token, unless another one has taken its place', async () => {
    const clock = new FakeClock();
    const token = new AccountToken(new Issuer(clock), 'a', clock);
    await token.text();
    token.refused('a-1');
    assert.equal(await token.text(), 'a-2');
    token.refused('a-1');
    assert.equal(await token.text(), 'a-2');
  });

  test('two that find no account and make it at once both get their token', async () => {
    const clock = new FakeClock();
    const issuer = new Issuer(clock);
    const tokens = [new AccountToken(issuer, 'a', clock), new AccountToken(issuer, 'a', clock)];
    assert.deepEqual((await Promise.all(tokens.map((token) => token.text()))).toSorted(), ['a-1', 'a-2']);
  });
});

test('AccountClients: each client shows the token of its account, and another one when that is refused', async () => {
  const shown: (string | undefined)[] = [];
  await using server = createServer((req, res) => {
    if (req.method === 'POST') {
      res.end(JSON.stringify({ status: { token: `token-${shown.length}` } }));
      return;
    }
    shown.push(req.headers.authorization);
    res.statusCode = shown.length === 1 ? 401 : 200;
    res.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const root = new Client({ server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: 'root' });
  const clients = new AccountClients(root, new FakeClock());
  await assert.rejects(clients.of('a').raw('GET', '/x'));
  await clients.of('a').raw('GET', '/x');
  assert.deepEqual(shown, ['Bearer token-0', 'Bearer token-1']);
  assert.equal(clients.of('a'), clients.of('a'));
  clients.close();
  await assert.rejects(root.raw('GET', '/x'), /the client was closed/);
});
