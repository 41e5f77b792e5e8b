/** The objects of the tour. */
import { readFile } from 'node:fs/promises';
import { parseAllDocuments } from 'yaml';
import { deployments, type KubeObject, type ResourceType, services } from '../../api/resource-types.ts';
import { ignoreNotFound, isAlreadyExists } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { namespace } from './cluster-view.ts';

export const tourObjects = 'rules/scenarios/web/objects.yaml';

const known: readonly ResourceType<KubeObject>[] = [deployments, services] as readonly ResourceType<KubeObject>[];

function typeOf(object: KubeObject): ResourceType<KubeObject> {
  const type = known.find((t) => t.kind === object.kind);
  if (!type) throw new Error(`the tour knows no "${object.kind}"`);
  return type;
}

/** What the tour applies and deletes. What was there before stays. */
export class TourObjects {
  readonly #objects: readonly KubeObject[];
  /** Those that were there before. */
  readonly #found = new Set<KubeObject>();

  constructor(objects: readonly KubeObject[]) {
    this.#objects = objects;
  }

  static async read(): Promise<TourObjects> {
    const text = await readFile(new URL('../../../rules/scenarios/web/objects.yaml', import.meta.url), 'utf8');
    return new TourObjects(parseAllDocuments(text).map((document) => document.toJS() as KubeObject));
  }

  async apply(client: Client): Promise<string> {
    return (await Promise.all(this.#objects.map((object) => this.#applyOne(client, object)))).join('\n');
  }

  async #applyOne(client: Client, object: KubeObject): Promise<string> {
    const type = typeOf(object);
    const name = `${type.kind.toLowerCase()}${type.group === '' ? '' : `.${type.group}`}/${object.metadata.name}`;
    try {
      await client.create(type, object);
      return `${name} created`;
    } catch (err) {
      if (!isAlreadyExists(err)) throw err;
      await client.patch(type, object.metadata.name ?? '', object, { namespace });
      this.#found.add(object);
      return `${name} configured`;
    }
  }

  async delete(client: Client): Promise<string> {
    const said: string[] = [];
    for (const object of this.#objects) {
      const name = object.metadata.name ?? '';
      const what = `${object.kind.toLowerCase()} "${name}"`;
      if (this.#found.has(object)) {
        // The tour has scaled it: it gets back what the file says.
        await this.#applyOne(client, object);
        said.push(`${what} was there before, so it stays`);
        continue;
      }
      await client.delete(typeOf(object), name, { namespace, propagationPolicy: 'Background' }).catch(ignoreNotFound);
      said.push(`${what} deleted`);
    }
    return said.join('\n');
  }
}
