/** ExternalName Services: the CNAME together with what its target answers, here or elsewhere. */
import packet from 'dns-packet';
import { encodeName, RCODE, TYPE } from '../../message/names.ts';
import { encodeQuery, parseQuery, type Query } from '../../message/query.ts';
import { record } from '../../message/records.ts';
import { emptyReply, type Reply } from '../../message/reply.ts';
import type { ClusterZone } from '../../zone/cluster-zone.ts';
import type { Answer, Next, Request } from '../plugin.ts';

/** A chain of CNAMEs longer than this is given up, as CoreDNS does. */
const maxChain = 10;
const failed: Reply = emptyReply(RCODE.SERVFAIL);

/**
 * The whole chain. The code is that of its end (RFC 2308 §2.1: NXDOMAIN when the target does not exist); SERVFAIL when the end cannot be
 * reached, so that nobody takes silence for "no address".
 */
export function followAlias(
  request: Request,
  alias: { readonly target: string; readonly record: Uint8Array },
  zone: ClusterZone,
  lookup: Next,
): Answer | Promise<Answer> {
  const { query } = request;
  const answers: Uint8Array[] = [alias.record];
  const done: Reply = { rcode: RCODE.NOERROR, authoritative: true, answers, authority: [], additional: [] };
  if (query.type === TYPE.CNAME || query.type === TYPE.ANY) return done;
  const seen = new Set([query.name]);
  for (let name = alias.target; !seen.has(name) && seen.size <= maxChain; ) {
    seen.add(name);
    if (!zone.holds(name)) return elsewhere(request, name, done, lookup);
    const own = zone.answer(name, query.type);
    if (own.kind === 'reply') return { ...own.reply, answers: [...answers, ...own.reply.answers.map((r) => withOwner(name, r))] };
    answers.push(withOwner(name, own.record));
    name = own.target;
  }
  return failed;
}

/** Records of the zone point at the question: here another name owns them. */
function withOwner(name: string, answer: Uint8Array): Uint8Array {
  return Buffer.concat([encodeName(name), answer.subarray(2)]);
}

async function elsewhere(request: Request, name: string, before: Reply, lookup: Next): Promise<Answer> {
  const found = await lookup({ ...request, query: questionFor(name, request.query.type) });
  // What is no message of a resolver is a refusal of our own.
  if (!('raw' in found)) return failed;
  const rcode = (found.raw[3] ?? 0) & 15;
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return failed;
  const message = packet.decode(Buffer.from(found.raw));
  const encode = (records: readonly packet.Answer[] | undefined): Uint8Array[] => (records ?? []).map((r) => record(r.name, r));
  return {
    ...before,
    rcode,
    answers: [...before.answers, ...encode(message.answers)],
    authority: encode(message.authorities?.filter((r) => r.type === 'SOA')),
  };
}

function questionFor(name: string, type: number): Query {
  const message = encodeQuery(name, 'A');
  message.writeUInt16BE(type, message.length - 4);
  const parsed = parseQuery(message);
  if (parsed.kind !== 'query') throw new Error(`Cannot ask for "${name}"`);
  return parsed.query;
}
