/** A plugin that is about objects of a namespace which few have: its code is loaded by the first write beside one. */
import type { ResourceType } from '../../api/resource-types.ts';
import type { Lookup } from '../cache/lookup.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';

export function whereThereIs(type: ResourceType, lookup: Pick<Lookup, 'list'>, load: () => Promise<AdmissionPlugin>): AdmissionPlugin {
  let plugin: Promise<AdmissionPlugin> | undefined;
  const wanted = ({ namespace }: AdmissionRequest): Promise<AdmissionPlugin> | undefined => {
    if (namespace === '' || lookup.list(type, namespace).length === 0) return undefined;
    plugin ??= load();
    return plugin;
  };
  return {
    mutate: (request, isAgain) =>
      wanted(request)?.then<void>(async (loaded) => {
        await loaded.mutate?.(request, isAgain);
      }),
    validate: (request) => wanted(request)?.then((loaded) => loaded.validate?.(request)),
  };
}
