/** What `fairlead join` reads of its flags. */
import { KnownError } from '../errors/known-error.ts';
import type { JoinConfiguration } from '../setup/config/documents.ts';
import { parseCertificateKey } from '../setup/control-plane/certificate-key.ts';
import type { ControlPlaneWish } from '../setup/join/control-plane.ts';
import { FlagReader } from './flag-reader.ts';

interface Values {
  readonly 'control-plane': boolean;
  readonly 'certificate-key': string | undefined;
  readonly 'apiserver-bind-port': string | undefined;
  readonly store: string | undefined;
}

/** Undefined for a node alone. `portBefore`: at which this machine's API server is already. Throws USAGE. */
export function controlPlaneWish(
  values: Values,
  document: JoinConfiguration['controlPlane'],
  portBefore?: number,
): ControlPlaneWish | undefined {
  if (!values['control-plane'] && document === undefined) {
    const given = (['certificate-key', 'apiserver-bind-port', 'store'] as const).find((flag) => values[flag] !== undefined);
    if (given === undefined) return undefined;
    throw new KnownError('USAGE', `Cannot use --${given}: the machine becomes a node alone`, { hint: 'Add --control-plane' });
  }
  const key = values['certificate-key'] ?? document?.certificateKey;
  const port = values['apiserver-bind-port'];
  return {
    certificateKey: key === undefined ? undefined : parseCertificateKey(key),
    store: values.store,
    bindPort:
      port === undefined ? document?.localAPIEndpoint?.bindPort || portBefore : new FlagReader({ ...values }).port('apiserver-bind-port'),
  };
}

interface Given {
  readonly token: string | undefined;
  readonly hashes: readonly string[] | undefined;
  readonly isUnsafe: boolean;
}

/** Flags over the configuration. Without a hash nobody is trusted, unless somebody says that the token shall be enough. Throws USAGE. */
export function discoveryOf(
  { discovery = {} }: JoinConfiguration,
  [address, stray]: readonly string[],
  given: Given,
): { readonly endpoint: string; readonly token: string; readonly hashes: readonly string[] } {
  const { bootstrapToken = {}, tlsBootstrapToken } = discovery;
  const endpoint = address ?? bootstrapToken.apiServerEndpoint;
  const token = given.token ?? bootstrapToken.token ?? tlsBootstrapToken;
  const isUnsafe = given.isUnsafe || bootstrapToken.unsafeSkipCAVerification === true;
  const hashes = given.hashes ?? bootstrapToken.caCertHashes ?? [];
  const refused = (what: string): KnownError =>
    new KnownError('USAGE', `Cannot join: ${what}`, {
      hint: 'fairlead join HOST:PORT --token TOKEN --discovery-token-ca-cert-hash sha256:HASH, as "fairlead init" printed it',
    });
  if (given.token === undefined && tlsBootstrapToken !== undefined && tlsBootstrapToken !== token)
    throw refused('one token does for discovery and TLS here, and bootstrapToken.token and tlsBootstrapToken are two');
  if (stray !== undefined) throw refused(`it takes HOST:PORT alone, and not "${stray}" besides`);
  if (endpoint === undefined) throw refused('it is not said where the control plane is');
  if (token === undefined) throw refused('no token is given');
  if (hashes.length === 0 && !isUnsafe) throw refused('no hash of the authority is given, and nobody is trusted on first use');
  return { endpoint, token, hashes: isUnsafe && given.hashes === undefined ? [] : hashes };
}
