/** `/api`, `/apis` and below, `/openapi/…`: what there is, in the form the client asks for. Documents are made once, and anew when rows come or go. */
import { createHash } from 'node:crypto';
import { toYaml } from '../../api/codec/to-yaml.ts';
import {
  aggregatedDiscovery,
  aggregatedV2,
  aggregatedV2beta1,
  apiGroup,
  apiGroupList,
  apiResourceList,
  apiVersions,
} from '../../api/discovery/discovery.ts';
import { OpenApi } from '../../api/discovery/openapi.ts';
import { swaggerBytes } from '../../api/discovery/openapi-v2-protobuf.ts';
import {
  type RemoteVersion,
  withRemoteDiscovery,
  withRemoteGroups,
  withRemotePaths,
  withRemoteVersions,
} from '../../api/discovery/remote.ts';
import type { Registry } from '../../api/registry/registry.ts';
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import { json, yaml } from '../http/encoding.ts';
import { mediaRanges } from '../http/negotiate.ts';
import { send, sendJson } from '../http/reply.ts';
import type { RequestContext } from '../http/request-context.ts';

type Aggregated = 'v2' | 'v2beta1';

const aggregatedTypes: Readonly<Record<Aggregated, string>> = { v2: aggregatedV2, v2beta1: aggregatedV2beta1 };

