import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KnownError } from '../errors/known-error.ts';
import { refusal } from './testing/fake-client.ts';
import { type Trouble, WatchBackOff } from './watch-back-off.ts';

const broken = new Error('broken');
const refused = refusal(403, 'Forbidden', 'no');
const away = new KnownError('API_UNREACHABLE', 'nobody there');

function troubles(backOff: WatchBackOff, failures: readonly (readonly [unknown, number])[]): Trouble[] {
  return failures.map(([err, watchedMs]) => backOff.failed(err, watchedMs));
}
const delaysOf = (list: readonly Trouble[]): number[] => list.map((t) => t.delayMs);
const times = <T>(n: number, value: T): T[] => Array.from({ length: n }, () => value);

test('delays double from 100 ms to 30 s, and are spread by half of themselves both ways', () => {
  const wanted = [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000];
  assert.deepEqual(delaysOf(troubles(new WatchBackOff(() => 0.5), times(11, [refused, 0]))), wanted);
  assert.equal(new WatchBackOff(() => 0).failed(refused, 0).delayMs, 50);
  assert.equal(new WatchBackOff(() => 1).failed(refused, 0).delayMs, 150);
});

test('a server that is away is asked every 3 s at least; its first word afterwards is answered at once', () => {
  const backOff = new WatchBackOff(() => 0.5);
  assert.deepEqual(delaysOf(troubles(backOff, times(7, [away, 0]))), [100, 200, 400, 800, 1_600, 3_000, 3_000]);
  assert.deepEqual(
    delaysOf(
      troubles(backOff, [
        [refused, 0],
        [refused, 0],
      ]),
    ),
    [100, 200],
  );
});

test('a watch that lasted a second begins with the first delay again, unless the server refused it', () => {
  assert.deepEqual(
    delaysOf(
      troubles(new WatchBackOff(() => 0.5), [
        [broken, 0],
        [broken, 1_000],
        [broken, 999],
      ]),
    ),
    [100, 100, 200],
  );
  assert.deepEqual(
    delaysOf(
      troubles(new WatchBackOff(() => 0.5), [
        [refused, 0],
        [refused, 60_000],
      ]),
    ),
    [100, 200],
  );
});

test('trouble is news once it has lasted for some delays, once for each reason, and again after a time of rest', () => {
  const backOff = new WatchBackOff(() => 0.5);
  const news = (failures: readonly (readonly [unknown, number])[]): boolean[] => troubles(backOff, failures).map((t) => t.isNews);
  assert.deepEqual(news(times(7, [refused, 0])), [false, false, false, false, false, true, false]);
  assert.deepEqual(
    news([
      [broken, 0],
      [broken, 0],
    ]),
    [true, false],
  );
  backOff.worked();
  assert.deepEqual(news(times(7, [broken, 0])), [false, false, false, false, false, true, false]);
});
