/** Kernel settings under /proc/sys, of the network namespace the process is in. */
import { readFileSync, writeFileSync } from 'node:fs';
import { KnownError, systemCode } from '../errors/known-error.ts';

function fileOf(name: string): string {
  return `/proc/sys/${name}`;
}

/** The value of `net/ipv4/ip_forward`, or undefined when the kernel has no such setting. Names use slashes, as links may have dots. */
export function readSysctl(name: string): string | undefined {
  try {
    return readFileSync(fileOf(name), 'utf8').trim();
  } catch (err) {
    if (systemCode(err) === 'ENOENT') return undefined;
    throw err;
  }
}

/** Sets it unless it has the value; true when it had to change. Throws KERNEL_REFUSED. */
export function ensureSysctl(name: string, value: string): boolean {
  if (readSysctl(name) === value) return false;
  try {
    writeFileSync(fileOf(name), value);
    return true;
  } catch (err) {
    throw new KnownError('KERNEL_REFUSED', `Cannot set sysctl "${name}" to "${value}": ${systemCode(err) ?? 'refused'}`, { cause: err });
  }
}
