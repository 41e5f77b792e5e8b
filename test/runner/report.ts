/** What a person sees of a run: a line per file as it ends, a failed test at once, and the totals. */
import type { TestEvent } from './events.ts';
import type { FileResult } from './file-run.ts';

const slow = 5;

export class Report {
  readonly #write: (text: string) => void;
  readonly #files: number;
  readonly #began = performance.now();
  readonly #results: FileResult[] = [];
  readonly #failures: string[] = [];
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
    if (event.result === 'failed') this.#fail(`${file}: ${name}`, event.error ?? '');
  }

  file(result: FileResult): void {
    this.#results.push(result);
    const bad = result.failed > 0 || result.problem !== undefined;
    if (result.problem !== undefined) this.#fail(`${result.file}: ${result.problem}`, '');
    if (bad && result.output.trim() !== '') this.#write(`${indent(result.output.trim())}\n`);
    const counts = [
      `${result.passed} passed`,
      result.failed > 0 && `${result.failed} failed`,
      result.skipped > 0 && `${result.skipped} skipped`,
      ...(this.#skipped.get(result.file) ?? []),
    ];
    const place = `${String(this.#results.length).padStart(String(this.#files).length)}/${this.#files} ${clock(performance.now() - this.#began)}`;
    this.#write(`${place} ${bad ? '✖' : '✓'} ${result.file}  ${counts.filter(Boolean).join(', ')}  ${seconds(result.ms)}\n`);
  }

  /** Stopped from outside while these tests ran. */
  interrupted(running: readonly string[]): void {
    this.#write(`\ninterrupted; running: ${running.join('; ') || 'nothing'}\n`);
  }

  /** The last lines; true when all is well. */
  end(): boolean {
    if (this.#failures.length > 0) this.#write(`\nfailed:\n${this.#failures.map((name) => `  ✖ ${name}\n`).join('')}`);
    const slowest = (list: readonly { name: string; ms: number }[]): string =>
      list
        .toSorted((a, b) => b.ms - a.ms)
        .slice(0, slow)
        .map(({ name, ms }) => `${name} (${seconds(ms)})`)
        .join('; ');
    this.#write(`\nslowest files: ${slowest(this.#results.map(({ file, ms }) => ({ name: file, ms })))}\n`);
    this.#write(`slowest tests: ${slowest(this.#tests)}\n`);
    const sum = (of: 'passed' | 'failed' | 'skipped'): number => this.#results.reduce((n, result) => n + result[of], 0);
    const broken = this.#results.filter(({ failed, problem }) => failed === 0 && problem !== undefined).length;
    this.#write(
      `${sum('passed')} passed, ${sum('failed') + broken} failed, ${sum('skipped')} skipped in ${clock(performance.now() - this.#began)}\n`,
    );
    return this.#failures.length === 0;
  }

  #fail(name: string, error: string): void {
    this.#failures.push(name);
    this.#write(`✖ ${name}\n${error === '' ? '' : `${indent(error)}\n`}`);
  }
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
