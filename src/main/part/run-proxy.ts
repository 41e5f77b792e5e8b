/** The service proxy at work, and the file that its settings come from. */
import type { Client } from '../../client/client.ts';
import { aborted } from '../../clock/aborted.ts';
import { messageOf } from '../../errors/known-error.ts';
import { KernelNatHold } from '../../linux/nftables/nat-hold.ts';
import { fileOf, idleFields, lateFields } from '../../proxy/config/config.ts';
import type { KubeProxyConfiguration } from '../../proxy/config/kube-proxy-configuration.ts';
import { proxySettings } from '../../proxy/config/proxy-settings.ts';
import { applyConntrack, applyOomScore } from '../../proxy/host-settings.ts';
import type { ProxyOptions } from '../../proxy/options.ts';
import { ReloadingProxy } from '../../proxy/reloading-proxy.ts';
import { isDebug } from '../process-log.ts';
import { spareMemory } from '../spare-memory.ts';
import { followFile } from './follow-file.ts';
import type { PartContext, Running } from './part.ts';
import { configurationOf, nodeNameIn, type ReadConfiguration } from './proxy-configuration.ts';
import { deprecatedFlags, portFlags } from './proxy-flags.ts';

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
  const settings = { ...proxySettings(configuration), nodeName: nodeNameIn(configuration) };
  return { ...settings, modeOptions: { ...settings.modeOptions, isAlone }, configuration: fileOf(configuration) };
}

function idleFlags({ given }: ProxyConfig): string[] {
  const isIdle = (flag: string): boolean => given[flag] !== undefined && !(flag in portFlags && Number(given[flag]) === 0);
  return Object.entries(deprecatedFlags).flatMap(([flag, why]) => (isIdle(flag) ? [`--${flag} has no effect: ${why}`] : []));
}

/** What of a changed configuration is not as it says, as far as that was not told before. */
function newNotices(before: KubeProxyConfiguration, now: KubeProxyConfiguration, isAlone: boolean): string[] {
  const told = new Set(idleFields(before, isAlone));
  return [...idleFields(now, isAlone).filter((notice) => !told.has(notice)), ...lateFields(before, now, isAlone)];
}

export async function runProxy(config: ProxyConfig, { informers: pool, clock, log, logThreshold, signal }: PartContext): Promise<Running> {
  const { client, nodeName, serviceCidrs, given, file, isAlone } = config;
  let { configuration } = config;
  for (const notice of [...idleFlags(config), ...idleFields(configuration, isAlone)]) log.warn(notice);
  const applyToHost = ({ conntrack, oomScoreAdj }: KubeProxyConfiguration): void => {
    applyConntrack(conntrack, log);
    if (isAlone) applyOomScore(oomScoreAdj, log);
  };
  applyToHost(configuration);
  // DNS reads the same Services and EndpointSlices.
  const informers = pool.open(client, { clock, log, shares: ['services', 'endpointslices'], signal });
  const natHold = new KernelNatHold();
  const setVerbosity = (verbosity: number): void => {
    if (logThreshold) logThreshold.isDebug = isDebug(verbosity);
  };
  const ofProcess = isAlone ? { setVerbosity } : {};
  const fixed = { client, nodeName, serviceCidrs, informers, natHold, readsAlone: isAlone, flags: given, clock, log, ...ofProcess };
  const proxy = await ReloadingProxy.start(fixed, reloadable(configuration, isAlone));
  const watching = informers.start(signal);
  if (isAlone) void proxy.synced.then(() => clock.after(afterSyncMs, spareMemory));
  const onChange = async (text: string): Promise<void> => {
    try {
      const changed = configurationOf(given, text);
      for (const notice of newNotices(configuration, changed, isAlone)) log.warn(notice);
      if (changed.logging.verbosity !== configuration.logging.verbosity) ofProcess.setVerbosity?.(changed.logging.verbosity);
      configuration = changed;
      applyToHost(changed);
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
