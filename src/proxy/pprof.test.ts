import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { WireReader } from '../api/codec/wire-reader.ts';
import { encodeProfile } from './pprof.ts';
import { cpuSamples, heapSamples } from './profiling.ts';

/** A message by its schema: names of fields by number, a message's with those of its own. */
type Schema = Readonly<Record<number, string | readonly [name: string, of: Schema]>>;

const valueType: Schema = { 1: 'type', 2: 'unit' };
const profileSchema: Schema = {
  1: ['sampleType', valueType],
  2: ['sample', { 1: 'location', 2: 'value' }],
  4: ['location', { 1: 'id', 4: ['line', { 1: 'function', 2: 'line' }] }],
  5: ['function', { 1: 'id', 2: 'name', 3: 'systemName', 4: 'file', 5: 'startLine' }],
  6: 'string',
  9: 'time',
  10: 'duration',
  11: ['periodType', valueType],
  12: 'period',
};

function read(schema: Schema, reader: WireReader, end = reader.length): Record<string, unknown[]> {
  const found: Record<string, unknown[]> = {};
  while (reader.pos < end) {
    const tag = reader.uint32(end);
    const field = schema[tag >>> 3] ?? assert.fail(`field ${tag >>> 3}`);
    const [name, of] = typeof field === 'string' ? [field, undefined] : field;
    const list = found[name] ?? [];
    found[name] = list;
    if ((tag & 7) === 0) list.push(reader.int64(end));
    else if (of) {
      const length = reader.uint32(end);
      list.push(read(of, reader, reader.pos + length));
    } else list.push(reader.string(end));
  }
  return found;
}

const frame = (functionName: string, lineNumber: number) => ({
  functionName,
  url: 'file:///f.js',
  lineNumber,
  columnNumber: 0,
  scriptId: '1',
});

describe('encodeProfile()', () => {
  test('writes stacks, functions and values as profile.proto has them', () => {
    const [main, work] = [frame('main', 0), frame('', 9)];
    const bytes = encodeProfile({
      types: [
        ['samples', 'count'],
        ['cpu', 'nanoseconds'],
      ],
      samples: [
        { stack: [work, main], values: [2, 2_000_000] },
        { stack: [main], values: [1, 5] },
      ],
      period: 1_000_000,
      startedMs: 1,
      durationMs: 3,
    });
    const entry = (id: number, name: number, line: number) => [
      { id: [id], line: [{ function: [id], line: [line] }] },
      { id: [id], name: [name], systemName: [name], file: [6], startLine: [line] },
    ];
    const entries = [entry(1, 5, 10), entry(2, 7, 1)];
    assert.deepEqual(read(profileSchema, new WireReader(bytes)), {
      sampleType: [
        { type: [1], unit: [2] },
        { type: [3], unit: [4] },
      ],
      sample: [
        { location: [1, 2], value: [2, 2_000_000] },
        { location: [2], value: [1, 5] },
      ],
      location: entries.map(([location]) => location),
      function: entries.map(([, of]) => of),
      string: ['', 'samples', 'count', 'cpu', 'nanoseconds', '(anonymous)', '/f.js', 'main'],
      time: [1_000_000],
      duration: [3_000_000],
      periodType: [{ type: [3], unit: [4] }],
      period: [1_000_000],
    });
  });
});

describe('samples of V8', () => {
  test('of CPU are each one who was at work until the next, without the time in which nobody was', () => {
    const node = (id: number, name: string, children: number[] = []) => ({ id, callFrame: frame(name, id), hitCount: 0, children });
    const nodes = [node(1, '(root)', [2, 3]), node(2, 'a', [4]), node(3, '(idle)'), node(4, 'b')];
    const samples = cpuSamples({ nodes, startTime: 0, endTime: 9, samples: [4, 3, 2, 4], timeDeltas: [1, 10, 100, 1000] });
    assert.deepEqual(
      samples.map(({ stack, values }) => [stack.map(({ functionName }) => functionName).join(' < '), ...values]),
      [
        ['a', 1, 1_000_000],
        ['b < a', 2, 10_000],
      ],
    );
  });

  test('of the heap are what each holds himself', () => {
    const node = (name: string, selfSize: number, children: HeapNode[] = []): HeapNode => ({
      callFrame: frame(name, 1),
      selfSize,
      children,
    });
    type HeapNode = Parameters<typeof heapSamples>[0]['head'];
    const samples = heapSamples({ head: node('(root)', 0, [node('a', 0, [node('b', 7)]), node('c', 3)]) });
    assert.deepEqual(
      samples.map(({ stack, values }) => [stack.map(({ functionName }) => functionName).join(' < '), ...values]),
      [
        ['b < a', 7],
        ['c', 3],
      ],
    );
  });
});
