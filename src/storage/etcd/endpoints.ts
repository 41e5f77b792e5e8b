/**
 * The members of an etcd cluster. One of them (`first-member.ts`) is used for everything until it fails; then it is the next one's turn.
 * A call is sent to another member only when nobody can be harmed by that.
 */
import { type Client, type ClientDuplexStream, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { Clock } from '../../clock/clock.ts';
import { KnownError } from '../../errors/known-error.ts';
import type { Tls } from './channel.ts';
import { isLate, isUnconnected, LeaderChanged, NoLeader, outcomeOf, Unanswered, UnfitMember } from './etcd-error.ts';
import { Member } from './member.ts';
import { codec, type Message, type Method, paths, type Request, type Response } from './messages.ts';
import { NewestWrite } from './newest-write.ts';
import type { MemberState } from './slow-calls.ts';

/** How long one member may take. etcd itself gives up after 7 seconds; another member may have a leader sooner. */
const attemptMs = 5_000;
/** How long a member may take to say how it is, when there are others. It asks neither its disk nor another member for that. */
const stateMs = 2_000;
const retryMs = 100;
/** How often it is asked whether the member on this machine is well again. */
const homeEveryMs = 5_000;
/** Calls under way; more wait here. etcd refuses them when it falls thousands behind. */
const maxInFlight = 256;

export interface Reply<Name extends Method> {
  readonly response: Response<Name>;
  /** An earlier try may have been carried out, too. */
  readonly doubtful: boolean;
}

interface EndpointsOptions {
  /** The number of the member on this machine, if there is one, which is used whenever it is well; else `first` only says where to begin. */
  readonly home?: number | undefined;
  readonly first?: number;
  /** A key that may be read. */
  readonly probe?: string;
  /** The key whose value tells which cluster it is. */
  readonly namesCluster?: string;
}

export interface OpenedStream {
  readonly url: string;
  readonly stream: ClientDuplexStream<Buffer, Buffer>;
  /** False when it may have been opened on a connection that nobody has looked at. */
  readonly isSure: () => boolean;
}

/** A call is repeated `always` when it may not have arrived, or only when it certainly was `unsent`. */
export type Repeat = 'always' | 'unsent';

type Header = Message<'ResponseHeader'> | undefined;

const asIs = (bytes: Buffer): Buffer => bytes;

/** gRPC notes for each call from where it was called, a tenth of all that a write costs here, and always finds this file. */
function withoutStack(call: () => void): void {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    call();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

export class Endpoints {
  readonly #members: readonly Member[];
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #inFlight = 0;
  #current: number;
  readonly #home: number | undefined;
  readonly #probe: string;
  #nextLookHome = 0;
  #clusterId: number | undefined;
  #revision = 0;
  readonly newest: NewestWrite;
  #setBack: KnownError | undefined;
  #closed = false;
  /** Called with a member that does not answer. */
  onSilence: (url: string) => void = () => {};
  /** Called once, when nothing of this etcd is believed any more. */
  onSetBack: (why: KnownError) => void = () => {};

  constructor(
    urls: readonly string[],
    tls: Tls | undefined,
    clock: Clock,
    { home, first = home ?? 0, probe = '\0', namesCluster = '' }: EndpointsOptions = {},
  ) {
    this.#members = urls.map((url) => {
      const member: Member = new Member(url, tls, clock, () => this.#state(member));
      return member;
    });
    this.#clock = clock;
    this.#home = home;
    this.#current = first;
    this.#probe = probe;
    this.newest = new NewestWrite(namesCluster);
  }

  /** The newest revision that was heard of. */
  get revision(): number {
    return Math.max(this.#revision, this.newest.revision);
  }

  /** Why nothing of this etcd is believed any more. */
  get setBack(): KnownError | undefined {
    return this.#setBack;
  }

  /** Throws what etcd refuses with, or Unanswered. */
  async call<Name extends Method>(method: Name, request: Request<Name>, repeat: Repeat = 'always'): Promise<Reply<Name>> {
    if (this.#inFlight >= maxInFlight) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#inFlight++;
    try {
      if (this.#setBack) throw this.#setBack;
      return await this.#call(method, request, repeat);
    } finally {
      this.#inFlight--;
      this.#waiting.shift()?.();
    }
  }

  async #call<Name extends Method>(method: Name, request: Request<Name>, repeat: Repeat): Promise<Reply<Name>> {
    let doubtful = false;
    this.#lookHome();
    for (let left = Math.max(2, this.#members.length); ; left--) {
      const member = this.#members[this.#current]!;
      const { client } = member;
      try {
        return { response: await this.#askFit(member, method, request), doubtful };
      } catch (err) {
        const outcome = outcomeOf(err);
        if (outcome === 'refused' || err instanceof KnownError) throw err;
        this.#suspect(member, client, err);
        doubtful ||= outcome === 'unknown';
        if (left <= 1 || this.#closed || (doubtful && repeat === 'unsent')) throw this.#unanswered(err, doubtful);
        if (this.#members.length === 1) await this.#clock.sleep(retryMs);
      }
    }
  }

  async #state(member: Member): Promise<MemberState> {
    const { header, leader } = await this.#status(member, this.#members.length > 1 ? stateMs : attemptMs);
    return { term: header!.raftTerm, hasLeader: leader !== 0 };
  }

  async #status(member: Member, waitMs?: number): Promise<Response<'Status'>> {
    try {
      const response = await this.#send(member, 'Status', {}, waitMs);
      member.hasLeader = response.leader !== 0;
      return response;
    } catch (err) {
      member.hasLeader = undefined;
      throw err;
    }
  }

  /** Where those that answer have no leader, that is why. */
  #unanswered(err: unknown, doubtful: boolean): Unanswered {
    const urls = (said: boolean | undefined): string[] => this.#members.flatMap(({ url, hasLeader }) => (hasLeader === said ? [url] : []));
    const [leaderless, led] = [urls(false), urls(true)];
    return new Unanswered(leaderless.length > 0 && led.length === 0 ? new NoLeader(leaderless, urls(undefined)) : err, doubtful);
  }

  /** Asks a member on a connection on which it was found fit. */
  async #askFit<Name extends Method>(member: Member, method: Name, request: Request<Name>): Promise<Response<Name>> {
    const ended = await this.#fitOf(member);
    const response = await this.#ask(member, method, request);
    try {
      if (member.ended !== ended) await this.#fitOf(member);
    } catch (err) {
      if (err instanceof KnownError || err instanceof UnfitMember) throw err;
      // One that dies now, too, was the same etcd's as far as anybody knows.
      return response;
    }
    return this.newest.saw(method, request, response);
  }

  #fitOf(member: Member): Promise<number> {
    if (member.fit) return member.fit;
    const fit = this.#examine(member);
    member.fit = fit;
    // What was refused once may be allowed the next time.
    fit.catch(() => {
      if (member.fit === fit) member.fit = undefined;
    });
    return fit;
  }

  /** Throws unless the member is one that this store can use. */
  async #examine(member: Member): Promise<number> {
    const { ended } = member;
    const { header, version } = await this.#status(member);
    const [major = 0, minor = 0] = version.split('.').map(Number);
    if (major !== 3 || minor < 4)
      throw new KnownError('BAD_CONFIG', `Cannot use the etcd at "${member.url}": it is of version ${version}`, {
        hint: 'Give an etcd of version 3.4 or later, below 4',
      });
    this.#clusterId ??= header!.clusterId;
    member.isForeign = header!.clusterId !== this.#clusterId;
    if (member.isForeign) throw this.#foreign(member);
    const read = async (key: string, revision = 0): Promise<Message<'KeyValue'> | undefined> =>
      (await this.#ask(member, 'Range', { key, revision })).kvs[0];
    if (!(await this.newest.isThere(read)))
      throw this.#goneBack(member, `its data went back: what was written as revision ${this.newest.revision} is not there`);
    member.wasFit = true;
    return ended;
  }

  /** One that was made anew by mistake is passed over; where most of them were, the cluster was. */
  #foreign(member: Member): Error {
    const replaced = this.#members.filter(({ wasFit, isForeign }) => wasFit && isForeign);
    if (replaced.length * 2 > this.#members.length) return this.#goneBack(member, 'another cluster has taken the place of the one before');
    return new UnfitMember(`${member.url} belongs to another cluster than the other endpoints`);
  }

  /** Asks every member for its state, and goes on with one that is fit. Throws when two are of different clusters, or none answers. */
  async examineAll(): Promise<void> {
    const results = await Promise.allSettled(this.#members.map((member) => (member.fit = this.#examine(member))));
    const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    const wrong = reasons.find((reason) => reason instanceof KnownError || reason instanceof UnfitMember);
    if (wrong instanceof UnfitMember)
      throw new KnownError('BAD_CONFIG', `Cannot use etcd: ${wrong.message}`, {
        hint: 'Give the endpoints of the members of one cluster: "etcdctl member list" says which',
      });
    if (wrong !== undefined || reasons.length === results.length) throw wrong ?? reasons[0];
    for (const [i, { url }] of this.#members.entries()) if (results[i]!.status === 'rejected') this.failed(url);
    while (this.#members[this.#current]!.fit === undefined) this.#current = (this.#current + 1) % this.#members.length;
  }

  /** Who stayed with another machine's member would be interrupted by the death of that machine. */
  #lookHome(): void {
    const home = this.#home;
    if (home === undefined || home === this.#current || this.#clock.monotonic() < this.#nextLookHome) return;
    this.#nextLookHome = this.#clock.monotonic() + homeEveryMs;
    const member = this.#members[home]!;
    // A read that asks the leader: a member that is cut off answers for itself.
    const look = this.#examine(member).then(async (ended) => {
      await this.#ask(member, 'Range', { key: this.#probe, countOnly: true });
      return ended;
    });
    void look.then(
      (ended) => {
        if (member.ended === ended) member.fit = look;
        this.#current = home;
      },
      () => {},
    );
  }

  /** Asks one member, and waits no longer than an answer can come. */
  #ask<Name extends Method>(member: Member, method: Name, request: Request<Name>): Promise<Response<Name>> {
    return new Promise((resolve, reject) => {
      const ended = member.slow.add(member.term, reject);
      this.#send(member, method, request).then(resolve, reject).finally(ended);
    });
  }

  #send<Name extends Method>(member: Member, method: Name, request: Request<Name>, waitMs = attemptMs): Promise<Response<Name>> {
    const known = this.#revision;
    return new Promise((resolve, reject) => {
      const done = (err: ServiceError | null, response?: Response<Name>): void => {
        const problem = err ?? this.#takeHeader(member, method, response!, known);
        if (problem) reject(problem);
        else resolve(response!);
      };
      withoutStack(() =>
        member.client.makeUnaryRequest<Request<Name>, Response<Name>>(
          paths[method],
          (value) => codec.encode(`${method}Request`, value as never),
          (bytes) => codec.decode(`${method}Response`, bytes) as Response<Name>,
          request,
          { deadline: Date.now() + waitMs },
          done,
        ),
      );
    });
  }

  /**
   * Data that was set back to an earlier state would be taken for what the caches know already: it is refused from then on, also when others have
   * brought its revision as far again.
   */
  #takeHeader(member: Member, method: Method, response: { readonly header?: Header }, known: number): KnownError | undefined {
    member.term = Math.max(member.term, response.header!.raftTerm);
    // What a member says of itself may be late; reads and writes are not.
    if (method !== 'Range' && method !== 'Txn') return undefined;
    const { revision } = response.header!;
    this.#revision = Math.max(this.#revision, revision);
    if (revision >= known) return undefined;
    return this.#goneBack(member, `its revision went back from ${known} to ${revision}`);
  }

  #goneBack({ url }: Member, how: string): KnownError {
    if (this.#setBack) return this.#setBack;
    this.#setBack = new KnownError('STORE_CORRUPT', `Cannot use the etcd at "${url}": ${how}`, {
      hint: 'etcd was set back to an earlier state: an API server goes on with that by itself; a copy or a snapshot is to be made again',
    });
    this.onSetBack(this.#setBack);
    return this.#setBack;
  }

  /** A stream of watches from the member whose turn it is. It ends when that member has no leader. */
  async openWatchStream(): Promise<OpenedStream> {
    const member = this.#members[this.#current]!;
    const { url, client } = member;
    try {
      if (this.#setBack) throw this.#setBack;
      const ended = await this.#fitOf(member);
      const metadata = new Metadata();
      metadata.set('hasleader', 'true');
      const stream = member.client.makeBidiStreamRequest(paths.Watch, asIs, asIs, metadata);
      return { url, stream, isSure: () => member.ended === ended };
    } catch (err) {
      this.#suspect(member, client, err);
      throw err;
    }
  }

  /** The database of the member whose turn it is, and its checksum behind it, in pieces. */
  openSnapshot(): AsyncIterable<Uint8Array> & { cancel(): void } {
    const { client } = this.#members[this.#current]!;
    return client.makeServerStreamRequest(
      paths.Snapshot,
      (request: Message<'SnapshotRequest'>) => codec.encode('SnapshotRequest', request),
      (bytes: Buffer) => codec.decode('SnapshotResponse', bytes).blob,
      {},
    );
  }

  /** Says that a member failed: it is the next one's turn. */
  failed(url: string): void {
    const member = this.#members.find((one) => one.url === url)!;
    member.fit = undefined;
    if (this.#members[this.#current] === member) this.#current = (this.#current + 1) % this.#members.length;
  }

  #suspect(member: Member, used: Client, err: unknown): void {
    if (err instanceof LeaderChanged) return;
    // On a way that loses packets the kernel tries ever more seldom, to connect, too: a new connection finds at once that it is whole again.
    // gRPC itself waits without an end for one that does not come about.
    const hangs = isUnconnected(err) && member.openMs >= attemptMs;
    if (!isLate(err)) member.hasLeader = undefined;
    if ((isLate(err) || hangs) && member.client === used && !this.#closed) member.connectAnew();
    this.failed(member.url);
    if (outcomeOf(err) === 'unknown' && this.#members.length > 1) this.onSilence(member.url);
  }

  close(): void {
    this.#closed = true;
    for (const { client } of this.#members) client.close();
  }
}
