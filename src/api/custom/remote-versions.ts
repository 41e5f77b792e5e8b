/** Versions that a webhook converts into each other. What it makes of an object is held to the schema of its version, as what is stored is. */
import { cloneJson } from '../codec/json-clone.ts';
import type { RemoteConversion } from '../registry/resource-row.ts';
import type { KubeObject } from '../resource-types.ts';
import { Content, type Loose } from './content.ts';
import { type CustomResourceDefinition, storageVersionOf } from './definition.ts';

/** Asks the webhook. Each object comes back by itself, in another version, with the name, the namespace and the uid that it had; none of them is of that version. */
export type ConvertObjects = (objects: readonly KubeObject[], apiVersion: string) => Promise<KubeObject>[];

export class RemoteVersions {
  /** By apiVersion, those that are not served, too: objects may be stored in them. */
  readonly #contents: ReadonlyMap<string, Content>;
  readonly #convert: ConvertObjects;
  readonly #group: string;
  readonly #storage: string;
  /** The schemas are those that everything was written under. */
  readonly #isFirst: boolean;

  constructor(definition: CustomResourceDefinition, convert: ConvertObjects) {
    const { metadata, spec = {} } = definition;
    const { versions = [], group = '' } = spec;
    this.#group = group;
    this.#contents = new Map(versions.map((version) => [this.#apiVersion(version.name), new Content(version)]));
    this.#convert = convert;
    this.#storage = this.#apiVersion(storageVersionOf(definition)?.name);
    this.#isFirst = metadata.generation === 1;
  }

  of(name: string): RemoteConversion {
    const apiVersion = this.#apiVersion(name);
    return {
      isShown: (stored) => this.#isFirst && stored === apiVersion,
      fromStored: (stored) => this.#fromStored(stored, apiVersion),
      toStored: (object) => this.#stored(object),
      toVersion: (object, to) => this.#one(object, to),
    };
  }

  #apiVersion(name = ''): string {
    return `${this.#group}/${name}`;
  }

  /** As upstream: defaults are those of the version that it was stored in. */
  #fromStored(stored: readonly KubeObject[], apiVersion: string): Promise<KubeObject>[] {
    const renewed = stored.map((one) => {
      const object = cloneJson(one) as Loose;
      this.#contents.get(one.apiVersion)?.renew(object);
      return object;
    });
    const others = renewed.filter((object) => object.apiVersion !== apiVersion);
    const converted = others.length > 0 ? this.#convert(others, apiVersion) : [];
    return renewed.map((object) => {
      const at = others.indexOf(object);
      return at < 0 ? Promise.resolve(object) : this.#pruned(converted[at] as Promise<KubeObject>, apiVersion);
    });
  }

  /** With the defaults of its version, as it is shown to who reads it later. */
  async #stored(object: KubeObject): Promise<KubeObject> {
    if (object.apiVersion === this.#storage) return object;
    const stored = await this.#one(object, this.#storage);
    this.#contents.get(this.#storage)?.renew(stored as Loose);
    return stored;
  }

  async #one(object: KubeObject, apiVersion: string): Promise<KubeObject> {
    if (object.apiVersion === apiVersion) return object;
    return this.#pruned(this.#convert([object], apiVersion)[0] as Promise<KubeObject>, apiVersion);
  }

  async #pruned(converted: Promise<KubeObject>, apiVersion: string): Promise<KubeObject> {
    const object = (await converted) as Loose;
    this.#contents.get(apiVersion)?.prune(object);
    return object;
  }
}
