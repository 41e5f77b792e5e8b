/**
 * What of a change no proxy can save: the message by which one endpoint moves, sent to the table that a proxy in mode nftables has left. The thread
 * waits for it, as it does for nothing else.
 */
import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadLibc } from '../../../src/linux/libc.ts';
import { decodeMessages, readRefusal } from '../../../src/linux/netlink/message.ts';
import { NETLINK_NETFILTER } from '../../../src/linux/netlink/netlink-socket.ts';
import { encodeBatch } from '../../../src/linux/nftables/batch.ts';
import { fewOffset, fewSlots, setsOf, tableName } from '../../../src/proxy/mode/nftables/layout.ts';
import { endpointPort, movingEndpoint } from './objects.ts';

const [netlink, raw, dontWait] = [16, 3, 0x40];
const endpoints = setsOf({ family: 'ip' }).find(({ name }) => name === 'endpoints');

/** Milliseconds, of each of `changes` changes of the only endpoint of a Service. */
export async function kernelShare(serviceIp: string, changes: number): Promise<number[]> {
  if (!endpoints) throw new RangeError('The table has no endpoints');
  const libc = loadLibc();
  const fd = libc.socket(netlink, raw, NETLINK_NETFILTER);
  // Alone, it has all slots of few endpoints.
  const keys = Array.from({ length: fewSlots }, (_, slot) => `${serviceIp} . tcp . 80 . ${fewOffset + slot}`);
  const answer = Buffer.alloc(4096);
  const times: number[] = [];
  for (let n = 0; n < changes; n++) {
    const endpoint = `${movingEndpoint(2 ** 15 + n)} . ${endpointPort}`;
    const { bytes } = encodeBatch({
      family: 'ip',
      table: tableName,
      ops: [
        { op: 'delete-elements', set: endpoints, keys },
        { op: 'add-elements', set: endpoints, elements: keys.map((key) => [key, endpoint] as const) },
      ],
    });
    await sleep(20 + (n % 10));
    const begun = performance.now();
    libc.send(fd, bytes, bytes.length, 0);
    times.push(performance.now() - begun);
    const length = libc.recv(fd, answer, answer.length, dontWait);
    const refusals = decodeMessages(answer.subarray(0, length)).map((message) => readRefusal(message).errno);
    if (refusals.length !== 1 || refusals[0] !== 0) throw new Error(`The kernel did not take the change: ${refusals}`);
  }
  closeSync(fd);
  return times;
}
