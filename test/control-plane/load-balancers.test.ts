import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { configMaps, events, nodes, serviceAccounts, services } from '../../src/api/resource-types.ts';
import type { Service } from '../../src/api/schema/types.ts';
import { AccountClients } from '../../src/client/account-clients.ts';
import { isNotFound } from '../../src/client/api-error.ts';
import { InformerSet } from '../../src/client/informers.ts';
import { systemClock } from '../../src/clock/clock.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { cloudControllers, startCloud } from '../../src/cloud/start.ts';
import { type Log, silentLog } from '../../src/observability/log.ts';
import { ControlPlane } from './testing/control-plane.ts';
import { service } from './testing/manifests.ts';

const inDefault = { namespace: 'default' };

/** `fairlead cloud-controller-manager --use-service-account-credentials` under its own user, in this process. */
class Cloud {
  readonly complaints: string[] = [];
  #accounts: AccountClients | undefined;
  #stop = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  async start(cp: ControlPlane): Promise<void> {
    const client = await cp.clientNamed('system:cloud-controller-manager');
    const accounts = new AccountClients(client, systemClock);
    this.#accounts = accounts;
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    const note = (msg: string): void => void this.complaints.push(msg);
    const log: Log = { ...silentLog, warn: note, error: note, child: () => log };
    const informers = new InformerSet(client, { log });
    const periods = { routePeriodMs: 10_000, nodeMonitorPeriodMs: 5_000, nodeStatusPeriodMs: 300_000 };
    const clientOf = accounts.of.bind(accounts);
    const context = {
      client,
      clientOf,
      informers,
      clock: systemClock,
      log,
      signal,
      clusterName: 'kubernetes',
      clusterCidrs: [],
      ...periods,
    };
    const provider = { config: [], addressPools: [], configMap: 'kube-system/metal-address-pools' };
    const choice = { names: Object.keys(cloudControllers), providerName: 'metal', provider };
    this.#running = Promise.all([informers.start(signal), startCloud(context, choice)]);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#accounts?.close();
  }
}

describe('load balancers on bare metal', () => {
  let cp: ControlPlane;
  const cloud = new Cloud();
  before(async () => {
    cp = await ControlPlane.start({ controllers: [], scheduler: false, kubelet: false, nodes: 1 });
    const config = 'address-pools: [{name: default, protocol: layer2, addresses: [192.0.2.10-192.0.2.11]}]';
    const metadata = { name: 'metal-address-pools', namespace: 'kube-system' };
    await cp.client.create(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { config } });
    await cloud.start(cp);
  });
  after(async () => {
    await cloud.stop();
    await cp.stop();
    assert.deepEqual(cloud.complaints, []);
  });

  const get = (name: string): Promise<Service> => cp.client.get(services, name, inDefault);
  const addressOf = async (name: string): Promise<string | undefined> => (await get(name)).status?.loadBalancer?.ingress?.[0]?.ip;
  const expose = (name: string): Promise<Service> => cp.client.create(services, service(name, { type: 'LoadBalancer' }));
  const shows = (name: string, address: string | undefined): Promise<unknown> =>
    eventually(`${name} has ${address}`, async () => (await addressOf(name)) === address);

  test('a Service gets an address, the next one another, and the third is told that there are no more', async () => {
    await expose('a');
    await shows('a', '192.0.2.10');
    await expose('b');
    await shows('b', '192.0.2.11');
    const { metadata } = await get('a');
    assert.deepEqual(metadata.finalizers, ['service.kubernetes.io/load-balancer-cleanup']);
    assert.equal(metadata.annotations?.['fairlead.dev/announce'], 'layer2');
    await expose('c');
    const told = async (): Promise<boolean> =>
      (await cp.client.list(events, inDefault)).items.some(
        ({ reason, involvedObject, message }) =>
          reason === 'AllocationFailed' &&
          involvedObject.name === 'c' &&
          message === 'Failed to allocate IP for "default/c": no available IPs',
      );
    await eventually('the event', told);
    const account = await cp.client.get(serviceAccounts, 'service-controller', { namespace: 'kube-system' });
    assert.equal(account.metadata.name, 'service-controller', 'whose tokens the controller has');
  });

  test('keeps them while another process takes over', async () => {
    await cloud.stop();
    await cloud.start(cp);
    const config = 'address-pools: [{name: default, protocol: layer2, addresses: [192.0.2.9-192.0.2.11]}]';
    await cp.client.patch(configMaps, 'metal-address-pools', { data: { config } }, { namespace: 'kube-system' });
    await shows('c', '192.0.2.9');
    assert.deepEqual([await addressOf('a'), await addressOf('b')], ['192.0.2.10', '192.0.2.11']);
  });

  test('a Service that is deleted goes, and leaves its address to the next', async () => {
    await cp.client.delete(services, 'a', inDefault);
    await eventually('it is gone', async () => (await get('a').catch((err: unknown) => isNotFound(err))) === true);
    await expose('d');
    await shows('d', '192.0.2.10');
  });

  test('a Service that becomes another one loses address, annotations and finalizer', async () => {
    await cp.client.patch(services, 'd', { spec: { type: 'ClusterIP' } }, inDefault);
    await eventually('it is plain', async () => (await get('d')).metadata.finalizers === undefined);
    const { metadata, status } = await get('d');
    assert.deepEqual([metadata.annotations ?? {}, status], [{}, { loadBalancer: {} }]);
  });

  test('initialises a node whose kubelet waits for the cloud', async () => {
    const taints = [{ key: 'node.cloudprovider.kubernetes.io/uninitialized', value: 'true', effect: 'NoSchedule' }];
    await cp.addNode('external', { taints });
    await eventually('the taint goes', async () => {
      const { spec } = await cp.client.get(nodes, 'external');
      return spec?.taints === undefined && spec?.providerID === 'metal://external';
    });
  });
});
