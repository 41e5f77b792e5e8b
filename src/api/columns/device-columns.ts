/** Tables of resource.k8s.io. */
import type { Columns } from '../registry/resource-row.ts';
import type { ResourceSlice, ResourceV1ResourceClaim } from '../schema/types.ts';
import { age, column, columnsOf } from './columns.ts';

export const deviceClaimColumns: Columns<ResourceV1ResourceClaim> = columnsOf<ResourceV1ResourceClaim>([
  column('State', claimState),
  age(),
]);

export const resourceSliceColumns: Columns<ResourceSlice> = columnsOf<ResourceSlice>([
  column('Node', ({ spec }) => spec?.nodeName ?? ''),
  column('Driver', ({ spec }) => spec?.driver ?? ''),
  column('Pool', ({ spec }) => spec?.pool?.name ?? ''),
  age(),
]);

function claimState({ metadata, status }: ResourceV1ResourceClaim): string {
  const states = metadata.deletionTimestamp ? ['deleted'] : [];
  if (status?.allocation) states.push('allocated', ...(status.reservedFor?.length ? ['reserved'] : []));
  else if (!metadata.deletionTimestamp) states.push('pending');
  return states.join(',');
}
