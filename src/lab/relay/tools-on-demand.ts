import { start } from '../../linux/exec.ts';
import type { Log } from '../../observability/log.ts';
import { program } from '../node/installation.ts';
import type { Instead } from './connect-proxy.ts';

/** The registry that nobody runs: its images are made on this machine. */
const localRegistry = 'fairlead.local';

/**
 * Has `fairlead.local/tools:1` loaded into the lab's nodes when one of them asks for it, and refuses when that is done: a kubelet then
 * looks once more, and finds it. Undefined for other hosts.
 */
export function loadOnDemand(lab: string, log: Log, load: () => Promise<boolean> = () => loadTools(lab)): Instead {
  let loading: Promise<boolean> | undefined;
  return async (host) => {
    if (host !== localRegistry) return undefined;
    loading ??= load().finally(() => (loading = undefined));
    const ok = await loading;
    log.info('Tried to load the tools', { ok });
    return ok
      ? 'its image was made on this machine just now'
      : 'its image cannot be made on this machine ("fairlead lab load tools" says why)';
  };
}

function loadTools(lab: string): Promise<boolean> {
  const child = start(program, ['lab', 'load', 'tools', '--in-background', '--name', lab], { stdio: ['ignore', 'inherit', 'inherit'] });
  return new Promise((resolve) => child.on('error', () => resolve(false)).on('exit', (code) => resolve(code === 0)));
}
