/**
 * Runs programs in a network namespace by one shell that stays there. In a guest kernel it takes a large process such as this one long to make another; a
 * shell is small.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Exec, type ExecOptions, type ExecResult, start } from '../../../../linux/exec.ts';

const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

async function whole(input: NonNullable<ExecOptions['input']>): Promise<string | Uint8Array> {
  if (typeof input === 'string' || input instanceof Uint8Array) return input;
  return Array.from(input as Iterable<string>).join('');
}

const directories: string[] = [];
process.once('exit', () => {
  for (const dir of directories) rmSync(dir, { recursive: true, force: true });
});

/** It ends with this process, which it keeps from nothing. */
export class ShellExec implements Exec {
  readonly #dir = mkdtempSync(join(tmpdir(), 'fl-shell-'));
  readonly #say: (line: string) => void;
  #heard: (code: string) => void = () => {};
  #last: Promise<unknown> = Promise.resolve();

  constructor(namespace: string) {
    const child = start('nsenter', [`--net=${namespace}`, 'sh'], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.unref();
    for (const stream of [child.stdin, child.stdout]) (stream as unknown as { unref(): void }).unref();
    this.#say = (line) => child.stdin?.write(`${line}\n`);
    if (child.stdout) createInterface({ input: child.stdout }).on('line', (code) => this.#heard(code));
    directories.push(this.#dir);
  }

  run(file: string, args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const result = this.#last.then(() => this.#run(file, args, options));
    this.#last = result.catch(() => {});
    return result;
  }

  async #run(file: string, args: readonly string[], { input, onOutput }: ExecOptions): Promise<ExecResult> {
    const [given, out, err] = ['in', 'out', 'err'].map((name) => join(this.#dir, name)) as [string, string, string];
    writeFileSync(given, input === undefined ? '' : await whole(input));
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#heard = resolve;
    // The loop has nothing else to do while it waits.
    const awake = setInterval(() => {}, 60_000);
    this.#say(`LC_ALL=C ${[file, ...args].map(quote).join(' ')} <${given} >${out} 2>${err}; echo $?`);
    const code = Number(await promise);
    clearInterval(awake);
    const [stdout, stderr] = [readFileSync(out, 'utf8'), readFileSync(err, 'utf8')];
    onOutput?.(stdout);
    return { code, stdout, stderr };
  }
}
