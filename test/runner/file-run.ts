/** One test file in a process of its own, with a time limit. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { FileEvent, TestEvent } from './events.ts';

export interface Limits {
  /** For the whole file, in milliseconds. */
  readonly file: number;
  /** How long a process may live on after its last test, in milliseconds. */
  readonly linger: number;
  /** From SIGTERM to SIGKILL, in milliseconds. */
  readonly grace: number;
}

export interface FileResult {
  readonly file: string;
  readonly ms: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What it printed, the newest 64 KB of it. */
  readonly output: string;
  /** Wrong with the file as a whole: it did not end, or broke outside its tests. */
  readonly problem: string | undefined;
}

const outputBytes = 64 << 10;

export class FileRun {
  readonly file: string;
  readonly #limits: Limits;
  readonly #onEvent: (event: TestEvent) => void;
  readonly #count = { passed: 0, failed: 0, skipped: 0, suite: 0 };
  readonly #running = new Map<string, number>();
  readonly #began = performance.now();
  #output = '';
  #isOver = false;
  #problem: string | undefined;
  #linger: NodeJS.Timeout | undefined;
  #end: (signal: NodeJS.Signals) => void = () => {};

  constructor(file: string, limits: Limits, onEvent: (event: TestEvent) => void) {
    this.file = file;
    this.#limits = limits;
    this.#onEvent = onEvent;
  }

  /** The tests under way, innermost ones only. */
  running(): string[] {
    const paths = [...this.#running.keys()];
    return paths.filter((path) => !paths.some((other) => other.startsWith(`${path} › `)));
  }

  /** Ends it: what it started has `grace` to be ended by it. A second time ends everything at once. */
  stop(why: string): void {
    this.#end(this.#problem === undefined ? 'SIGTERM' : 'SIGKILL');
    this.#problem ??= why;
    setTimeout(() => this.#end('SIGKILL'), this.#limits.grace).unref();
  }

  async run(flags: readonly string[], added: NodeJS.ProcessEnv = {}): Promise<FileResult> {
    const reporter = [`--test-reporter=${new URL('./events-reporter.ts', import.meta.url).pathname}`, '--test-reporter-destination=stdout'];
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    // A process group of its own, so that what it started ends with it.
    const child = spawn(process.execPath, [...reporter, ...flags, this.file], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      detached: true,
      env: { ...env, ...added },
    });
    this.#end = (signal) => {
      try {
        process.kill(-child.pid!, signal);
      } catch {
        // All of it has ended.
      }
    };
    for (const stream of [child.stdout!, child.stderr!])
      stream.on('data', (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString()).slice(-outputBytes);
      });
    createInterface({ input: child.stdio[3] as NodeJS.ReadableStream }).on('line', (line) => this.#take(JSON.parse(line) as FileEvent));
    const limit = setTimeout(() => this.stop(this.#late()), this.#limits.file);
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    clearTimeout(limit);
    clearTimeout(this.#linger);
    // What it started and left behind goes with it.
    if (this.#problem !== undefined) this.#end('SIGKILL');
    // A failed test ends the process with 1; with none failed it broke elsewhere.
    if (code !== 0 && this.#count.failed === 0) this.#problem ??= `the process ended with ${code ?? signal}`;
    if (code === 0 && !this.#isOver) this.#problem ??= 'the process ended before its tests were over';
    const { passed, failed, skipped } = this.#count;
    return { file: this.file, ms: performance.now() - this.#began, passed, failed, skipped, output: this.#output, problem: this.#problem };
  }

  #late(): string {
    const running = this.running();
    return `took longer than ${this.#limits.file / 1000} s${running.length > 0 ? `; running: ${running.join(', ')}` : ''}`;
  }

  #take(event: FileEvent): void {
    if (event.kind === 'over') this.#isOver = true;
    else if (event.kind === 'error') this.#output += `${event.text}\n`;
    else this.#takeTest(event);
  }

  #takeTest(event: TestEvent): void {
    const path = event.path.join(' › ');
    clearTimeout(this.#linger);
    if (event.kind === 'begin') this.#running.set(path, (this.#running.get(path) ?? 0) + 1);
    else {
      const left = (this.#running.get(path) ?? 1) - 1;
      if (left > 0) this.#running.set(path, left);
      else this.#running.delete(path);
      this.#count[event.result]++;
      if (this.#running.size === 0) this.#linger = setTimeout(() => this.stop(this.#lingers()), this.#limits.linger);
    }
    this.#onEvent(event);
  }

  #lingers(): string {
    return `did not end within ${this.#limits.linger / 1000} s of its last test: something is still open`;
  }
}
