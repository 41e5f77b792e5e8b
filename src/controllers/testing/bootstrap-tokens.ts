import { type BootstrapToken, bootstrapTokenSecret } from '../../api/bootstrap-token.ts';
import type { Secret } from '../../api/schema/types.ts';

/** The Secret of a token that signs and authenticates and never ends, unless it says otherwise. */
export function tokenSecret(change: Partial<BootstrapToken> = {}): Secret {
  return bootstrapTokenSecret({ id: 'abcdef', secret: '0123456789abcdef', usages: ['signing', 'authentication'], groups: [], ...change });
}
