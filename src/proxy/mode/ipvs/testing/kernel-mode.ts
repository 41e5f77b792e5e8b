/** The mode in a network namespace of a kernel that has its parts. */
import type { Exec } from '../../../../linux/exec.ts';
import { KernelIptables } from '../../../../linux/iptables/kernel-iptables.ts';
import { inNetns } from '../../../../linux/netns.ts';
import { cannotMakeNamespaces } from '../../../../linux/testing/namespaces.ts';
import type { ModeOptions } from '../../mode.ts';
import { IpvsMode } from '../ipvs-mode.ts';
import { ShellExec } from './shell-exec.ts';

const shells = new Map<string, Exec>();

/** Programs run in the namespace. */
export function execIn(namespace: string): Exec {
  const known = shells.get(namespace) ?? new ShellExec(namespace);
  shells.set(namespace, known);
  return known;
}

export function ipvsModeIn(namespace: string, options: ModeOptions = {}): IpvsMode {
  const within = <T>(work: () => T): T => inNetns(namespace, work);
  const iptables = within(() => new KernelIptables('', execIn(namespace)));
  return IpvsMode.ofKernel(options, { iptables }, within);
}

/** What this kernel lacks for the mode, in words; undefined when nothing. */
export async function lackingForIpvs(): Promise<string | undefined> {
  if (cannotMakeNamespaces) return cannotMakeNamespaces;
  const mode = IpvsMode.ofKernel();
  try {
    await mode.probe();
    return undefined;
  } catch (err) {
    return err instanceof Error ? err.message : String(err);
  } finally {
    mode.close();
  }
}
