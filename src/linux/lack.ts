/** What a machine may lack: parts of its kernel, and tools. It may lack them for one address family alone. */
import { isKnownError, type KnownError } from '../errors/known-error.ts';
import type { TableFamily } from './nftables/table.ts';

/** Whether something failed since the machine lacks a part of the kernel, or a tool. */
export function isLack(err: unknown): err is KnownError {
  return isKnownError(err, 'KERNEL_FEATURE_MISSING') || isKnownError(err, 'TOOL_MISSING');
}

/** Does it, as far as this machine can. */
export async function asFarAsAble(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (err) {
    if (!isLack(err)) throw err;
  }
}

/** Does it in IPv4, or in IPv6 where the machine lacks something for IPv4. Throws what IPv4 lacks when it lacks something for both. */
export async function eitherFamily<T>(work: (family: TableFamily) => Promise<T>): Promise<T> {
  try {
    return await work('ip');
  } catch (err) {
    if (!isLack(err)) throw err;
    try {
      return await work('ip6');
    } catch (other) {
      throw isLack(other) ? err : other;
    }
  }
}
