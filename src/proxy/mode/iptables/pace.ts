import { setImmediate } from 'node:timers/promises';
import type { ServiceRules } from './render-service.ts';

/** So many Services and chains are rendered before others have their turn: some milliseconds. */
const renderedAtATime = 200;

/** Rendering, with a pause for others now and then. */
export class Pace {
  #count = 0;

  async rendered({ chains }: ServiceRules): Promise<void> {
    this.#count += 1 + chains.size;
    if (this.#count < renderedAtATime) return;
    this.#count = 0;
    await setImmediate();
  }
}
