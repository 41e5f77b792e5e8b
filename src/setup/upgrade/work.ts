/** What the steps of an upgrade do to the machine and its cluster: the edge under `upgrade.ts`. */
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { configMaps, type KubeObject } from '../../api/resource-types.ts';
import { waitUntil } from '../../cli/wait-until.ts';
import { isNotFound } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { kubernetesVersion, programVersion } from '../../observability/version.ts';
import { findCertificates } from '../certs/certs.ts';
import { renewCertificates } from '../certs/renew.ts';
import { joinRoles } from '../init/roles.ts';
import { layout } from '../layout.ts';
import { waitForNode } from '../node/agent.ts';
import type { ServiceName } from '../service/service.ts';
import { settingsNamespace } from '../settings/settings.ts';
import type { SetupContext } from '../setup-context.ts';
import { type DrainWish, drainNode, uncordonNode } from './drain.ts';
import type { StoreFact } from './facts.ts';
import { openClient, type Site, type StoreTools, serverVersion } from './look.ts';
import { reconcileAccess, reconcileSettings } from './reconcile.ts';
import type { UpgradeWork } from './upgrade.ts';

export interface WorkRequest {
  readonly site: Site;
  readonly store: StoreFact | undefined;
  readonly tools: StoreTools;
  readonly drain: DrainWish;
  /** What proxy, pod network and DNS need, granted to all nodes. */
  readonly nodeRoles: readonly KubeObject[];
}

export class MachineWork implements UpgradeWork {
  readonly #context: SetupContext;
  readonly #request: WorkRequest;

  constructor(context: SetupContext, request: WorkRequest) {
    this.#context = context;
    this.#request = request;
  }

  now(): number {
    return this.#context.clock.now();
  }

  async saveSnapshot(): Promise<string> {
    const { store, tools } = this.#request;
    if (store?.kind !== 'file') throw new TypeError('there is no file to save');
    const target = join(dirname(store.path), `before-${programVersion}.snapshot`);
    await tools.save(`sqlite://${pathToFileURL(store.path).pathname}`, target);
    return target;
  }

  async renewCertificates(names: readonly string[]): Promise<void> {
    const { kubernetesDir: kubeconfigDir, pkiDir, certDir } = layout;
    await renewCertificates(await findCertificates({ pkiDir, kubeconfigDir, certDir }), names, { pkiDir, now: this.now() });
  }

  async restart(name: ServiceName): Promise<void> {
    await this.#context.keeper.restart(name);
  }

  async waitForServer(version: string): Promise<void> {
    const { signal, keeper } = this.#context;
    await this.#withClient((client) =>
      waitUntil('the control plane', this.#wait(`See why: ${keeper.logHint('server')}`), async () => {
        const found = await serverVersion(client, signal);
        if (found !== version) return `it runs ${found} so far`;
        await client.raw('GET', '/readyz', { signal });
        return undefined;
      }),
    );
  }

  /** The garbage collector takes away what belongs to an object that is not there: seen from outside, and nothing stays. */
  async waitForControllers(): Promise<void> {
    const { server = {} } = this.#request.site;
    // Who has left some out may run them elsewhere, or not at all.
    if (server.FAIRLEAD_PARTS !== undefined || server.FAIRLEAD_CONTROLLERS !== undefined) return;
    const { signal, keeper } = this.#context;
    await this.#withClient(async (client) => {
      const where = { namespace: settingsNamespace, signal };
      const probe = await client.create(configMaps, orphan());
      const { name = '' } = probe.metadata;
      try {
        await waitUntil('the controllers to act', this.#wait(`See why: ${keeper.logHint('server')}`), async () => {
          const isThere = await client.get(configMaps, name, where).then(
            () => true,
            (err: unknown) => !isNotFound(err),
          );
          return isThere ? `the garbage collector has not seen ConfigMap "${settingsNamespace}/${name}"` : undefined;
        });
      } catch (err) {
        await client.delete(configMaps, name, { namespace: settingsNamespace }).catch(() => {});
        throw err;
      }
    });
  }

  async reconcile(): Promise<boolean> {
    return await this.#withClient(async (client) => {
      const hasNewAccess = await reconcileAccess(client, [...joinRoles(), ...this.#request.nodeRoles]);
      return (await reconcileSettings(client, kubernetesVersion)) || hasNewAccess;
    });
  }

  async drain(): Promise<boolean> {
    const { site, drain } = this.#request;
    return await this.#withClient((client) => drainNode(client, site.nodeName, drain, this.#context));
  }

  async uncordon(): Promise<void> {
    await this.#withClient((client) => uncordonNode(client, this.#request.site.nodeName));
  }

  async waitForNode(version: string, since: number): Promise<void> {
    await this.#withClient((client) => waitForNode(this.#context, client, this.#request.site.nodeName, since, version));
  }

  #wait(hint: string): Parameters<typeof waitUntil>[1] {
    const { clock, signal, timeoutMs, steps } = this.#context;
    return { clock, signal, timeoutMs, onPatience: (text) => steps.note(text), hint };
  }

  async #withClient<T>(use: (client: Client) => Promise<T>): Promise<T> {
    const client = await openClient(this.#request.site, 30_000);
    try {
      return await use(client);
    } finally {
      client.close();
    }
  }
}

function orphan(): KubeObject {
  const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'none', uid: randomUUID() };
  const metadata = { namespace: settingsNamespace, name: `fairlead-upgrade-${randomUUID()}`, ownerReferences: [owner] };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata };
}
