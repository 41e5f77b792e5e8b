import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { BodyDecoder } from './body-decoder.ts';
import { type BodyJob, decodeBody } from './decode-body.ts';

const expected = { apiVersion: 'v1', kind: 'ConfigMap', schema: 'ConfigMap' };

function job(body: string, mediaType = '', validation: 'Warn' | 'Strict' = 'Warn'): BodyJob {
  return { kind: 'object', body: Buffer.from(body), mediaType, expected, validation };
}

const large = (name: string): string => JSON.stringify({ metadata: { name }, data: { x: 'x'.repeat(100_000) }, dta: 1 });

describe('BodyDecoder', () => {
  const clock = new FakeClock();
  const decoder = new BodyDecoder(clock);
  after(() => decoder.close());

  test('answers the same for small and large bodies, in JSON and YAML', async () => {
    const small = await decoder.decode(job('{"metadata":{"name":"a"},"data":{"x":"y"},"dta":1}'), 'u');
    assert.deepEqual(small, {
      object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { x: 'y' } },
      warnings: ['unknown field "dta"'],
    });
    assert.deepEqual(await decoder.decode(job('metadata: {name: a}\ndata:\n  x: "y"\ndta: 1\n', 'application/yaml'), 'u'), small);
    const { object, warnings } = await decoder.decode(job(large('b')), 'u');
    assert.deepEqual([object, warnings], [{ ...small.object, metadata: { name: 'b' }, data: { x: 'x'.repeat(100_000) } }, small.warnings]);
    const refused = { name: 'StatusError', code: 400, message: /strict decoding error: unknown field "dta"$/ };
    await assert.rejects(decoder.decode(job(large('b'), '', 'Strict'), 'u'), refused);
  });

  const entries = (n: number, of: (i: number) => string, between: string): string =>
    Array.from({ length: n }, (_, i) => of(i)).join(between);
  const slowYaml = job(`data:\n${entries(20_000, (i) => `  k${i}: v`, '\n')}`, 'application/yaml');

  test('leaves the thread to others while YAML is decoded', async () => {
    const cost = async (decode: () => unknown): Promise<number> => {
      const before = process.threadCpuUsage().user;
      await decode();
      return process.threadCpuUsage().user - before;
    };
    const [elsewhere, here] = [await cost(() => decoder.decode(slowYaml, 'u')), await cost(() => decodeBody(slowYaml))];
    assert.ok(elsewhere < here / 2, `${elsewhere} µs of this thread, in place of ${here}`);
  });

  test('decodes large bodies one after the other, users in turns', async () => {
    const order: string[] = [];
    const ask = async (user: string, name: string): Promise<void> => {
      await decoder.decode(job(large(name)), user);
      order.push(name);
    };
    await Promise.all([ask('greedy', 'a'), ask('greedy', 'b'), ask('greedy', 'c'), ask('modest', 'd')]);
    assert.deepEqual(order, ['a', 'b', 'd', 'c']);
  });

  test('gives up on a body that takes too long, and goes on with the next', async () => {
    const first = decoder.decode(slowYaml, 'u');
    const next = decoder.decode(job(large('next')), 'u');
    const refused = assert.rejects(first, { name: 'StatusError', code: 400, message: /takes too long/ });
    await clock.advance(20_000);
    await refused;
    assert.equal(((await next).object as { metadata: { name: string } }).metadata.name, 'next');
  });

  test('keeps no worker that has nothing to do', async () => {
    await decoder.decode(job(large('a')), 'u');
    await clock.advance(59_000);
    assert.equal(decoder.hasWorker, true);
    await decoder.decode(job(large('b')), 'u');
    await clock.advance(59_000);
    assert.equal(decoder.hasWorker, true);
    await clock.advance(1000);
    assert.equal(decoder.hasWorker, false);
    assert.equal(((await decoder.decode(job(large('c')), 'u')).object as { metadata: { name: string } }).metadata.name, 'c');
  });
});
