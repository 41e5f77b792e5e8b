/**
 * The quick way for calls: named pipes, which a shell can use without starting anything (a Node.js start costs 25 ms of CPU,
 * twice per pod). The wrapper (install.ts) takes a pipe for its answer, and writes one line into `calls`:
 *
 *   process id ␟ answer pipe ␟ plugin ␟ CNI_COMMAND ␟ CNI_CONTAINERID ␟ CNI_NETNS ␟ CNI_IFNAME ␟ CNI_ARGS ␟ CNI_PATH ␟ configuration
 *
 * A line shorter than PIPE_BUF (4096) is written whole or not at all, so callers do not mix. The answer is three lines: one that
 * only says that it is there, standard output, and the exit code.
 *
 * Everything is in a directory of this process's own, which the file `current` names: what a caller began with an agent that
 * died cannot get mixed up with what its successor does.
 */
import { constants, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { messageOf } from '../errors/known-error.ts';
import { growPipe, makeFifo } from '../linux/fifo.ts';
import type { Log } from '../observability/log.ts';
import { AnswerPipes, answerPipes } from './answer-pipes.ts';
import { type CallPlugin, type PluginCall, undoUnheard } from './plugin-call.ts';

const separator = '\x1f';

export interface PipeServer {
  /** Forgets callers that were killed. To be called now and then. */
  sweep(): void;
  /** Takes no more calls; resolves when those that were taken are answered. */
  close(): Promise<void>;
}

/** Makes the directory (for root only), in place of what an earlier process left, and takes calls. */
export function servePipes(dir: string, call: CallPlugin, log: Log): PipeServer {
  rmSync(dir, { recursive: true, force: true });
  const own = join(dir, `${process.pid}.${Date.now()}`);
  mkdirSync(own, { recursive: true, mode: 0o700 });
  const answers = new AnswerPipes(own);
  const calls = join(own, 'calls');
  makeFifo(calls, 0o600);
  // Open for writing, too: otherwise it would end whenever no caller has it open.
  const fd = openSync(calls, constants.O_RDWR | constants.O_NONBLOCK);
  // Writing must not block while this process is stuck: there is room for a call of every pipe.
  growPipe(fd, 2 * answerPipes * 4096);
  const pipe = new Socket({ fd, readable: true, writable: false });
  const running = new Set<Promise<void>>();
  let rest = '';
  pipe.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const [pid = '', answerPipe = '', ...fields] = line.split(separator);
      const caller = answers.caller(Number(answerPipe), pid);
      // Nobody waits for it any more; what it wanted is asked again.
      if (!caller) continue;
      const request = callOf(fields);
      const work = call(request)
        .then(async (answer) => {
          if (!caller.answer(`answer\n${answer.stdout}\n${answer.code}\n`)) await undoUnheard(request, answer, call);
        })
        .catch((err) => log.warn(`Cannot answer a CNI call: ${messageOf(err)}`))
        .finally(() => running.delete(work));
      running.add(work);
    }
  });
  pipe.on('error', (err) => log.error(`Cannot read CNI calls from "${calls}": ${err.message}`));
  writeFileSync(join(dir, 'new'), `${own}\n`, { mode: 0o600 });
  renameSync(join(dir, 'new'), join(dir, 'current'));
  return {
    sweep: () => answers.sweep(),
    async close() {
      // Callers look for this first; without it they go the long way.
      rmSync(join(dir, 'current'), { force: true });
      // What was written before is still read.
      await new Promise((resolve) => setImmediate(resolve));
      pipe.pause();
      await Promise.allSettled(running);
      pipe.destroy();
      answers.close();
      // Moved first: a caller that still comes cannot put anything into it.
      renameSync(own, join(dir, 'gone'));
      rmSync(join(dir, 'gone'), { recursive: true, force: true });
    },
  };
}

const variables = ['CNI_COMMAND', 'CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_ARGS', 'CNI_PATH'];

function callOf([plugin, ...fields]: readonly string[]): PluginCall {
  return {
    plugin: plugin === 'loopback' ? 'loopback' : 'fairlead',
    env: Object.fromEntries(variables.map((name, i) => [name, fields[i] ?? ''])),
    stdin: fields.slice(variables.length).join(separator),
  };
}
