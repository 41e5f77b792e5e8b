/** From the bytes of a question to the bytes of a reply. Knows messages, neither sockets nor names. */
import { messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import { CLASS_IN, RCODE, TYPE } from '../message/names.ts';
import { parseQuery, type Query } from '../message/query.ts';
import { buildReply, emptyReply, formatError, rebuildRaw } from '../message/reply.ts';
import type { Answer, Client, Next, Request, Transport } from '../plugin/plugin.ts';

/** What a reply was, for the metrics. */
export interface ReplyInfo {
  readonly name: string;
  readonly type: number;
  readonly rcode: number;
  readonly wantsDnssec: boolean;
  /** What the client takes by UDP; 65535 over TCP. */
  readonly room: number;
  readonly size: number;
}

export interface ResponderOptions {
  readonly answer: Next;
  readonly log: Log;
  readonly observe?: (info: ReplyInfo, transport: Transport, client: Client, seconds: number) => void;
}

/** The most we send by UDP, whatever the client offers: more is an amplifier's tool. */
const maxUdp = 4096;
const maxMessage = 65_535;

export class Responder {
  readonly #options: ResponderOptions;
  readonly #underWay = new Set<Promise<Buffer>>();

  constructor(options: ResponderOptions) {
    this.#options = options;
  }

  /** Resolves when every question that was asked until now has its answer. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  /** Gives bytes to send, now or later; undefined for silence. */
  respond(message: Buffer, transport: Transport, client: Client): Buffer | Promise<Buffer> | undefined {
    const { answer, log, observe } = this.#options;
    const started = observe ? performance.now() : 0;
    const parsed = parseQuery(message);
    if (parsed.kind === 'silent') return undefined;
    if (parsed.kind === 'malformed') return formatError(parsed.id);
    const { query } = parsed;
    const limit = transport === 'tcp' ? maxMessage : Math.min(query.edns?.size ?? 512, maxUdp);
    const render = (found: Answer): Buffer => {
      const bytes = 'raw' in found ? rebuildRaw(query, found.raw, limit) : buildReply(query, found, limit);
      if (observe) {
        const { name, type, edns } = query;
        const rcode = 'raw' in found ? (found.raw[3] ?? 0) & 15 : found.rcode;
        const room = transport === 'tcp' ? maxMessage : (edns?.size ?? 512);
        const info = { name, type, rcode, wantsDnssec: edns?.wantsDnssec ?? false, room, size: bytes.length };
        observe(info, transport, client, (performance.now() - started) / 1000);
      }
      return bytes;
    };
    const fail = (err: unknown): Buffer => {
      // A fault of ours must not take the server down, nor leave the client waiting.
      log.error(`Cannot answer "${query.name}": ${messageOf(err)}`, { err });
      return render(emptyReply(RCODE.SERVFAIL));
    };
    const refused = refusalOf(query);
    if (refused !== undefined) return render(emptyReply(refused));
    try {
      const found = answer({ query, client, transport } satisfies Request);
      if (!(found instanceof Promise)) return render(found);
      const later = found.then(render).catch(fail);
      this.#underWay.add(later);
      void later.finally(() => this.#underWay.delete(later));
      return later;
    } catch (err) {
      return fail(err);
    }
  }
}

/** The code for questions that no plugin is asked. */
function refusalOf(query: Query): number | undefined {
  if (query.opcode !== 0) return RCODE.NOTIMP;
  if (query.edns && query.edns.version !== 0) return RCODE.BADVERS;
  // Chaos and the like; and a whole zone goes to nobody.
  if (query.class !== CLASS_IN || query.type === TYPE.AXFR || query.type === TYPE.IXFR) return RCODE.REFUSED;
  return undefined;
}
