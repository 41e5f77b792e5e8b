import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compactVerify } from 'jose';
import { configMaps, secrets } from '../../api/resource-types.ts';
import type { ConfigMap, Secret } from '../../api/schema/types.ts';
import type { Pass } from '../../client/testing/controller-bed.ts';
import { tokenSecret } from '../testing/bootstrap-tokens.ts';
import { TestBed } from '../testing/test-bed.ts';
import { BootstrapSignerController } from './controller.ts';
import { detachedSignature } from './desired.ts';

const key = 'kube-public/cluster-info';
const kubeconfig = 'apiVersion: v1\nkind: Config\n';
const write = `update configmaps ${key}`;
const signature = detachedSignature(kubeconfig, 'abcdef', '0123456789abcdef');

function info(data: Record<string, string>): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'cluster-info', namespace: 'kube-public' }, data };
}

interface Case extends Partial<Pass> {
  readonly does: string;
  readonly data: Record<string, string>;
  readonly tokens?: readonly Secret[];
  /** Ids whose signatures it has then; default: as it was. */
  readonly signed?: readonly string[];
}

/** The clock of tests stands at 2026-01-01T00:00:00Z. */
const cases: readonly Case[] = [
  {
    does: 'is signed with every token that may sign',
    data: { kubeconfig },
    tokens: [tokenSecret(), tokenSecret({ id: 'second' }), tokenSecret({ id: 'others', usages: ['authentication'] })],
    writes: [write],
    signed: ['abcdef', 'second'],
  },
  { does: 'is left alone when all is there', data: { kubeconfig, 'jws-kubeconfig-abcdef': signature }, tokens: [tokenSecret()] },
  {
    does: 'is signed again when it says something else',
    data: { kubeconfig: 'other', 'jws-kubeconfig-abcdef': signature },
    tokens: [tokenSecret()],
    writes: [write],
    signed: ['abcdef'],
  },
  {
    does: 'loses the signature of a token that is gone',
    data: { kubeconfig, 'jws-kubeconfig-abcdef': signature },
    writes: [write],
    signed: [],
  },
  {
    does: 'loses the signature of a token whose time is over',
    data: { kubeconfig, 'jws-kubeconfig-abcdef': signature },
    tokens: [tokenSecret({ expiration: '2026-01-01T00:00:00Z' })],
    writes: [write],
    signed: [],
  },
  {
    does: 'is looked at again when the first token ends',
    data: { kubeconfig, 'jws-kubeconfig-abcdef': signature },
    tokens: [tokenSecret({ expiration: '2026-01-01T00:01:00Z' })],
    requeueAfter: 60_000,
  },
  {
    does: 'is signed with no token whose name and content are at odds',
    data: { kubeconfig },
    tokens: [{ ...tokenSecret(), metadata: { name: 'bootstrap-token-xxxxxx', namespace: 'kube-system' } }],
  },
  { does: 'is left alone while it has no kubeconfig', data: { other: 'x' }, tokens: [tokenSecret()] },
];

describe('cluster-info', () => {
  for (const { does, data, tokens = [], signed, ...expected } of cases)
    test(does, async () => {
      await using bed = new TestBed();
      bed.put(configMaps, info({ ...data, note: 'stays' }));
      for (const token of tokens) bed.put(secrets, token);
      const controller = new BootstrapSignerController(bed.context);
      await bed.deliver();
      assert.deepEqual(await bed.pass(controller, key), { writes: [], events: [], ...expected });
      const after = bed.client.find(configMaps, key)?.data ?? {};
      const wanted = signed ?? Object.keys(data).flatMap((name) => (name.startsWith('jws-') ? [name.slice(-6)] : []));
      const others = Object.entries(data).filter(([name]) => !name.startsWith('jws-'));
      const signatures = wanted.map((id) => [`jws-kubeconfig-${id}`, detachedSignature(data.kubeconfig ?? '', id, '0123456789abcdef')]);
      assert.deepEqual(after, Object.fromEntries([...others, ['note', 'stays'], ...signatures]));
    });

  test('that is not there is fine', async () => {
    await using bed = new TestBed();
    assert.deepEqual(await bed.pass(new BootstrapSignerController(bed.context), key), { writes: [], events: [] });
  });

  test('is looked at when it changes and when tokens come, change and go', async () => {
    await using bed = new TestBed();
    const news = bed.listen(new BootstrapSignerController(bed.context));
    bed.put(configMaps, { ...info({}), metadata: { name: 'other', namespace: 'kube-public' } });
    assert.deepEqual(await news.deliver(), []);
    bed.put(configMaps, info({}));
    assert.deepEqual(await news.deliver(), [key]);
    bed.put(secrets, tokenSecret());
    assert.deepEqual(await news.deliver(), [key]);
    bed.put(secrets, tokenSecret({ description: 'x' }));
    assert.deepEqual(await news.deliver(), [key]);
    bed.client.forget(secrets, 'kube-system/bootstrap-token-abcdef');
    assert.deepEqual(await news.deliver(), [key]);
  });
});

test('the signature is what another library takes for the content', async () => {
  const [header, , mac] = signature.split('.');
  const whole = [header, Buffer.from(kubeconfig).toString('base64url'), mac].join('.');
  const { protectedHeader } = await compactVerify(whole, Buffer.from('0123456789abcdef'));
  assert.deepEqual(protectedHeader, { alg: 'HS256', kid: 'abcdef' });
  // Whoever joins compares texts: the header is written in this order and in no other.
  assert.equal(Buffer.from(header ?? '', 'base64url').toString(), '{"alg":"HS256","kid":"abcdef"}');
});
