/** The kernel's settings of a network namespace. */
import { inNetns } from '../../../linux/netns.ts';
import { ensureSysctl, readSysctl } from '../../../linux/sysctl.ts';
import type { Settings } from '../flow-accounting.ts';

export function settingsIn(namespace: string): Settings {
  return {
    read: (name) => inNetns(namespace, () => readSysctl(name)),
    set: (name, value) => void inNetns(namespace, () => ensureSysctl(name, value)),
  };
}
