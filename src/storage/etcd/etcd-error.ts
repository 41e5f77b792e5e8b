/** Errors of etcd and of the way to it: what is known of the outcome, and the error that a person reads. */
import { type ServiceError, status } from '@grpc/grpc-js';
import { KnownError, messageOf } from '../../errors/known-error.ts';

/**
 * What became of a call that failed: etcd `refused` it, or it was never `unsent` to a member that would take it, or nobody knows.
 * Only the first says that asking another member makes no sense.
 */
export type Outcome = 'refused' | 'unsent' | 'unknown';

/** A call that no member answered. */
export class Unanswered extends Error {
  /** Whether it may have been carried out all the same. */
  readonly doubtful: boolean;

  constructor(cause: unknown, doubtful: boolean) {
    super(detailsOf(cause), { cause });
    this.doubtful = doubtful;
  }
}

/** A member that must not be used: it is of another cluster, or of a version that this store does not know. */
export class UnfitMember extends Error {}

/** The cluster elected another leader, and whoever led before did not answer. The member that was asked is as good as any other. */
export class LeaderChanged extends Error {
  constructor() {
    super('etcd elected another leader before it answered');
  }
}

/** Members that answer know of no leader: half of all, or more, are gone or cut off. */
export class NoLeader extends Error {
  constructor(answering: readonly string[], silent: readonly string[]) {
    super(`etcd has no leader: ${answering.join(', ')} answers${silent.length > 0 ? `, not so ${silent.join(', ')}` : ''}`);
  }
}

/** gRPC found nobody to send the call to. */
const notSent = /^(No connection established|Name resolution failed|Channel closed before call started|.*belongs to another cluster)/;
/** etcd says it before it proposes a write. */
const notProposed = /too many requests|etcdserver: (not capable|no leader)|not supported for learner/;

const refusals: ReadonlySet<number | undefined> = new Set([
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.ALREADY_EXISTS,
  status.PERMISSION_DENIED,
  status.UNAUTHENTICATED,
  status.RESOURCE_EXHAUSTED,
  status.FAILED_PRECONDITION,
  status.OUT_OF_RANGE,
  status.UNIMPLEMENTED,
  status.DATA_LOSS,
]);

function codeOf(err: unknown): number | undefined {
  return (err as ServiceError).code;
}

/** What etcd or gRPC says in words. */
export function detailsOf(err: unknown): string {
  const { details } = err as ServiceError;
  return typeof details === 'string' && details !== '' ? details : messageOf(err);
}

export function outcomeOf(err: unknown): Outcome {
  const details = detailsOf(err);
  if (err instanceof UnfitMember || notSent.test(details) || notProposed.test(details)) return 'unsent';
  return refusals.has(codeOf(err)) ? 'refused' : 'unknown';
}

/** No answer came in the time that it had. */
export function isLate(err: unknown): boolean {
  return codeOf(err) === status.DEADLINE_EXCEEDED;
}

/** There was no connection to send it on. */
export function isUnconnected(err: unknown): boolean {
  return detailsOf(err).startsWith('No connection established');
}

export function isCompacted(err: unknown): boolean {
  return codeOf(err) === status.OUT_OF_RANGE && detailsOf(err).includes('has been compacted');
}

/** It has not come to the revision that it was asked for. */
export function isFuture(err: unknown): boolean {
  return codeOf(err) === status.OUT_OF_RANGE && detailsOf(err).includes('future revision');
}

export function isLeaseGone(err: unknown): boolean {
  return codeOf(err) === status.NOT_FOUND && detailsOf(err).includes('lease not found');
}

export function isLeaseThere(err: unknown): boolean {
  return codeOf(err) === status.FAILED_PRECONDITION && detailsOf(err).includes('lease already exists');
}

interface Row {
  readonly says: RegExp;
  readonly code: KnownError['code'];
  readonly hint: string;
}

/** By what etcd, gRPC or TLS says; the first that fits. */
const rows: readonly Row[] = [
  {
    says: /database space exceeded/,
    code: 'STORE_FULL',
    hint: 'etcd raised its NOSPACE alarm: deletes still work. Run "etcdctl compaction REVISION" with the one that "etcdctl endpoint status -w json" tells and "etcdctl defrag --cluster", or raise --quota-backend-bytes of each member, then "etcdctl alarm disarm"',
  },
  {
    says: /request is too large|message larger than max/,
    code: 'STORE_TOO_BIG',
    hint: 'etcd takes requests up to its --max-request-bytes (1.5 MiB by default): make the object smaller, or raise that on each member',
  },
  {
    says: /permission denied/,
    code: 'STORE_READ_ONLY',
    hint: 'The user that the client certificate names may not do that. It needs a role with two rights: "etcdctl role grant-permission ROLE readwrite /registry. /registry0" (with prefix=/NAME, /NAME. and /NAME0) and "etcdctl role grant-permission ROLE readwrite compact_rev_key"',
  },
  {
    says: /user name is empty|invalid auth token|authentication failed|user name not found/,
    code: 'BAD_CONFIG',
    hint: 'etcd asks who is there: give a client certificate whose common name is a user of etcd by cert-file and key-file',
  },
  {
    says: /corrupt/,
    code: 'STORE_CORRUPT',
    hint: 'The members of etcd do not hold the same data: see its log, and bring the broken member back from a snapshot',
  },
  {
    says: /altname|does not match certificate|Hostname\/IP/i,
    code: 'BAD_CONFIG',
    hint: 'The certificate of etcd is for another name: give its endpoints as the certificate names them, or make one that names these',
  },
  {
    says: /self.signed certificate|unable to (get|verify)|certificate has expired|certificate is not yet valid|unsuitable certificate/i,
    code: 'BAD_CONFIG',
    hint: 'Give the authority that signed the certificate of etcd by ca-file, and see that the certificate has not expired',
  },
  {
    says: /alert (bad certificate|unknown ca|certificate required|handshake failure)|certificate required/i,
    code: 'BAD_CONFIG',
    hint: 'etcd does not accept this client: give a certificate that its --trusted-ca-file signed by cert-file and key-file',
  },
  {
    says: /wrong version number|EPROTO|packet length too long/,
    code: 'BAD_CONFIG',
    hint: "The two do not agree on TLS: give the endpoints as etcd's --listen-client-urls has them, with http:// or https://",
  },
  {
    says: /^etcd has no leader/,
    code: 'STORE_UNAVAILABLE',
    hint: 'More than half of its members must run and reach each other: start the others. Only if those are gone for good, make one that is left a cluster of its own: start it once with ETCD_FORCE_NEW_CLUSTER=true (etcd --force-new-cluster), then without; new ones enter by "etcdctl member add"',
  },
  { says: /Name resolution failed|ENOTFOUND|EAI_AGAIN/, code: 'STORE_UNAVAILABLE', hint: 'The name is not known: see the endpoints' },
];

/** The error for a user. `action` is such as `write to`. */
export function failed(action: string, url: string, err: unknown): KnownError {
  if (err instanceof KnownError) return err;
  const details = detailsOf(err);
  const doubt = err instanceof Unanswered && err.doubtful ? '; nobody knows whether it was done' : '';
  const row = rows.find(({ says }) => says.test(details));
  const { code, hint } = row ?? {
    code: outcomeOf(err) === 'refused' ? ('STORE_IO' as const) : ('STORE_UNAVAILABLE' as const),
    hint: 'See whether etcd runs, has a leader and listens at these endpoints, with http or https: "etcdctl endpoint status --cluster"',
  };
  return new KnownError(code, `Cannot ${action} store "${url}": ${details}${doubt}`, { hint, cause: err });
}
