import type { Clock } from '../clock/clock.ts';

export interface ProgressOptions {
  readonly clock: Clock;
  readonly write: (text: string) => void;
  /** A terminal gets ✓ lines, everything else one timestamped line per step. */
  readonly terminal: boolean;
  readonly colour: boolean;
}

/** Tells people how far a command is, on standard error. Steps may overlap: a line appears when a step ends. */
export class Progress {
  readonly #options: ProgressOptions;
  readonly #started: number;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#started = options.clock.monotonic();
  }

  /** Seconds since this progress began, for a closing line. */
  get seconds(): string {
    return this.#seconds(this.#started);
  }

  /** Runs one step. `label` may be a function of the result. */
  async step<T>(label: string | ((result: T) => string), run: () => Promise<T>): Promise<T> {
    const began = this.#options.clock.monotonic();
    try {
      const result = await run();
      this.#line('✓', 32, typeof label === 'string' ? label : label(result), this.#seconds(began));
      return result;
    } catch (err) {
      if (typeof label === 'string') this.#line('✗', 31, label, this.#seconds(began));
      throw err;
    }
  }

  /** Something worth knowing that is no step: what was found, what was chosen. */
  note(text: string): void {
    this.#line('•', 36, text, undefined);
  }

  warn(text: string): void {
    this.#line('!', 33, text, undefined);
  }

  #seconds(since: number): string {
    return `${((this.#options.clock.monotonic() - since) / 1000).toFixed(1)} s`;
  }

  #line(mark: string, colour: number, label: string, seconds: string | undefined): void {
    const { terminal, write, clock } = this.#options;
    const time = seconds === undefined ? '' : ` (${seconds})`;
    if (!terminal) {
      write(`${new Date(clock.now()).toISOString()} ${mark} ${label}${time}\n`);
      return;
    }
    const paint = (code: number, text: string): string => (this.#options.colour ? `\x1b[${code}m${text}\x1b[0m` : text);
    write(` ${paint(colour, mark)} ${label}${paint(2, time)}\n`);
  }
}

/** The progress of this process on its standard error. */
export function standardProgress(clock: Clock): Progress {
  const terminal = process.stderr.isTTY === true;
  const { NO_COLOR, TERM } = process.env;
  return new Progress({
    clock,
    terminal,
    colour: terminal && !NO_COLOR && TERM !== 'dumb',
    write: (text) => process.stderr.write(text),
  });
}
