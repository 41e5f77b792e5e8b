/** The service proxy at work, and the file that its settings come from. */
import type { Client } from '../../client/client.ts';
import { aborted } from '../../clock/aborted.ts';
import { messageOf } from '../../errors/known-error.ts';
import { KernelNatHold } from '../../linux/nftables/nat-hold.ts';
import { fileOf, idleFields } from '../../proxy/config/config.ts';
import { followFile } from '../../proxy/config/follow-file.ts';
import type { KubeProxyConfiguration } from '../../proxy/config/kube-proxy-configuration.ts';
import { proxySettings } from '../../proxy/config/proxy-settings.ts';
import { applyConntrack, applyOomScore } from '../../proxy/host-settings.ts';
import type { ProxyOptions } from '../../proxy/options.ts';
import { ReloadingProxy } from '../../proxy/reloading-proxy.ts';
import { spareMemory } from '../spare-memory.ts';
import type { PartContext, Running } from './part.ts';
import { configurationOf, type ReadConfiguration } from './proxy-configuration.ts';
import { deprecatedFlags } from './proxy-flags.ts';

/** For what the first sync brings with it: flows that it found, and what other proxies left. */
const afterSyncMs = 250;

export interface ProxyConfig extends ReadConfiguration {
  readonly client: Client;
  readonly nodeName: string;
  readonly serviceCidrs: readonly string[];
  /** Whether the process is the proxy's own. */
  readonly isAlone: boolean;
}

/** Settings that a proxy can take over while it works; of the others a change is told. */
function reloadable(configuration: KubeProxyConfiguration, isAlone: boolean): Partial<ProxyOptions> {
  const settings = proxySettings(configuration);
  return { ...settings, modeOptions: { ...settings.modeOptions, isAlone }, configuration: fileOf(configuration) };
}

function notices({ given, configuration }: ProxyConfig): string[] {
  const flags = Object.entries(deprecatedFlags).flatMap(([flag, why]) =>
    given[flag] === undefined ? [] : [`--${flag} has no effect: ${why}`],
  );
  return [...flags, ...idleFields(configuration)];
}

export async function runProxy(config: ProxyConfig, { informers: pool, clock, log, signal }: PartContext): Promise<Running> {
  const { client, nodeName, serviceCidrs, configuration, given, file, isAlone } = config;
  for (const notice of notices(config)) log.warn(notice);
  applyConntrack(configuration.conntrack, log);
  if (isAlone) applyOomScore(configuration.oomScoreAdj, log);
  // DNS reads the same Services and EndpointSlices.
  const informers = pool.open(client, { clock, log, shares: ['services', 'endpointslices'], signal });
  const natHold = new KernelNatHold();
  const fixed = { client, nodeName, serviceCidrs, informers, natHold, readsAlone: isAlone, flags: given, clock, log };
  const proxy = await ReloadingProxy.start(fixed, reloadable(configuration, isAlone));
  const watching = informers.start(signal);
  if (isAlone) void proxy.synced.then(() => clock.after(afterSyncMs, spareMemory));
  const onChange = async (text: string): Promise<void> => {
    try {
      const changed = configurationOf(given, text);
      applyConntrack(changed.conntrack, log);
      await proxy.change(reloadable(changed, isAlone));
    } catch (err) {
      log.error(`Cannot use the changed configuration, the last one holds: ${messageOf(err)}`);
    }
  };
  const following = file ? followFile(file.path, { text: file.text, clock, signal, onChange }) : Promise.resolve();
  return {
    ready: proxy.synced.then(() => 'Services are programmed'),
    stopped: aborted(signal).then(async () => {
      await following;
      await Promise.all([watching, proxy.close()]);
      natHold.close();
    }),
    health: () => proxy.problem,
  };
}
