/** Which controllers of a cloud there are, and that they run. */
import { Controller, type Reconciler } from '../client/controller.ts';
import { runNamed } from '../client/named-controllers.ts';
import { openMetal } from './metal/metal.ts';
import { readDocuments } from './metal/metallb-objects.ts';
import { poolOfRanges } from './metal/pools.ts';
import { CloudNodeController, CloudNodeLifecycleController } from './node/controller.ts';
import type { CloudContext, Provider, ProviderContext } from './provider.ts';
import { RouteController } from './route/controller.ts';
import { ServiceController } from './service/controller.ts';

/** What a provider is told: the documents of `--cloud-config`, and flags of its own. */
export interface ProviderSettings {
  readonly config: readonly unknown[];
  readonly addressPools: readonly string[];
  readonly configMap: string;
}

/** Providers by the name that `--cloud-provider` has. */
export const providers: Readonly<Record<string, (context: ProviderContext, settings: ProviderSettings) => Provider>> = {
  metal: (context, { config, addressPools, configMap }) =>
    openMetal(context, { configMap, pools: [...poolOfRanges(addressPools), ...readDocuments(config)] }),
};

type Run = (context: CloudContext) => Promise<void>;

/** A controller with the half of the provider that it needs; one without ends at once, and says so. */
function needing<H extends 'loadBalancers' | 'instances' | 'routes'>(
  half: H,
  open: (context: CloudContext, half: NonNullable<Provider[H]>) => Reconciler,
): Run {
  return async (context) => {
    const { provider, clock, log, signal } = context;
    const has = provider[half];
    if (has === undefined) log.info(`Provider "${provider.name}" has no ${half}: nothing to do`);
    else await new Controller({ reconciler: open(context, has as NonNullable<Provider[H]>), clock, log }).run(signal);
  };
}

/** Every controller by upstream's name. */
export const cloudControllers: Readonly<Record<string, Run>> = {
  'cloud-node-controller': needing('instances', (context, instances) => new CloudNodeController(context, instances)),
  'cloud-node-lifecycle-controller': needing('instances', (context, instances) => new CloudNodeLifecycleController(context, instances)),
  'service-lb-controller': needing('loadBalancers', (context, balancers) => new ServiceController(context, balancers)),
  'node-route-controller': needing('routes', (context, routes) => new RouteController(context, routes)),
};

/** The ServiceAccounts of kube-system as which they act, by upstream's names. A provider acts as the process. */
const accounts: Readonly<Record<string, string>> = {
  'cloud-node-controller': 'node-controller',
  'cloud-node-lifecycle-controller': 'node-controller',
  'service-lb-controller': 'service-controller',
  'node-route-controller': 'route-controller',
};

interface CloudChoice {
  readonly names: readonly string[];
  readonly providerName: string;
  readonly provider: ProviderSettings;
}

/** Opens the provider and runs its controllers until the signal aborts. */
export async function startCloud(context: Omit<CloudContext, 'provider'>, { names, providerName, provider }: CloudChoice): Promise<void> {
  const open = providers[providerName];
  if (!open) throw new RangeError(`Cannot open provider "${providerName}": there is none of that name`);
  const { client, clientOf = () => client } = context;
  const acting = Object.entries(cloudControllers).map(([name, run]): [string, Run] => [
    name,
    (own) => run({ ...own, client: clientOf(accounts[name] ?? name) }),
  ]);
  await runNamed({ ...context, provider: open(context, provider) }, names, Object.fromEntries(acting));
}
