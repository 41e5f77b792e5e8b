/**
 * Limits of a body besides its size, measured in one pass before it is parsed. Three megabytes can be a large ConfigMap, which costs nothing, or a
 * million brackets, which cost seconds of the only thread and a gigabyte. Upstream limits the size alone.
 */

export interface BodyLimits {
  /** Objects and lists within each other. */
  readonly depth: number;
  /** Objects, lists and scalars together. */
  readonly values: number;
}

/**
 * The largest objects in practice, EndpointSlices of a thousand endpoints, have half as many values. A text is one value, however long. Each value
 * costs microseconds in every check of an object, and when owners of fields are computed.
 */
export const bodyLimits: BodyLimits = { depth: 512, values: 50_000 };

/** A body beyond one of these limits. The message is the rest of a sentence that begins with "the body ". */
export class LimitError extends Error {
  override readonly name = 'LimitError';
}

/** What is left of the limits while a body is read. */
export class Budget {
  readonly #limits: BodyLimits;
  #depth = 0;
  #values = 0;

  constructor(limits: BodyLimits = bodyLimits) {
    this.#limits = limits;
  }

  enter(): void {
    if (++this.#depth > this.#limits.depth) throw tooDeep(this.#limits);
  }

  leave(): void {
    this.#depth--;
  }

  value(): void {
    if (++this.#values > this.#limits.values) throw tooMany(this.#limits);
  }

  /** Counts JSON that is embedded in the body. */
  json(bytes: Uint8Array): void {
    const { depth, values } = this.#limits;
    this.#values += measureJson(bytes, { depth: depth - this.#depth, values: values - this.#values });
  }
}

/** The number of values in a JSON text, or a few more: it need not be valid. Throws LimitError. */
export function measureJson(bytes: Uint8Array, limits: BodyLimits = bodyLimits): number {
  let depth = 0;
  let values = 1;
  for (let i = 0; i < bytes.length; i++) {
    switch (bytes[i]) {
      case 0x22:
        i = endOfString(bytes, i);
        break;
      case 0x5b:
      case 0x7b:
        if (++depth > limits.depth) throw tooDeep(limits);
        // The first of what is in it; the others have a comma before them.
        if (bytes[i + 1] !== 0x5d && bytes[i + 1] !== 0x7d && ++values > limits.values) throw tooMany(limits);
        break;
      case 0x5d:
      case 0x7d:
        depth--;
        break;
      case 0x2c:
        if (++values > limits.values) throw tooMany(limits);
    }
  }
  return values;
}

function endOfString(bytes: Uint8Array, start: number): number {
  for (let i = start + 1; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === 0x22) return i;
    if (byte === 0x5c) i++;
  }
  return bytes.length;
}

/** The number of values in what JSON.parse gave, whose depth is within the limits: as `measureJson` counts them in the text, or fewer. */
export function countValues(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  let count = 1;
  if (Array.isArray(value)) for (const inner of value) count += countValues(inner);
  else for (const key in value) count += countValues((value as Record<string, unknown>)[key]);
  return count;
}

/** Counts the values of parsed YAML, in which one alias can stand for a value many times. Throws LimitError. */
export function measureValue(value: unknown, budget: Budget = new Budget()): void {
  budget.value();
  if (typeof value !== 'object' || value === null) return;
  budget.enter();
  for (const inner of Object.values(value)) measureValue(inner, budget);
  budget.leave();
}

export function tooDeep({ depth }: BodyLimits): LimitError {
  return new LimitError(`is nested too deeply: more than ${depth} levels`);
}

function tooMany({ values }: BodyLimits): LimitError {
  return new LimitError(`has too many values: more than ${values}`);
}
