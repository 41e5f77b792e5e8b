import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import type { CertificateSigningRequest } from '../../api/schema/types.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { type Log, silentLog } from '../../observability/log.ts';
import { type Authority, createAuthority } from '../../x509/authority.ts';
import { parseCertificateRequest } from '../../x509/certificate-request.ts';
import type { Client } from '../client.ts';
import { FakeClient, refusal } from '../testing/fake-client.ts';
import { turn } from '../testing/fake-cluster.ts';
import { decide, sign, undecided } from '../testing/signer.ts';
import { CertificateManager } from './certificate-manager.ts';
import { CertificateStore } from './certificate-store.ts';
import type { WantedCertificate } from './request-certificate.ts';

const hour = 3_600_000;

describe('the keeper of a certificate', () => {
  let root: string;
  let count = 0;
  let authority: Authority;
  let clock: FakeClock;
  let client: FakeClient;
  let store: CertificateStore;
  let said: string[];
  let wanted: WantedCertificate | undefined;
  let asked: boolean[];
  let stop: AbortController;
  let running: Promise<void> = Promise.resolve();

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'fairlead-manager-'));
    authority = await createAuthority('ca', Date.UTC(2026, 0, 1));
  });
  after(() => rm(root, { recursive: true }));
  beforeEach(() => {
    clock = new FakeClock();
    client = new FakeClient(clock);
    store = new CertificateStore(join(root, String(count++)), 'kubelet-client');
    said = [];
    asked = [];
    wanted = wantedFor('n1');
    stop = new AbortController();
  });
  afterEach(async () => {
    stop.abort();
    await running;
  });

  function wantedFor(dnsName: string): WantedCertificate {
    const names = { commonName: 'system:node:n1', organizations: ['system:nodes'], dnsNames: [dnsName] };
    return { names, signerName: 'kubernetes.io/kubelet-serving', usages: ['server auth'] };
  }

  function start(random = 0.5): CertificateManager {
    const note = (msg: string): void => void said.push(msg);
    const log: Log = { ...silentLog, info: note, warn: note };
    const manager = new CertificateManager({
      what: 'certificate',
      store,
      wanted: async () => wanted,
      client: async (hasValid): Promise<Client> => {
        asked.push(hasValid);
        return client;
      },
      clock,
      log,
      random: () => random,
    });
    running = manager.run(stop.signal);
    return manager;
  }

  /** The request that is made within `withinMs` of the clock; the first one needs no time. */
  async function request(withinMs = 0): Promise<CertificateSigningRequest> {
    while (asked.length === 0) await turn();
    for (let waited = 0; undecided(client).length === 0; waited += 1000) {
      for (let i = 0; i < 10; i++) await turn();
      if (undecided(client).length > 0) break;
      assert.ok(waited < withinMs, `no request within ${withinMs} ms`);
      await clock.advance(1000);
    }
    const [made] = undecided(client);
    assert.ok(made);
    return made;
  }

  async function give(made: CertificateSigningRequest, lifeMs = 10 * hour): Promise<void> {
    const before = given().length;
    await sign(client, authority, made, { notBefore: clock.now(), notAfter: clock.now() + lifeMs });
    while (given().length === before) await turn();
    await turn();
  }

  const given = (): string[] => said.filter((text) => text.startsWith('Got'));

  /** Time goes by, in steps that a manager wakes in. */
  async function pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 10 * 60_000) {
      await clock.advance(Math.min(left, 10 * 60_000));
      for (let i = 0; i < 5; i++) await turn();
    }
  }

  test('asks for the first one, with whatever it has, and says how it is meanwhile', async () => {
    const manager = start();
    const made = await request();
    assert.equal(manager.problem, 'there is no certificate yet');
    await give(made);
    assert.equal(manager.problem, undefined);
    assert.deepEqual([asked, said], [[false], ['Got a certificate, good until 2026-01-01T10:00:00.000Z']]);
  });

  for (const [random, ms] of [
    [0, 7 * hour],
    [0.5, 8 * hour],
    [1, 9 * hour],
  ] as const)
    test(`asks for the next one after ${ms / hour} hours of ten, when the lot is ${random}, while the present one is good`, async () => {
      const manager = start(random);
      await give(await request());
      await pass(ms - 60_000);
      assert.deepEqual(undecided(client), []);
      await give(await request(120_000));
      assert.deepEqual([asked, manager.problem], [[false, true], undefined]);
    });

  test('keeps the one that is there from the last time', async () => {
    start();
    await give(await request());
    stop.abort();
    await running;
    stop = new AbortController();
    const manager = start();
    while (manager.problem !== undefined) await turn();
    await pass(hour);
    assert.deepEqual([undecided(client), asked], [[], [false]]);
  });

  test('sees that the clock was set past the end, and asks as one who has none', async () => {
    const manager = start();
    await give(await request());
    await pass(hour);
    const real = clock.now.bind(clock);
    clock.now = () => real() + 48 * hour;
    assert.match(manager.problem ?? '', /^the certificate has ended at 2026-01-01T10:00:00/);
    await give(await request(20_000));
    assert.deepEqual([asked, manager.problem], [[false, false], undefined]);
  });

  test('tries again when nobody gives one: soon, then less often, and says each reason once', async () => {
    client.refuse(/create/, refusal(403, 'Forbidden', 'not you'), 3);
    start(0);
    const made = await request(2_000 + 4_000 + 8_000 + 1_000);
    decide(client, made, 'Denied');
    await give(await request(40_000));
    assert.deepEqual(said.slice(0, 1), ['Cannot get a new certificate, and will try again: not you']);
    assert.match(said[1] ?? '', /it is denied/);
    assert.equal(said.length, 3);
  });

  test('asks again when other names are wanted, and gives up what it asked for before', async () => {
    start();
    await give(await request());
    wanted = wantedFor('n1.example');
    const second = await request(20_000);
    assert.deepEqual(namesIn(second), ['n1.example']);
    wanted = wantedFor('n1.other');
    await clock.advance(10_000);
    let third: CertificateSigningRequest | undefined;
    for (let i = 0; i < 60 && !third; i++) {
      await clock.advance(1000);
      for (let j = 0; j < 10; j++) await turn();
      third = undecided(client).find((one) => namesIn(one)[0] === 'n1.other');
    }
    assert.ok(third);
  });

  test('asks for nothing while nobody knows what', async () => {
    wanted = undefined;
    start();
    await pass(hour);
    assert.deepEqual(asked, []);
  });
});

function namesIn({ spec }: CertificateSigningRequest): readonly string[] {
  return parseCertificateRequest(Buffer.from(spec.request, 'base64').toString()).names.dnsNames;
}
