/**
 * What speakers tell each other several times a second: that they live, and whether they are ready to announce. One datagram, readable, and
 * signed with the cluster's key. Pure.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

export interface Hello {
  readonly node: string;
  /** Names one run of the speaker: a new one begins to count anew. */
  readonly life: string;
  /** Grows with each: one that was recorded and is sent again says nothing. */
  readonly count: number;
  /** Whether it knows who else lives, and takes what falls to it. */
  readonly isReady: boolean;
}

const algorithm = 'sha256';
/** More is not read: names of nodes have at most 253 bytes. */
const longest = 1024;

function sign(key: Uint8Array, text: string): string {
  return createHmac(algorithm, key).update(text).digest('base64');
}

export function encodeHello({ node, life, count, isReady }: Hello, key: Uint8Array): Buffer {
  const text = JSON.stringify({ node, life, count, isReady });
  return Buffer.from(`${text}\n${sign(key, text)}`);
}

/** Undefined for what is not signed with the key, or says nothing. */
export function decodeHello(datagram: Buffer, key: Uint8Array): Hello | undefined {
  if (datagram.length > longest) return undefined;
  const [text = '', signature = ''] = datagram.toString().split('\n');
  const [given, right] = [Buffer.from(signature), Buffer.from(sign(key, text))];
  if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
  const { node, life, count, isReady } = JSON.parse(text) as Partial<Hello>;
  if (typeof node !== 'string' || typeof life !== 'string' || typeof count !== 'number') return undefined;
  return { node, life, count, isReady: isReady === true };
}
