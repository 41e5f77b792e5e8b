/**
 * The one place where processes are started. Everything runs under LC_ALL=C, with no shell in between.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { Readable, type Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { KnownError, systemCode } from '../errors/known-error.ts';

export interface ExecResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecOptions {
  /** Given to the program's standard input; of pieces the next is asked for when the program has room for it, one in a turn of the event loop. */
  readonly input?: string | Uint8Array | Iterable<string>;
  /** Takes standard output as it comes; the result then has none. */
  readonly onOutput?: (piece: string) => void;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Runs programs; passed in, so that tests can answer for them. */
export interface Exec {
  /** Runs a program to its end, whatever its exit code. Throws TOOL_MISSING when there is no such program. */
  run(file: string, args: readonly string[], options?: ExecOptions): Promise<ExecResult>;
}

function environment(extra: Readonly<Record<string, string>> | undefined): NodeJS.ProcessEnv {
  return { ...process.env, ...extra, LC_ALL: 'C' };
}

/** Others have their turn between two pieces: a program that reads as fast as they come would have none for them. */
async function* unhurried(pieces: Iterable<string>): AsyncGenerator<string> {
  for (const piece of pieces) {
    yield piece;
    await setImmediate();
  }
}

/** Starts a program that goes on by itself: a daemon, or one whose streams the caller reads. */
export function start(file: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
  return spawn(file, args, { ...options, env: options.env ?? environment(undefined) });
}

function feed(pieces: Iterable<string>, to: Writable, onError: (err: Error) => void): void {
  const from = Readable.from(unhurried(pieces));
  // Of the pieces: whoever makes them fails for all.
  from.on('error', (err) => {
    to.end();
    onError(err);
  });
  // The program may end without reading the rest.
  to.on('close', () => from.destroy());
  from.pipe(to);
}

function run(file: string, args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: environment(options.env),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs, killSignal: 'SIGKILL' as const }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', options.onOutput ?? ((s: string) => (stdout += s)));
    child.stderr.setEncoding('utf8').on('data', (s: string) => (stderr += s));
    child.on('error', (err) => {
      reject(
        systemCode(err) === 'ENOENT'
          ? new KnownError('TOOL_MISSING', `Cannot run "${file}": it is not installed`, {
              hint: `Install the package that brings "${file}"`,
              cause: err,
            })
          : err,
      );
    });
    child.on('close', (code, signal) => resolve({ code: code ?? 128, stdout, stderr: signal ? `${stderr}(ended by ${signal})` : stderr }));
    // The program may end without reading its input.
    child.stdin.on('error', () => {});
    const { input } = options;
    if (input === undefined || typeof input === 'string' || input instanceof Uint8Array) child.stdin.end(input);
    else feed(input, child.stdin, reject);
  });
}

export const systemExec: Exec = { run };

/** Runs a program that must succeed; gives its standard output. Throws COMMAND_FAILED with what it said. */
export async function mustRun(exec: Exec, file: string, args: readonly string[], options?: ExecOptions): Promise<string> {
  const result = await exec.run(file, args, options);
  if (result.code === 0) return result.stdout;
  const said = (result.stderr || result.stdout).trim().split('\n').slice(-3).join('; ');
  throw new KnownError('COMMAND_FAILED', `Cannot run "${[file, ...args].join(' ')}": exit code ${result.code}${said ? `: ${said}` : ''}`);
}
