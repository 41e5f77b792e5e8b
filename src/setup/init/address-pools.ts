/** The ranges that `--address-pools` gives, in a cluster that has pools already. Pure. */
import { parseDocument } from 'yaml';
import { isTree } from '../../api/configuration-fields.ts';
import { KnownError } from '../../errors/known-error.ts';
import { addressPoolsObject, defaultPool, poolsName, settingsNamespace } from '../settings/settings.ts';

/**
 * Pools by other names, and what somebody has said of this one besides, stay. Undefined when the text says it already. Throws BAD_CONFIG where it is of
 * MetalLB's objects, which have no pool that this one would be.
 */
export function changedAddressPools(text: string, addresses: readonly string[]): string | undefined {
  const document = parseDocument(text);
  const config = document.toJS() as Readonly<Record<string, unknown>> | null;
  if (config?.kind !== undefined)
    throw new KnownError('BAD_CONFIG', `Cannot use --address-pools: ConfigMap "${poolsName}" has pools of kind ${config.kind}`, {
      hint: `Leave it out, and edit them: kubectl -n ${settingsNamespace} edit configmap ${poolsName}`,
    });
  const all: unknown = config?.['address-pools'];
  if (!Array.isArray(all)) return addressPoolsObject(addresses).data?.config;
  const index = all.findIndex((pool) => isTree(pool) && pool.name === defaultPool);
  if (index < 0) document.addIn(['address-pools'], document.createNode({ name: defaultPool, protocol: 'layer2', addresses }));
  else if (String(all[index].addresses) === String(addresses)) return undefined;
  else document.setIn(['address-pools', index, 'addresses'], document.createNode(addresses));
  return document.toString();
}
