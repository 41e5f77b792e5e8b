import { start } from '../../linux/exec.ts';
import type { Log } from '../../observability/log.ts';
import { program } from '../node/installation.ts';
import type { Instead } from './connect-proxy.ts';

/** The registry that nobody runs: its images are made on this machine. */
const localRegistry = 'fairlead.local';

/**
 * Has `fairlead.local/tools:1` loaded into the lab when a node first asks for it: a kubelet tries again, and finds it then. Gives what to
 * answer until it is there, or undefined for other hosts.
 */
export function loadOnDemand(lab: string, log: Log): Instead {
  let busy = false;
  let failed = false;
  return (host) => {
    if (host !== localRegistry) return undefined;
    if (!busy) {
      busy = true;
      const child = start(program, ['lab', 'load', 'tools', '--in-background', '--name', lab], { stdio: ['ignore', 'inherit', 'inherit'] });
      const end = (ok: boolean): void => {
        [busy, failed] = [false, !ok];
        log.info('Tried to load the tools', { ok });
      };
      child.on('error', () => end(false)).on('exit', (code) => end(code === 0));
    }
    return failed
      ? 'its image cannot be made on this machine ("fairlead lab load tools" says why)'
      : 'its image is being made on this machine, and is there in some seconds';
  };
}
