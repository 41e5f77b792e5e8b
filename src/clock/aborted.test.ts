import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { aborted, onAbort, orAborted } from './aborted.ts';

test('onAbort() calls once, at once for a signal that has aborted, and not after it is disposed', () => {
  const stop = new AbortController();
  let calls = 0;
  const count = (): void => {
    calls++;
  };
  onAbort(stop.signal, count);
  onAbort(stop.signal, count)[Symbol.dispose]();
  assert.equal(calls, 0);
  stop.abort();
  assert.equal(calls, 1);
  onAbort(stop.signal, count);
  assert.equal(calls, 2);
});

test('onAbort() calls all who wait for one signal, in order, whoever has left or been added again', () => {
  const stop = new AbortController();
  const called: string[] = [];
  const wait = (name: string): Disposable => onAbort(stop.signal, () => called.push(name));
  const first = wait('first');
  first[Symbol.dispose]();
  const second = wait('second');
  first[Symbol.dispose]();
  wait('third');
  second[Symbol.dispose]();
  wait('fourth');
  stop.abort();
  stop.signal.dispatchEvent(new Event('abort'));
  assert.deepEqual(called, ['third', 'fourth']);
});

test('onAbort() leaves no listener behind', () => {
  const { signal } = new AbortController();
  const [one, other] = [onAbort(signal, () => {}), onAbort(signal, () => {})];
  assert.equal(getEventListeners(signal, 'abort').length, 1);
  one[Symbol.dispose]();
  assert.equal(getEventListeners(signal, 'abort').length, 1);
  other[Symbol.dispose]();
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

test('aborted() resolves for a signal that aborts, and for one that has', async () => {
  const stop = new AbortController();
  const waiting = aborted(stop.signal);
  stop.abort();
  await waiting;
  await aborted(stop.signal);
});

test('orAborted() ends as the work does, or with the reason of the signal', async () => {
  const { signal } = new AbortController();
  assert.equal(await orAborted(Promise.resolve(1), signal), 1);
  await assert.rejects(orAborted(Promise.reject(new Error('no')), signal), /no/);
  const stop = new AbortController();
  const waiting = orAborted(new Promise(() => {}), stop.signal);
  stop.abort(new Error('stopped'));
  await assert.rejects(waiting, /stopped/);
  await assert.rejects(orAborted(new Promise(() => {}), stop.signal), /stopped/);
});
