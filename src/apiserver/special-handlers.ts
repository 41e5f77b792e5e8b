/** Reviews, and the subresources that have code of their own: what serves each. */
import { logHandler } from './kubelet/log.ts';
import { proxyHandler } from './kubelet/proxy.ts';
import type { Parts } from './parts.ts';
import { reviewHandlers } from './review/reviews.ts';
import { type Handler, specialKey } from './router.ts';
import { badRequest } from './status/status-error.ts';
import { bind } from './subresource/binding.ts';
import { evictionHandler } from './subresource/eviction.ts';
import { scaleHandler } from './subresource/scale.ts';
import { tokenHandler } from './subresource/token.ts';

/** By `specialKey`; a key that begins with a star is of every resource that has the subresource. */
export function specialHandlers(parts: Parts): ReadonlyMap<string, Handler> {
  const { options, authenticator, authorizer, resources, writer, deleter, objects, kubelets, lookup, feed, admission, tokenIssuer } = parts;
  const { clock } = options;
  const now = (): number => clock.now();
  const proxied = proxyHandler({ resources, kubelets, admission });
  const bindPod: Handler = (ctx, row) => bind({ objects, admission, clock }, ctx, row);
  const tokens = tokenHandler({ lookup, issuer: tokenIssuer, admission, fresh: () => feed.fresh(), now });
  return new Map<string, Handler>([
    ...reviewHandlers({ authenticator, authorizer, now }),
    ['*/scale', scaleHandler(resources, writer, clock)],
    [specialKey('', 'pods', 'binding'), bindPod],
    [specialKey('', 'bindings'), bindPod],
    [specialKey('', 'pods', 'eviction'), evictionHandler({ resources, deleter, objects, lookup, admission, clock })],
    [specialKey('', 'pods', 'log'), logHandler(resources, kubelets)],
    ...['exec', 'attach', 'portforward'].map((name): [string, Handler] => [specialKey('', 'pods', name), notUpgraded]),
    ...['pods', 'services', 'nodes'].map((name): [string, Handler] => [specialKey('', name, 'proxy'), proxied]),
    [specialKey('', 'serviceaccounts', 'token'), tokens],
  ]);
}

function notUpgraded(): never {
  throw badRequest('Upgrade request required');
}
