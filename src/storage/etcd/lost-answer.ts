/**
 * What became of a write over a known revision whose answer was lost, where others have written since. That revision is gone, so it cannot come any more;
 * whether it came is in etcd's history, unless that is forgotten. A creation can be found there only: it may have come and been deleted.
 */
import type { Endpoints } from './endpoints.ts';
import { isCompacted } from './etcd-error.ts';
import type { Message } from './messages.ts';

/** So many values are looked at: as many as others write while an answer is waited for, and few enough not to keep anybody waiting. */
const mostSteps = 50;

export interface WantedWrite {
  readonly key: string;
  readonly value: Uint8Array;
  /** 0 for a creation. */
  readonly ifRevision: number;
}

/** Goes back from what stands there now. Gives the write, or that it never was; undefined where nobody knows. */
export async function findWrite(
  endpoints: Pick<Endpoints, 'call'>,
  { key, value, ifRevision }: WantedWrite,
  now: Message<'KeyValue'>,
): Promise<Message<'KeyValue'> | 'never' | undefined> {
  let at: Message<'KeyValue'> | undefined = now;
  for (let steps = 0; at && steps < mostSteps; steps++) {
    if (at.modRevision <= ifRevision) return at.modRevision === ifRevision ? 'never' : undefined;
    // The key was deleted meanwhile, and nobody can ask when.
    if (ifRevision > 0 && at.createRevision > ifRevision) return undefined;
    if (Buffer.compare(at.value, value) === 0) return at;
    if (at.createRevision === at.modRevision) return undefined;
    at = await before(endpoints, key, at.modRevision);
  }
  return undefined;
}

async function before(endpoints: Pick<Endpoints, 'call'>, key: string, modRevision: number): Promise<Message<'KeyValue'> | undefined> {
  try {
    return (await endpoints.call('Range', { key, revision: modRevision - 1 })).response.kvs[0];
  } catch (err) {
    if (isCompacted(err)) return undefined;
    throw err;
  }
}
