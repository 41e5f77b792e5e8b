/** Who owns which fields, where owners wrote in versions that a webhook converts: what is computed of it needs the object in each of them. */
import type { OtherVersions, Place } from '../../api/apply/ownership.ts';
import type { Json } from '../../api/codec/json-object.ts';
import type { Registry } from '../../api/registry/registry.ts';
import type { PartSubresource, ResourceRow } from '../../api/registry/resource-row.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import { placeOf } from './field-places.ts';

/** Thrown for a conversion that is not made yet. */
class Wanted extends Error {
  readonly object: Json;
  readonly apiVersion: string;
  readonly key: string;

  constructor(object: Json, apiVersion: string, key: string) {
    super(`an object is wanted as ${apiVersion}`);
    this.object = object;
    this.apiVersion = apiVersion;
    this.key = key;
  }
}

/**
 * What `compute` gives, a pure function of a place. For a row with a `remote` it is called again with each conversion that it turned out to need, since
 * those take time and the function has none. Throws a StatusError.
 */
export async function withOtherVersions<T>(
  registry: Registry,
  row: ResourceRow,
  part: PartSubresource | undefined,
  compute: (place: Place) => T,
): Promise<T> {
  const { remote } = row;
  const place = placeOf(row, part);
  if (!remote) return compute(place);
  const made = new Map<string, Json>();
  const others: OtherVersions = {
    placeIn: (apiVersion) => {
      const other = registry.rowOfKind(apiVersion, row.type.kind);
      if (!other || other.storedAs !== row.storedAs) return undefined;
      return placeOf(
        other,
        part && other.subresources.find((one): one is PartSubresource => one.kind === 'part' && one.name === part.name),
      );
    },
    convert: (object, apiVersion) => {
      const key = `${apiVersion} ${JSON.stringify(object)}`;
      const known = made.get(key);
      if (!known) throw new Wanted(object, apiVersion, key);
      return known;
    },
  };
  for (;;) {
    try {
      return compute({ ...place, others });
    } catch (err) {
      if (!(err instanceof Wanted)) throw err;
      made.set(err.key, (await remote.toVersion(err.object as unknown as KubeObject, err.apiVersion)) as unknown as Json);
    }
  }
}
