/**
 * A client in a network namespace whom nothing may let in, as a process of its own: it tries all targets again and again, and answers every message with those
 * that let it in, once each of them has been tried once more. Its argument is a list of `Target`s as JSON.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Target } from './traffic.ts';

/** An answer comes at once. A machine that is busy makes this client see less, and never more. */
const attemptMs = 100;
const targets = JSON.parse(process.argv[2] ?? '[]') as Target[];
const entered = new Set<string>();
const attempts = targets.map(() => 0);

async function keepTrying({ to, port }: Target, index: number): Promise<void> {
  for (;;) {
    const socket = connect(port, to);
    socket.on('connect', () => entered.add(`${to}:${port}`)).on('error', () => {});
    await sleep(attemptMs);
    socket.destroy();
    attempts[index]! += 1;
  }
}

async function answer(): Promise<void> {
  const until = attempts.map((count) => count + 2);
  while (attempts.some((count, i) => count < (until[i] ?? 0))) await sleep(attemptMs / 10);
  process.send?.([...entered]);
}

process.on('disconnect', () => process.exit());
process.on('message', () => void answer());
for (const [index, target] of targets.entries()) void keepTrying(target, index);
