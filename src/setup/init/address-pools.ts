/** The ranges that `--address-pools` gives, in a cluster that has pools already. Pure. */
import { parseDocument } from 'yaml';
import { isTree } from '../../api/configuration-fields.ts';
import { addressPoolsObject, defaultPool } from '../settings/settings.ts';

/** Pools by other names, and what somebody has said of this one besides, stay. Undefined when the text says it already. */
export function changedAddressPools(text: string, addresses: readonly string[]): string | undefined {
  const document = parseDocument(text);
  const all: unknown = (document.toJS() as Readonly<Record<string, unknown>> | null)?.['address-pools'];
  if (!Array.isArray(all)) return addressPoolsObject(addresses).data?.config;
  const index = all.findIndex((pool) => isTree(pool) && pool.name === defaultPool);
  if (index < 0) document.addIn(['address-pools'], document.createNode({ name: defaultPool, protocol: 'layer2', addresses }));
  else if (String(all[index].addresses) === String(addresses)) return undefined;
  else document.setIn(['address-pools', index, 'addresses'], document.createNode(addresses));
  return document.toString();
}
