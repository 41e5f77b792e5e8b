import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { configMaps, namespaces, serviceAccounts } from '../../api/resource-types.ts';
import type { ConfigMap, Namespace } from '../../api/schema/types.ts';
import type { Pass } from '../../client/testing/controller-bed.ts';
import { refusal } from '../../client/testing/fake-client.ts';
import { RootCaController } from '../root-ca/controller.ts';
import { ServiceAccountController } from '../serviceaccount/controller.ts';
import { TestBed } from '../testing/test-bed.ts';

const caKey = 'team/kube-root-ca.crt';

function namespace(more: Partial<Namespace> = {}): Namespace {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' }, ...more };
}

function configMap(ca: string, name: string = 'kube-root-ca.crt'): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'team', labels: { kept: 'yes' } }, data: { 'ca.crt': ca } };
}

interface Case extends Partial<Pass> {
  readonly does: string;
  readonly namespace?: Namespace;
  readonly configMap?: ConfigMap;
  /** What the copies do not show. */
  readonly meanwhile?: (bed: TestBed) => void;
}

const cases: readonly Case[] = [
  { does: 'makes the object where there is none', namespace: namespace(), writes: [`create configmaps ${caKey}`] },
  { does: 'leaves alone what is right', namespace: namespace(), configMap: configMap('the root') },
  { does: 'puts right what was changed', namespace: namespace(), configMap: configMap('another'), writes: [`update configmaps ${caKey}`] },
  { does: 'makes nothing in a namespace that ends', namespace: namespace({ status: { phase: 'Terminating' } }) },
  { does: 'makes nothing in a namespace that is gone' },
  {
    does: 'is content when somebody made it first',
    namespace: namespace(),
    meanwhile: (bed) => void bed.put(configMaps, configMap('the root')),
    writes: [`create configmaps ${caKey}`],
  },
  {
    does: 'comes back when the server does not know the namespace yet',
    namespace: namespace(),
    meanwhile: (bed) => bed.client.refuse(/create/, refusal(404, 'NotFound', 'no such namespace')),
    writes: [`create configmaps ${caKey}`],
    error: 'no such namespace',
  },
  {
    does: 'comes back when somebody changed it again',
    namespace: namespace(),
    configMap: configMap('another'),
    meanwhile: (bed) => void bed.put(configMaps, configMap('a third')),
    writes: [`update configmaps ${caKey}`],
    error: 'the object "kube-root-ca.crt" has been modified',
  },
];

describe('the publisher of the root certificate', () => {
  for (const { does, namespace: there, configMap: published, meanwhile, ...expected } of cases) {
    test(does, async () => {
      await using bed = new TestBed();
      if (there) bed.put(namespaces, there);
      if (published) bed.put(configMaps, published);
      const controller = new RootCaController(bed.context);
      await bed.deliver();
      meanwhile?.(bed);
      assert.deepEqual(await bed.pass(controller, 'team'), { writes: [], events: [], ...expected });
    });
  }

  test('keeps what others wrote on the object', async () => {
    await using bed = new TestBed();
    bed.put(namespaces, namespace());
    bed.put(configMaps, configMap('another'));
    const controller = new RootCaController(bed.context);
    await bed.deliver();
    await bed.pass(controller, 'team');
    const { data, metadata } = bed.client.find(configMaps, caKey) as ConfigMap;
    assert.deepEqual([data, metadata.labels], [{ 'ca.crt': 'the root' }, { kept: 'yes' }]);
  });

  test('looks at a namespace that comes, and at one whose object is changed or deleted', async () => {
    await using bed = new TestBed();
    const news = bed.listen(new RootCaController(bed.context));
    bed.put(namespaces, namespace());
    assert.deepEqual(await news.deliver(), ['team']);
    bed.put(configMaps, configMap('the root'));
    bed.put(configMaps, configMap('the root', 'of no interest'));
    assert.deepEqual(await news.deliver(), []);
    bed.put(configMaps, configMap('another'));
    bed.put(configMaps, configMap('another', 'of no interest'));
    assert.deepEqual(await news.deliver(), ['team']);
    bed.client.forget(configMaps, caKey);
    assert.deepEqual(await news.deliver(), ['team']);
  });
});

test('every namespace gets a ServiceAccount named default, and a changed one may stay', async () => {
  await using bed = new TestBed();
  bed.put(namespaces, namespace());
  const controller = new ServiceAccountController(bed.context);
  await bed.deliver();
  assert.deepEqual((await bed.pass(controller, 'team')).writes, ['create serviceaccounts team/default']);
  bed.put(serviceAccounts, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'default', namespace: 'team' },
    automountServiceAccountToken: false,
  });
  await bed.deliver();
  assert.deepEqual((await bed.pass(controller, 'team')).writes, []);
});
