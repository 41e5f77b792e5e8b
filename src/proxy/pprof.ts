/** What V8 measured, as pprof reads it. Source: google/pprof, proto/profile.proto. Pure. */
import { WireWriter } from '../api/codec/wire-writer.ts';

/** The number of a field, and what it holds: a message is a list of fields. */
type Field = readonly [number: number, value: number | string | readonly Field[]];

export interface Frame {
  readonly functionName: string;
  readonly url: string;
  /** From 0. */
  readonly lineNumber: number;
}

export interface Sample {
  /** Who was at work, and who had called him, one after the other. */
  readonly stack: readonly Frame[];
  readonly values: readonly number[];
}

interface Measured {
  /** Of the values of each sample. */
  readonly types: readonly (readonly [type: string, unit: string])[];
  readonly samples: readonly Sample[];
  /** How much of the last type lies between two samples. */
  readonly period: number;
  readonly startedMs: number;
  readonly durationMs: number;
}

const [varint, lengthDelimited] = [0, 2];

/** From the last to the first, as the writer wants it. */
function write(out: WireWriter, fields: readonly Field[]): void {
  for (const [number, value] of fields.toReversed()) {
    if (typeof value === 'number') out.int64(value);
    else if (typeof value === 'string') out.string(value);
    else {
      const before = out.written;
      write(out, value);
      out.uint32(out.written - before);
    }
    out.uint32((number << 3) | (typeof value === 'number' ? varint : lengthDelimited));
  }
}

/** Numbers for what is met, from 1 on. */
class Numbers {
  readonly #known = new Map<string, number>();

  of(text: string, first: (number: number) => void): number {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const number = this.#known.size + 1;
    this.#known.set(text, number);
    first(number);
    return number;
  }
}

/** A message whose fields are numbers, the first of them 1. */
function numbered(...values: readonly number[]): readonly Field[] {
  return values.map((value, i) => [i + 1, value]);
}

export function encodeProfile({ types, samples, period, startedMs, durationMs }: Measured): Buffer {
  // The first string is ''.
  const strings: string[] = [''];
  const [texts, places] = [new Numbers(), new Numbers()];
  const text = (value: string): number => (value === '' ? 0 : texts.of(value, () => strings.push(value)));
  const locations: Field[] = [];
  const locationOf = ({ functionName, url, lineNumber }: Frame): number =>
    places.of(`${functionName} ${url} ${lineNumber}`, (id) => {
      const [name, line] = [text(functionName || '(anonymous)'), lineNumber + 1];
      const file = text(url.replace(/^file:\/\//, ''));
      locations.push([4, [...numbered(id), [4, numbered(id, line)]]], [5, numbered(id, name, name, file, line)]);
    });
  const typeNames = types.map(([type, unit]) => numbered(text(type), text(unit)));
  const body: Field[] = typeNames.map((type) => [1, type]);
  for (const { stack, values } of samples)
    body.push([2, [...stack.map((frame): Field => [1, locationOf(frame)]), ...values.map((value): Field => [2, value])]]);
  const out = new WireWriter();
  const about: readonly Field[] = [
    [9, startedMs * 1e6],
    [10, durationMs * 1e6],
    [11, typeNames.at(-1) ?? []],
    [12, period],
  ];
  write(out, [...body, ...locations, ...strings.map((value): Field => [6, value]), ...about]);
  return out.finish();
}
