/** What a person sees of a run: a line per file as it ends, a failed test at once, which files were flaky, and the totals. */
import type { TestEvent } from './events.ts';
import type { FileResult } from './file-run.ts';

const slow = 5;

export class Report {
  readonly #write: (text: string) => void;
  readonly #files: number;
  readonly #began = performance.now();
  /** Of each file its last run. */
  readonly #results = new Map<string, FileResult>();
  /** File → what failed in it, in any of its runs. */
  readonly #failures = new Map<string, Set<string>>();
  /** File → why something of it was skipped. */
  readonly #skipped = new Map<string, Set<string>>();
  readonly #tests: { readonly name: string; readonly ms: number }[] = [];

  constructor(write: (text: string) => void, files: number) {
    this.#write = write;
    this.#files = files;
  }

  event(file: string, event: TestEvent): void {
    if (event.kind !== 'end' || event.result === 'suite') return;
    const name = event.path.join(' › ');
    this.#tests.push({ name, ms: event.ms });
    if (event.why !== undefined) this.#skipped.set(file, (this.#skipped.get(file) ?? new Set()).add(event.why));
    if (event.result === 'failed') this.#fail(file, name, event.error ?? '');
  }

  file(result: FileResult): void {
    const isAgain = this.#results.has(result.file);
    this.#results.set(result.file, result);
    const bad = isBad(result);
    if (result.problem !== undefined) this.#fail(result.file, result.problem, '');
    // Of a file that failed once, what it printed when all was well tells the difference.
    if ((bad || isAgain) && result.output.trim() !== '') this.#write(`${indent(result.output.trim())}\n`);
    const counts = [
      `${result.passed} passed`,
      result.failed > 0 && `${result.failed} failed`,
      result.skipped > 0 && `${result.skipped} skipped`,
      ...(this.#skipped.get(result.file) ?? []),
    ];
    const place = `${String(this.#results.size).padStart(String(this.#files).length)}/${this.#files} ${clock(performance.now() - this.#began)}`;
    this.#write(`${place} ${bad ? '✖' : '✓'} ${result.file}  ${counts.filter(Boolean).join(', ')}  ${seconds(result.ms)}\n`);
  }

  /** The files of which the last run was red. */
  failed(): string[] {
    return [...this.#results.values()].filter(isBad).map(({ file }) => file);
  }

  again(files: readonly string[]): void {
    this.#write(`\nonce more, alone: ${files.join(', ')}\n`);
  }

  /** Stopped from outside while these tests ran. */
  interrupted(running: readonly string[]): void {
    this.#write(`\ninterrupted; running: ${running.join('; ') || 'nothing'}\n`);
  }

  /** The last lines; true when all is well, at the second attempt at the latest. */
  end(): boolean {
    const failed = this.failed();
    const flaky = [...this.#failures.keys()].filter((file) => !failed.includes(file));
    this.#list('failed', failed);
    this.#list('flaky: failed, and passed at the second attempt', flaky);
    const results = [...this.#results.values()];
    const slowest = (list: readonly { name: string; ms: number }[]): string =>
      list
        .toSorted((a, b) => b.ms - a.ms)
        .slice(0, slow)
        .map(({ name, ms }) => `${name} (${seconds(ms)})`)
        .join('; ');
    this.#write(`\nslowest files: ${slowest(results.map(({ file, ms }) => ({ name: file, ms })))}\n`);
    this.#write(`slowest tests: ${slowest(this.#tests)}\n`);
    const sum = (of: 'passed' | 'failed' | 'skipped'): number => results.reduce((n, result) => n + result[of], 0);
    const broken = results.filter((result) => isBad(result) && result.failed === 0).length;
    const flakes = flaky.length > 0 ? `, ${flaky.length} flaky` : '';
    this.#write(
      `${sum('passed')} passed, ${sum('failed') + broken} failed, ${sum('skipped')} skipped${flakes} in ${clock(performance.now() - this.#began)}\n`,
    );
    return failed.length === 0;
  }

  #list(title: string, files: readonly string[]): void {
    const lines = files.flatMap((file) => [...(this.#failures.get(file) ?? [])].map((name) => `  ✖ ${file}: ${name}\n`));
    if (lines.length > 0) this.#write(`\n${title}:\n${lines.join('')}`);
  }

  #fail(file: string, name: string, error: string): void {
    this.#failures.set(file, (this.#failures.get(file) ?? new Set()).add(name));
    this.#write(`✖ ${file}: ${name}\n${error === '' ? '' : `${indent(error)}\n`}`);
  }
}

function isBad({ failed, problem }: FileResult): boolean {
  return failed > 0 || problem !== undefined;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** `3:07` */
function clock(ms: number): string {
  const whole = Math.round(ms / 1000);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '    ');
}
