/** A plugin that is about objects of a namespace which few have: its code is loaded by the first write beside one. */
import type { ResourceType } from '../../api/resource-types.ts';
import type { Lookup } from '../cache/lookup.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';

export function whereThereIs(type: ResourceType, lookup: Pick<Lookup, 'list'>, load: () => Promise<AdmissionPlugin>): AdmissionPlugin {
  let plugin: Promise<AdmissionPlugin> | undefined;
  const run = (stage: 'mutate' | 'validate', request: AdmissionRequest): Promise<void> | undefined => {
    if (request.namespace === '' || lookup.list(type, request.namespace).length === 0) return undefined;
    plugin ??= load();
    return plugin.then((loaded) => loaded[stage]?.(request));
  };
  return { mutate: (request) => run('mutate', request), validate: (request) => run('validate', request) };
}
