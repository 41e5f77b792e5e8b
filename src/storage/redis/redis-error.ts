/** Errors of Redis and of the way to it, as codes of the catalogue with hints. */
import { KnownError, messageOf, systemCode } from '../../errors/known-error.ts';

/** Redis did as it was told, but too few replicas confirmed in time that they have what it knows. */
export class Unconfirmed extends Error {}

/** What the store was doing. */
type Action = 'open' | 'read' | 'write to' | 'fill';

const full = 'give Redis more memory (maxmemory) or the disk more room, or delete objects, which still works';

/** By the first word of Redis's answer (an error's code). Nothing was changed in any of these cases. */
const answers: Readonly<Record<string, readonly [code: 'STORE_FULL' | 'STORE_IO' | 'STORE_UNAVAILABLE' | 'BAD_CONFIG', hint: string]>> = {
  OOM: ['STORE_FULL', full],
  GONE: ['STORE_UNAVAILABLE', 'Somebody has emptied this Redis: bring the data of the cluster back (appendonlydir) and start it again'],
  MISCONF: [
    'STORE_UNAVAILABLE',
    'Redis cannot write to its disk: see its log and the room on the disk; what was acknowledged before is safe',
  ],
  NOREPLICAS: ['STORE_UNAVAILABLE', 'Redis has fewer replicas than its min-replicas-to-write: start them'],
  READONLY: ['STORE_UNAVAILABLE', 'it became a replica: the next try finds the new primary'],
  LOADING: ['STORE_UNAVAILABLE', 'Redis is reading its data from the disk'],
  BUSY: ['STORE_UNAVAILABLE', 'somebody else runs a slow script in this Redis: give the store an instance of its own'],
  WRONGPASS: ['BAD_CONFIG', 'Give the user and the password of the Redis: redis://USER:PASSWORD@HOST, or ?password-file=FILE'],
  NOAUTH: ['BAD_CONFIG', 'Redis asks for a password: redis://:PASSWORD@HOST, or ?password-file=FILE'],
  NOPERM: [
    'BAD_CONFIG',
    'Allow its user what the store does: "ACL SETUSER NAME ~{fairlead}* &{fairlead}* +@read +@write +@connection +fcall +fcall_ro ' +
      '+function|load +info +config|get +time +memory|usage +wait +role +publish"',
  ],
};

const unreachable =
  'See whether Redis runs and listens there, whether the port speaks TLS (rediss://) or not (redis://), and whether Redis asks for a ' +
  'certificate (?cert=FILE&key=FILE). One without a password hangs up on other machines (protected-mode)';

/** Why a certificate is not trusted: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const certificateError = /^(CERT_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|ERR_TLS_CERT_ALTNAME_INVALID)/;

/** The first word of an answer of Redis; undefined for an error of the connection. */
export function answerCode(err: unknown): string | undefined {
  if (!(err instanceof Error) || err.name !== 'ReplyError') return undefined;
  // An error inside of a function begins with its own code, too.
  return /^-?([A-Z]+)\b/.exec(err.message)?.[1] ?? 'ERR';
}

/** A function was not there: nothing has run. */
export function isMissingFunction(err: unknown): boolean {
  return answerCode(err) !== undefined && messageOf(err).includes('Function not found');
}

/** The error for a user. Without an answer of Redis `outcome` says what is known of a write. */
export function failed(action: Action, url: string, err: unknown, outcome?: string): KnownError {
  const said = (code: KnownError['code'], hint: string | undefined): KnownError => {
    const message = `Cannot ${action} store "${url}": ${messageOf(err)}${outcome === undefined ? '' : `; ${outcome}`}`;
    return new KnownError(code, message, { ...(hint === undefined ? {} : { hint }), cause: err });
  };
  const answer = answerCode(err);
  if (answer !== undefined) {
    const [known, hint] = answers[answer] ?? (['STORE_IO', undefined] as const);
    return said(known, hint);
  }
  if (err instanceof Unconfirmed)
    return said('STORE_UNAVAILABLE', 'See with "INFO replication" on the primary which replicas it has, and whether they keep up');
  const code = systemCode(err) ?? '';
  if (certificateError.test(code))
    return said(
      'BAD_CONFIG',
      'Give the authority that signed the certificate of Redis by ?ca=FILE, and the name in it by &server-name=NAME',
    );
  if (code.startsWith('ERR_SSL') || code === 'EPROTO')
    return said(
      'BAD_CONFIG',
      'The two do not agree on TLS: redis:// is without, rediss:// with it; a client certificate is given by ?cert=FILE&key=FILE',
    );
  if (code === 'ENOTFOUND') return said('STORE_UNAVAILABLE', 'The name is not known: see the address in the URL');
  return said('STORE_UNAVAILABLE', action === 'open' ? unreachable : undefined);
}
