/** A server's first words with a Redis that it has just connected to: is it fit, is it the same store, is everything still there. */
import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { KnownError, messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import type { RedisSettings } from './address.ts';
import { filling } from './library.ts';
import type { KnownWrite } from './record.ts';
import { answerCode } from './redis-error.ts';
import { type Facts, parseInfo, refusalOf, wasPromoted } from './requirements.ts';
import type { Session } from './session.ts';

/** What the hash `meta` says. */
export interface StoreState extends KnownWrite {
  readonly compacted: number;
}

export class Greeter {
  readonly #settings: RedisSettings;
  readonly #log: Log;
  #storeId: string | undefined;
  #run: string | undefined;

  constructor(settings: RedisSettings, log: Log) {
    this.#settings = settings;
    this.#log = log;
  }

  /** `known` is the newest write that this server has seen. Throws why the Redis cannot be used. */
  async greet(session: Session, known: KnownWrite | undefined): Promise<StoreState> {
    // Later a write says by itself that replicas are missing, and reads go on.
    const info = await this.#mustBeFit(session.writes, known ? 0 : this.#settings.waitReplicas);
    // Without confirmation by replicas a fail-over may have lost acknowledged writes, whoever saw them.
    const doubtful = wasPromoted(info) && this.#settings.waitReplicas === 0;
    const run = info.run_id!;
    const asked = known && run !== this.#run ? known : undefined;
    const meta = await this.#open(session, run, doubtful, asked);
    this.#storeId = meta.get('id')!.toString('hex');
    this.#run = run;
    return { revision: Number(meta.get('revision')), id: meta.get('last')!, compacted: Number(meta.get('compacted')) };
  }

  /** Ends the session when its settings are changed to what a store must not have, or when nothing of it is there any more. */
  keepLooking(session: Session): void {
    const timer = setInterval(() => {
      const look = session.mustHoldStore().then(() => this.#mustBeFit(session.reads, 0));
      look.catch((err: unknown) => session.end(err));
    }, this.#settings.lookMs).unref();
    void session.ended.then(() => clearInterval(timer));
  }

  /** Throws why the Redis must not be used; gives what it says of itself. */
  async #mustBeFit(client: Redis, waitReplicas: number): Promise<Facts['info']> {
    const facts = { info: parseInfo(await client.info()), appendfsync: await appendfsyncOf(client) };
    const refusal = refusalOf(facts, { ...this.#settings, waitReplicas });
    if (refusal) throw this.#refuse('BAD_CONFIG', refusal.why, refusal.hint);
    return facts.info;
  }

  async #open(session: Session, run: string, doubtful: boolean, known: KnownWrite | undefined): Promise<Map<string, Buffer>> {
    const { cluster } = this.#settings;
    const again = this.#storeId === undefined ? '0' : '1';
    const args = [cluster, randomBytes(16), again, run, doubtful ? '1' : '0', String(known?.revision ?? -1), known?.id ?? ''];
    const meta = fieldsOf(
      (await session.open(args).catch((err: unknown) => {
        throw this.#openError(err);
      })) as readonly Buffer[],
    );
    const format = meta.get('format')?.toString();
    if (format === filling)
      throw this.#refuse(
        'STORE_CORRUPT',
        'it was being filled, and that did not end',
        'Run the "fairlead store copy" or "snapshot restore" again that did it',
      );
    if (format !== '1')
      throw this.#refuse('STORE_CORRUPT', `its data have the format "${format}"`, 'A newer version of Fairlead made them: use that one');
    const owner = meta.get('cluster')?.toString();
    if (owner !== cluster)
      throw this.#refuse(
        'BAD_CONFIG',
        `it holds the cluster "${owner}", not "${cluster}"`,
        `Give another database of this Redis (redis://HOST/1), or ?cluster=${owner} if that one is meant`,
      );
    if (this.#storeId !== undefined && meta.get('id')!.toString('hex') !== this.#storeId) throw this.#gone();
    if (known && Number(meta.get('revision')) > known.revision && Number(meta.get('compacted')) > known.revision)
      this.#log.warn('what this server has seen last is not in Redis any more, so every client lists anew', { revision: known.revision });
    return meta;
  }

  #openError(err: unknown): unknown {
    const code = answerCode(err);
    if (code === 'GONE') return this.#gone();
    if (code === 'FOREIGN')
      return this.#refuse(
        'BAD_CONFIG',
        `its database holds ${/\d+/.exec(messageOf(err))?.[0]} keys of something else`,
        'Give the store a database of its own: redis://HOST/1',
      );
    return err;
  }

  #gone(): KnownError {
    return this.#refuse(
      'STORE_CORRUPT',
      'Redis has come back without the data of this cluster',
      'Bring its data back (appendonlydir) and start it again; this server then goes on by itself',
    );
  }

  #refuse(code: KnownError['code'], why: string, hint: string): KnownError {
    return new KnownError(code, `Cannot open store "${this.#settings.shown}": ${why}`, { hint });
  }
}

/** Undefined when the user may not ask. */
async function appendfsyncOf(client: Redis): Promise<string | undefined> {
  try {
    const answer = (await client.config('GET', 'appendfsync')) as readonly string[];
    return answer[1];
  } catch (err) {
    const code = answerCode(err);
    if (code === 'NOPERM' || code === 'ERR') return undefined;
    throw err;
  }
}

/** A hash as a flat list of names and values. */
function fieldsOf(list: readonly Buffer[]): Map<string, Buffer> {
  const fields = new Map<string, Buffer>();
  for (let i = 0; i + 1 < list.length; i += 2) fields.set(list[i]!.toString(), list[i + 1]!);
  return fields;
}
