/** Functions of the package that say something else than cel-go, or take longer than they are charged: done here in their place. */

import { findIn, patternMatches, patternProblem, patternSize } from '../../custom/pattern.ts';
import type { CelNode } from '../cel.ts';
import { charge, RuleError } from '../meter.ts';
import { goNumber, goTime } from './go-text.ts';
import { characters, indexOf, lastIndexOf, split, substring } from './texts.ts';
import { longestDuration } from './times.ts';

/** Undefined where the package's does. */
type Override = (args: readonly unknown[], nodes: readonly CelNode[]) => unknown;

const allOfInt64 = 2n ** 63n;

/** As upstream counts it. */
function patternCost(length: number, size: number): number {
  return (length + 1) * 0.1 * Math.ceil(size / 4);
}

/** For each match that is looked for in what is left. */
function chargeFind(length: number, size: number): void {
  charge(patternCost(length, size) * 3);
}

/** Charges for a match; RE2 takes time by the length of both. */
function chargePattern(text: string, pattern: string, node: CelNode | undefined): void {
  const size = patternSize(pattern);
  charge(patternCost(text.length, size));
  // What stands in the rule was compiled with it.
  if (node?.op !== 'value') charge(size * 5);
  const problem = patternProblem(pattern);
  if (problem !== undefined) throw new RuleError(problem);
}

const onTexts = (override: (text: string, args: readonly unknown[], nodes: readonly CelNode[]) => unknown): Override => {
  return (args, nodes) => (typeof args[0] === 'string' ? override(args[0], args, nodes) : undefined);
};

function dayOfYear(date: unknown): unknown {
  if (!(date instanceof Date)) return undefined;
  return BigInt(Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000));
}

function matches(text: unknown, pattern: unknown, node: CelNode | undefined): boolean | undefined {
  if (typeof text !== 'string' || typeof pattern !== 'string') return undefined;
  chargePattern(text, pattern, node);
  return patternMatches(pattern, text);
}

/** Charged before it is made. */
function join(list: unknown, by: string): string | undefined {
  if (!Array.isArray(list)) return undefined;
  for (const one of list) {
    if (typeof one !== 'string') throw new RuleError('join: invalid input');
    charge((one.length + by.length) / 10);
  }
  return list.join(by);
}

/** By name and number of arguments, of those with a receiver. */
export const methods: ReadonlyMap<string, Override> = new Map<string, Override>([
  ['matches/1', (args, nodes) => matches(args[0], args[1], nodes[1])],
  [
    'find/1',
    onTexts((text, [, pattern], nodes) => {
      chargePattern(text, String(pattern), nodes[1]);
      return findIn(String(pattern), text, 1, chargeFind)[0] ?? '';
    }),
  ],
  [
    'findAll/1',
    onTexts((text, [, pattern], nodes) => {
      chargePattern(text, String(pattern), nodes[1]);
      return findIn(String(pattern), text, Infinity, chargeFind);
    }),
  ],
  [
    'findAll/2',
    onTexts((text, [, pattern, most], nodes) => {
      chargePattern(text, String(pattern), nodes[1]);
      return findIn(String(pattern), text, Number(most) < 0 ? Infinity : Number(most), chargeFind);
    }),
  ],
  ['size/0', onTexts((text) => BigInt(characters(text)))],
  ['lowerAscii/0', onTexts((text) => text.replace(/[A-Z]+/g, (found) => found.toLowerCase()))],
  ['upperAscii/0', onTexts((text) => text.replace(/[a-z]+/g, (found) => found.toUpperCase()))],
  ['indexOf/1', onTexts((text, [, of]) => (typeof of === 'string' ? indexOf(text, of, 0) : undefined))],
  ['indexOf/2', onTexts((text, [, of, from]) => (typeof of === 'string' ? indexOf(text, of, Number(from)) : undefined))],
  ['lastIndexOf/1', onTexts((text, [, of]) => (typeof of === 'string' ? lastIndexOf(text, of) : undefined))],
  ['lastIndexOf/2', onTexts((text, [, of, from]) => (typeof of === 'string' ? lastIndexOf(text, of, Number(from)) : undefined))],
  ['substring/1', onTexts((text, [, start]) => substring(text, Number(start)))],
  ['substring/2', onTexts((text, [, start, end]) => substring(text, Number(start), Number(end)))],
  ['split/1', onTexts((text, [, by]) => (typeof by === 'string' ? split(text, by, -1) : undefined))],
  ['split/2', onTexts((text, [, by, most]) => (typeof by === 'string' ? split(text, by, Number(most)) : undefined))],
  ['join/0', ([list]) => join(list, '')],
  ['join/1', ([list, by]) => join(list, String(by))],
  ['getDayOfYear/0', ([date]) => dayOfYear(date)],
]);

/** By name and number of arguments, of those without a receiver. */
export const overrides: ReadonlyMap<string, Override> = new Map<string, Override>([
  ['matches/2', (args, nodes) => matches(args[0], args[1], nodes[1])],
  ['size/1', onTexts((text) => BigInt(characters(text)))],
  [
    'duration/1',
    onTexts((text) => {
      if (text.length > longestDuration) throw new RuleError('time: invalid duration');
      return undefined;
    }),
  ],
  ['int/1', ([value]) => (typeof value === 'number' ? toInt(value) : undefined)],
  ['string/1', ([value]) => (typeof value === 'number' ? goNumber(value) : value instanceof Date ? goTime(value) : undefined)],
]);

function toInt(value: number): bigint {
  if (!Number.isFinite(value)) throw new RuleError('integer overflow');
  const whole = BigInt(Math.trunc(value));
  if (whole >= allOfInt64 || whole < -allOfInt64) throw new RuleError('integer overflow');
  return whole;
}
