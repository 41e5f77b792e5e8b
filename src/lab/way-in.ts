import type { LabOptions } from './plan.ts';

/** How to get at a cluster that this machine has no way into. */
export function detachedHint({ name }: LabOptions): string {
  return `This machine is not attached: instead of its own kubectl, use "fairlead lab exec control-plane --name ${name} -- kubectl …"`;
}
