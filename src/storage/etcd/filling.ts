/**
 * An etcd that is being filled with what another store held bears a mark, the value of the fence: what a killed copy has left must not look like the
 * whole cluster.
 */
import { KnownError } from '../../errors/known-error.ts';
import type { Endpoints } from './endpoints.ts';
import type { KeySpace } from './key-space.ts';

export const filling: Buffer = Buffer.from('filling');

export async function isHalfFilled(endpoints: Endpoints, space: KeySpace): Promise<boolean> {
  const [fence] = (await endpoints.call('Range', { key: space.fence })).response.kvs;
  return fence !== undefined && filling.equals(fence.value);
}

/** Throws STORE_CORRUPT. */
export async function refuseHalfFilled(endpoints: Endpoints, space: KeySpace, shown: string): Promise<void> {
  if (await isHalfFilled(endpoints, space))
    throw new KnownError('STORE_CORRUPT', `Cannot open store "${shown}": it was being filled, and that did not end`, {
      hint: 'Run the "fairlead store copy" or "snapshot restore" again that did it',
    });
}