const swaggerTypes = { json: 'application/json', protobuf: 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf' } as const;

/** The form that comes first in the Accept header, of those that there are. `aggregated`: whether there are aggregated ones; undefined is the legacy one. */
function formOf(accept: string | undefined, aggregated: boolean): { readonly as: Aggregated | undefined; readonly isYaml: boolean } {
  for (const { type, params } of mediaRanges(accept)) {
    const isYaml = type === 'application/yaml';
    if (!isYaml && type !== 'application/json') continue;
    if (!params.has('as') && !aggregated) return { as: undefined, isYaml };
    const version = params.get('v');
    const isList = params.get('g') === 'apidiscovery.k8s.io' && params.get('as') === 'APIGroupDiscoveryList';
    if (aggregated && isList && (version === 'v2' || version === 'v2beta1')) return { as: version, isYaml };
  }
  // As upstream, an aggregated one that is asked for anywhere comes before the others.
  return aggregated ? formOf(accept, false) : { as: undefined, isYaml: false };
}

interface Remotes {
  readonly versions: readonly RemoteVersion[];
  readonly generation: number;
}

export interface DiscoveryOptions {
  readonly registry: Registry;
  /** What others serve. */
  readonly remotes: Remotes;
  readonly serverAddress: string;
  readonly version: string;
}

/** Serves a path below `/api`, `/apis` or `/openapi`; false when it is none of them, or nothing is there. */
export class Discovery {
  readonly #registry: Registry;
  readonly #remotes: Remotes;
  readonly #serverAddress: string;
  readonly #version: string;
  #generation = '';
  #rows: readonly ResourceRow[] = [];
  #openApi: OpenApi;
  readonly #made = new Map<string, Buffer>();
  readonly #swaggers = new Map<string, { readonly bytes: Buffer; readonly hash: string }>();

  constructor({ registry, remotes, serverAddress, version }: DiscoveryOptions) {
    this.#registry = registry;
    this.#remotes = remotes;
    this.#serverAddress = serverAddress;
    this.#version = version;
    this.#openApi = new OpenApi([], version);
  }

  serve(ctx: RequestContext): boolean {
    const generation = `${this.#registry.generation} ${this.#remotes.generation}`;
    if (this.#generation !== generation) this.#beginAnew(generation);
    const [first, ...rest] = ctx.info.path.split('/').filter((p) => p !== '');
    if (first === 'openapi') return this.#serveOpenApi(ctx, rest);
    if (first !== 'api' && first !== 'apis') return false;
    if (rest.length === 0) return this.#root(ctx, first);
    if (first === 'api') return rest.length === 1 && this.#resources(ctx, '', rest[0]!);
    if (rest.length === 1) return this.#document(ctx, `group ${rest[0]}`, () => this.#group(rest[0]!));
    return rest.length === 2 && this.#resources(ctx, rest[0]!, rest[1]!);
  }

  /** Rows have come or gone: no document is true any more. */
  #beginAnew(generation: string): void {
    const [registry] = this.#generation.split(' ');
    this.#generation = generation;
    this.#made.clear();
    // The documents of OpenAPI that are made here have nothing of others.
    if (registry === String(this.#registry.generation)) return;
    this.#rows = this.#registry.rows;
    this.#openApi = new OpenApi(this.#rows, this.#version, this.#openApi);
    this.#swaggers.clear();
  }

  #group(name: string): object | undefined {
    const own = apiGroup(this.#rows, name);
    const all = withRemoteVersions(own, name, this.#remotes.versions);
    return all && { kind: 'APIGroup', apiVersion: 'v1', ...all };
  }

  #root(ctx: RequestContext, first: 'api' | 'apis'): boolean {
    ctx.res.setHeader('vary', 'Accept');
    const { as } = formOf(ctx.req.headers.accept, true);
    if (!as) {
      return this.#document(ctx, first, () =>
        first === 'api' ? apiVersions(this.#rows, this.#serverAddress) : withRemoteGroups(apiGroupList(this.#rows), this.#remotes.versions),
      );
    }
    const part = first === 'api' ? 'core' : 'groups';
    const remotes = first === 'api' ? [] : this.#remotes.versions;
    return this.#document(
      ctx,
      `${as} ${part}`,
      () => withRemoteDiscovery(aggregatedDiscovery(this.#rows, part, as), remotes),
      aggregatedTypes[as],
    );
  }

  #resources(ctx: RequestContext, group: string, version: string): boolean {
    return this.#document(ctx, `resources ${group}/${version}`, () => apiResourceList(this.#rows, group, version));
  }

  #document(ctx: RequestContext, id: string, make: () => object | undefined, contentType: string = json.contentType): boolean {
    let bytes = this.#made.get(id);
    if (!bytes) {
      const document = make();
      if (!document) return false;
      bytes = Buffer.from(JSON.stringify(document));
      this.#made.set(id, bytes);
    }
    const { isYaml } = formOf(ctx.req.headers.accept, contentType !== json.contentType);
    const type = isYaml ? contentType.replace(json.contentType, yaml.contentType) : contentType;
    const answer = isYaml ? toYaml(JSON.parse(bytes.toString())) : bytes;
    send(ctx.res, 200, { 'content-type': type, 'cache-control': 'no-cache, private' }, answer);
    return true;
  }

  /** Large, and asked for by old tools only: made then, and kept. */
  #swagger(ctx: RequestContext, form: 'protobuf' | 'json'): boolean {
    let made = this.#swaggers.get(form);
    if (!made) {
      const document = this.#openApi.swagger();
      const bytes = form === 'json' ? Buffer.from(JSON.stringify(document)) : swaggerBytes(document);
      made = { bytes, hash: createHash('sha256').update(bytes).digest('hex').toUpperCase() };
      this.#swaggers.set(form, made);
    }
    return sendTagged(ctx, made.hash, { 'content-type': swaggerTypes[form], 'cache-control': 'no-cache, private' }, made.bytes);
  }

  #serveOpenApi(ctx: RequestContext, rest: readonly string[]): boolean {
    const [version, ...groupVersion] = rest;
    if (version === 'v2' && groupVersion.length === 0) {
      const form = ctx.req.headers.accept?.includes('protobuf') ? 'protobuf' : 'json';
      return this.#swagger(ctx, form);
    }
    if (version !== 'v3') return false;
    if (groupVersion.length === 0) {
      sendJson(ctx, 200, withRemotePaths(this.#openApi.index(), this.#remotes.versions));
      return true;
    }
    const path = groupVersion.join('/');
    const found = this.#openApiOf(path);
    if (!found) return false;
    // The URL in the index carries the document's hash: whatever it names never changes.
    const cache = ctx.query.has('hash') ? 'public, immutable, max-age=31536000' : 'no-cache, private';
    return sendTagged(ctx, found.hash, { 'content-type': 'application/json', 'cache-control': cache }, found.bytes);
  }

  #openApiOf(path: string): { readonly bytes: string | Buffer; readonly hash: string } | undefined {
    const own = this.#openApi.document(path);
    if (own !== undefined) return { bytes: own, hash: this.#openApi.hashOf(path)! };
    return this.#remotes.versions.find(({ group, version }) => path === `apis/${group}/${version}`)?.openApi;
  }
}

/** Nothing but 304 for a client that has it already. */
function sendTagged(ctx: RequestContext, hash: string, headers: Readonly<Record<string, string>>, body: Buffer | string): true {
  const etag = `"${hash}"`;
  if (ctx.req.headers['if-none-match'] === etag) send(ctx.res, 304, { etag }, '');
  else send(ctx.res, 200, { ...headers, vary: 'Accept', etag }, body);
  return true;
}
