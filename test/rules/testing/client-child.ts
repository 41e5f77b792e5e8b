/**
 * A client in a network namespace, as a process of its own: connections that stay open, and new ones all the time. Its argument is a list of
 * `Target`s as JSON. Told of a round, it answers once every one of them has been used thrice since, with all that went wrong until then. How busy the
 * machine is changes nothing of its pace.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../../src/errors/known-error.ts';
import type { Order, Round, Target } from './traffic.ts';

const standingPerTarget = 3;
const pauseMs = 4;
/** Under QEMU's emulation, and in User Mode Linux, everything that is watched is slow, too: all loops together leave half of the CPU to that. */
const isEmulated = /^model name.*(?:QEMU|UML)/m.test(readFileSync('/proc/cpuinfo', 'utf8'));
const longestRestMs = 1000;
/** Three times as long as TCP takes to send again what a busy machine lost. */
const patienceMs = 20_000;
const usesPerRound = 3;

let newMayFail = false;
const troubles: string[] = [];
/** How often each loop was through. */
const uses: number[] = [];

async function open({ to, port }: Target): Promise<Socket> {
  const socket = connect(port, to);
  await once(socket, 'connect', { signal: AbortSignal.timeout(patienceMs) });
  return socket;
}

async function echo(socket: Socket, text: string): Promise<void> {
  socket.write(text);
  let answer = '';
  while (answer.length < text.length) {
    const [part] = await once(socket, 'data', { signal: AbortSignal.timeout(patienceMs) });
    answer += String(part);
  }
  if (answer !== text) throw new Error(`sent ${text}, got ${answer}`);
}

function restMs(tookMs: number): number {
  return isEmulated ? Math.max(pauseMs, Math.min(tookMs * uses.length, longestRestMs)) : pauseMs;
}

async function loop(work: (turn: number) => Promise<void>): Promise<void> {
  const index = uses.push(0) - 1;
  for (let turn = 0; ; turn++) {
    const begun = performance.now();
    await work(turn);
    uses[index] = turn + 1;
    await sleep(restMs(performance.now() - begun));
  }
}

async function keepUsing(target: Target, socket: Socket): Promise<void> {
  const broken = once(socket, 'close').then(() => Promise.reject(new Error('it was closed')));
  try {
    await loop((turn) => Promise.race([echo(socket, `${turn} `), broken]));
  } catch (err) {
    troubles.push(`An established connection to ${target.to}:${target.port} broke: ${messageOf(err)}`);
  }
}

async function keepOpening(target: Target): Promise<void> {
  await loop(async () => {
    const couldFail = newMayFail;
    try {
      const socket = await open(target);
      await echo(socket, 'new');
      socket.destroy();
    } catch (err) {
      if (!couldFail && !newMayFail) troubles.push(`A new connection to ${target.to}:${target.port} failed: ${messageOf(err)}`);
    }
  });
}

async function round(): Promise<void> {
  const until = uses.map((count) => count + usesPerRound);
  while (troubles.length === 0 && uses.some((count, i) => count < (until[i] ?? 0))) await sleep(pauseMs);
  answer();
}

function answer(): void {
  const told: Round = { troubles: troubles.splice(0), uses: uses.reduce((sum, count) => sum + count, 0) };
  process.send?.(told);
}

process.on('disconnect', () => process.exit());
process.on('message', (order: Order) => {
  if (order === 'round') void round();
  else newMayFail = order === 'new may fail';
});
for (const target of JSON.parse(process.argv[2] ?? '[]') as Target[]) {
  for (let i = 0; i < standingPerTarget; i++) void keepUsing(target, await open(target));
  void keepOpening(target);
}
answer();
