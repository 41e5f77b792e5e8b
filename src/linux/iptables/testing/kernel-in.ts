/** iptables of a network namespace, for tests. */
import { type Exec, systemExec } from '../../exec.ts';
import { inNetns } from '../../netns.ts';
import { KernelIptables, type Variant } from '../kernel-iptables.ts';

/** Runs programs in the namespace at a path. */
export function execIn(namespace: string): Exec {
  return { run: (file, args, options) => systemExec.run('nsenter', [`--net=${namespace}`, file, ...args], options) };
}

export function kernelIptablesIn(namespace: string, variant: Variant = '', exec: Exec = execIn(namespace)): KernelIptables {
  return inNetns(namespace, () => new KernelIptables(variant, exec));
}

/** The reason why a variant of the tools cannot be run here; undefined when it can. */
export async function lackingTools(variant: Variant = ''): Promise<string | undefined> {
  for (const tool of [`iptables${variant}`, `ip6tables${variant}`]) {
    const code = await systemExec.run(tool, ['--version']).then(
      ({ code }) => code,
      () => 127,
    );
    if (code !== 0) return `needs ${tool}`;
  }
  return undefined;
}

/** What `iptables-save` prints, without what differs from one time to the next; rules of a chain that mean the same in any order in one. */
export function comparable(saved: string): string {
  // Printed as a mask that the tools do not take back.
  const node = (_: string, mask: string): string => `--cluster-local-node ${Math.log2(Number(mask)) + 1}`;
  const lines = saved.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines
    .map((line) => line.replace(/ \[\d+:\d+\]$/, '').replace(/--cluster-local-nodemask (\S+)/, node))
    .sort()
    .join('\n');
}
