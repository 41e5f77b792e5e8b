/** Paths that are no resource: health, version, metrics, keys of tokens, discovery, OpenAPI. */
import { sendJson, sendText } from '../http/reply.ts';
import type { RequestContext } from '../http/request-context.ts';
import { methodNotAllowed } from '../status/status-error.ts';
import type { Discovery } from './discovery.ts';
import { serverVersion } from './version.ts';

export interface ServerPathsOptions {
  readonly discovery: Discovery;
  /** What is not well; empty when all is. */
  problems(): Promise<readonly string[]>;
  /** The Prometheus text. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
  openidConfiguration(): object;
  jwks(): Promise<object>;
}

/** False when there is no such path. */
export async function servePath(o: ServerPathsOptions, ctx: RequestContext): Promise<boolean> {
  const path = ctx.info.path.replace(/(.)\/$/, '$1');
  if (/^\/(healthz|livez|readyz)(\/|$)/.test(path)) return health(o, ctx);
  if (ctx.req.method !== 'GET' && onlyRead.test(path)) throw methodNotAllowed();
  switch (path) {
    case '/version':
      sendJson(ctx, 200, serverVersion, 2);
      return true;
    case '/metrics': {
      const { contentType, text } = await o.metrics();
      ctx.res.setHeader('content-type', contentType);
      ctx.res.end(text);
      return true;
    }
    case '/.well-known/openid-configuration':
      sendJson(ctx, 200, o.openidConfiguration());
      return true;
    case '/openid/v1/jwks':
      ctx.res.setHeader('content-type', 'application/jwk-set+json');
      ctx.res.end(JSON.stringify(await o.jwks()));
      return true;
    case '/':
      sendJson(ctx, 200, { paths: rootPaths }, 2);
      return true;
  }
  return o.discovery.serve(ctx);
}

/** With upstream the others answer to any method. */
const onlyRead = /^\/(version|api(\/[^/]+)?|apis\/[^/]+\/[^/]+|openid\/v1\/jwks|\.well-known\/openid-configuration)$/;

const rootPaths = ['/api', '/api/v1', '/apis', '/healthz', '/livez', '/metrics', '/openapi/v3', '/openid/v1/jwks', '/readyz', '/version'];

/** Of upstream's checks those that people ask for one by one. Hooks that run after the start are over before anything is answered. */
const checks: ReadonlySet<string | undefined> = new Set([
  undefined,
  '',
  'ping',
  'log',
  'store',
  'etcd',
  'informer-sync',
  'shutdown',
  'poststarthook',
]);
const ofStore: readonly string[] = ['store', 'etcd'];

async function health(o: ServerPathsOptions, ctx: RequestContext): Promise<boolean> {
  const [, kind = '', check] = ctx.info.path.split('/');
  if (!checks.has(check)) return false;
  // Upstream's single check: that the process answers, whatever its store does.
  const passesStore = check === 'ping' || ctx.query.getAll('exclude').some((name) => ofStore.includes(name));
  const problems = passesStore ? [] : await o.problems();
  const verbose = ctx.query.has('verbose');
  if (problems.length > 0) sendText(ctx.res, 500, `${problems.map((p) => `[-]${p}`).join('\n')}\n${kind} check failed\n`);
  else sendText(ctx.res, 200, verbose ? `[+]ping ok\n[+]store ok\n${kind} check passed\n` : 'ok');
  return true;
}
