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

export class OpenApi {
  readonly #rows: readonly OpenApiRow[];
  readonly #version: string;
  #hashes: ReadonlyMap<string, string> | undefined;

  /** `version` is what the server says of itself: `v1.35.0`. */
  constructor(rows: readonly OpenApiRow[], version: string) {
    this.#rows = rows;
    this.#version = version;
  }

  /** The body of `GET /openapi/v3`. */
  index(): OpenApiIndex {
    const paths: Record<string, { serverRelativeURL: string }> = {};
    for (const [path, hash] of this.#hash()) paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` };
    return { paths };
  }

  /** The hash of a document (`api/v1`, `apis/apps/v1`), which is also its ETag; undefined for one that is not there. */
  hashOf(path: string): string | undefined {
    return this.#hash().get(path);
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

  #hash(): ReadonlyMap<string, string> {
    this.#hashes ??= new Map(
      this.#groupVersions().map(({ path, group, version }) => [
        path,
        createHash('sha256').update(this.#render(group, version)).digest('hex').toUpperCase(),
      ]),
    );
    return this.#hashes;
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
