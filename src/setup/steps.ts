/** The steps of a command that can be run again: each tells whether there was anything to do. */
import type { Progress } from '../cli/progress.ts';
import type { Clock } from '../clock/clock.ts';

export interface StepRecord {
  readonly name: string;
  /** False when it found everything as it should be. */
  readonly changed: boolean;
  readonly seconds: number;
}

export class Steps {
  readonly #progress: Progress;
  readonly #clock: Clock;
  readonly records: StepRecord[] = [];

  constructor(progress: Progress, clock: Clock) {
    this.#progress = progress;
    this.#clock = clock;
  }

  /** `run` gives whether it changed anything; the line says so, and so does the result. */
  async run(name: string, label: string, run: () => Promise<boolean>): Promise<boolean> {
    const began = this.#clock.monotonic();
    const changed = await this.#progress.step((done: boolean) => (done ? label : `${label}: as it was`), run);
    this.records.push({ name, changed, seconds: Math.round((this.#clock.monotonic() - began) / 100) / 10 });
    return changed;
  }

  note(text: string): void {
    this.#progress.note(text);
  }

  warn(text: string): void {
    this.#progress.warn(text);
  }
}
