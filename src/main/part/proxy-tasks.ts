/** What `fairlead proxy` does in place of running, or before it. */
import { writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import { systemClock } from '../../clock/clock.ts';
import { createLog, type LogFormat } from '../../observability/stream-log.ts';
import { kubernetesVersion, programVersion } from '../../observability/version.ts';
import { fileOf } from '../../proxy/config/config.ts';
import { proxySettings } from '../../proxy/config/proxy-settings.ts';
import { applyConntrack } from '../../proxy/host-settings.ts';
import { openMode } from '../../proxy/open-mode.ts';
import { cleanUpProxy } from '../../proxy/other-modes.ts';
import type { FlagReader } from '../flag-reader.ts';
import { isDebug, type LogChoice } from '../process-log.ts';
import { readConfiguration } from './proxy-configuration.ts';

/** As kube-proxy begins it. */
export async function tellVersion(): Promise<number> {
  process.stdout.write(`Kubernetes ${kubernetesVersion} (Fairlead ${programVersion})\n`);
  return 0;
}

export async function writeConfiguration(read: FlagReader, path: string): Promise<number> {
  const { configuration } = await readConfiguration(read);
  await writeFile(path, stringify(fileOf(configuration)), { mode: 0o600 });
  return 0;
}

/** Sets the kernel's settings, and finds out whether the mode can work here. Throws KERNEL_FEATURE_MISSING. */
export async function initialize(read: FlagReader): Promise<number> {
  const { configuration } = await readConfiguration(read);
  const log = createLog({ clock: systemClock });
  applyConntrack(configuration.conntrack, log);
  const mode = await openMode({ ...proxySettings(configuration), log });
  try {
    await mode.probe();
  } finally {
    mode.close();
  }
  return 0;
}

/** Takes away what a proxy left behind; what flags or the configuration exclude from IPVS stays. */
export async function cleanUp(read: FlagReader): Promise<number> {
  const { configuration } = await readConfiguration(read);
  await cleanUpProxy(proxySettings(configuration).modeOptions);
  return 0;
}

/** As the section `logging` has it. */
export async function logChoice(read: FlagReader): Promise<LogChoice> {
  const { logging } = (await readConfiguration(read)).configuration;
  return {
    ...(isDebug(logging.verbosity) ? { isDebug: true } : {}),
    ...(logging.format === 'json' ? { format: logging.format as LogFormat } : {}),
  };
}
