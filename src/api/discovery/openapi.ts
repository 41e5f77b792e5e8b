/**
 * OpenAPI v3, and v2 made of it: `GET /openapi/v3` is the index, one document per group version is behind it. The URL in the index
 * carries a hash of the document, so that clients keep it for good. Documents are made when asked for; only their hashes are kept.
 */
import { createHash } from 'node:crypto';
import { groupsOf, rowsOf } from './discovery.ts';
import { type OpenApiRow, pathsOf } from './openapi-paths.ts';
import { type Json, SchemaSet } from './openapi-schema.ts';
import { swagger } from './openapi-v2.ts';

export interface OpenApiIndex {
  readonly paths: Readonly<Record<string, { readonly serverRelativeURL: string }>>;
}

export function indexEntry(path: string, hash: string): { readonly serverRelativeURL: string } {
  return { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` };
}

interface Hashed {
  readonly rows: readonly OpenApiRow[];
  readonly hash: string;
}

export class OpenApi {
  readonly #rows: readonly OpenApiRow[];
  readonly #version: string;
  readonly #before: ReadonlyMap<string, Hashed>;
  #hashes: ReadonlyMap<string, Hashed> | undefined;

  /** `version` is what the server says of itself: `v1.35.0`. Of the documents of before those are known whose rows are the same. */
  constructor(rows: readonly OpenApiRow[], version: string, before?: OpenApi) {
    this.#rows = rows;
    this.#version = version;
    this.#before = before ? (before.#hashes ?? before.#before) : new Map();
  }

  /** The body of `GET /openapi/v3`. */
  index(): OpenApiIndex {
    return { paths: Object.fromEntries([...this.#hash()].map(([path, { hash }]) => [path, indexEntry(path, hash)])) };
  }

  /** The hash of a document (`api/v1`, `apis/apps/v1`), which is also its ETag; undefined for one that is not there. */
  hashOf(path: string): string | undefined {
    return this.#hash().get(path)?.hash;
  }

  /** The document's text; undefined for one that is not there. */
  document(path: string): string | undefined {
    const found = this.#groupVersions().find((gv) => gv.path === path);
    return found && this.#render(found.group, found.version);
  }

  /** The document of `GET /openapi/v2`. */
  swagger(): Json {
    return swagger(
      this.#groupVersions().map(({ group, version }) => JSON.parse(this.#render(group, version))),
      this.#version,
    );
  }

  #groupVersions(): { path: string; group: string; version: string }[] {
    return groupsOf(this.#rows).flatMap(({ group, versions }) =>
      versions.map((version) => ({ path: group === '' ? `api/${version}` : `apis/${group}/${version}`, group, version })),
    );
  }

  #hash(): ReadonlyMap<string, Hashed> {
    this.#hashes ??= new Map(this.#groupVersions().map(({ path, group, version }) => [path, this.#hashOf(path, group, version)]));
    return this.#hashes;
  }

  #hashOf(path: string, group: string, version: string): Hashed {
    const rows = rowsOf(this.#rows, group, version);
    const known = this.#before.get(path);
    if (known?.rows.length === rows.length && rows.every((row, i) => row === known.rows[i])) return known;
    return { rows, hash: createHash('sha256').update(this.#render(group, version)).digest('hex').toUpperCase() };
  }

  #render(group: string, version: string): string {
    const schemas = new SchemaSet();
    const paths = Object.assign({}, ...rowsOf(this.#rows, group, version).map((row) => pathsOf(row, schemas))) as object;
    return JSON.stringify({
      openapi: '3.0.0',
      info: { title: 'Kubernetes', version: this.#version },
      paths,
      components: {
        schemas,
        securitySchemes: {
          BearerToken: { type: 'apiKey', name: 'authorization', in: 'header', description: 'Bearer Token authentication' },
        },
      },
    });
  }
}
