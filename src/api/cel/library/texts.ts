/** Texts as Go has them: by code points, where JavaScript counts halves of pairs. */
import type { Environment } from '@marcbachmann/cel-js';
import { charge, RuleError } from '../meter.ts';
import { format } from './format-text.ts';

const pair = /[\ud800-\udfff]/;
const sync = { async: false } as never;

export function characters(text: string): number {
  return pair.test(text) ? [...text].length : text.length;
}

function outOfRange(index: number): RuleError {
  return new RuleError(`index out of range: ${index}`);
}

/** Where in JavaScript's text the character of this number begins. */
function offsetOf(text: string, index: number): number {
  if (!pair.test(text)) return index;
  let offset = 0;
  for (let i = 0; i < index && offset < text.length; i++) offset += (text.codePointAt(offset) ?? 0) > 0xffff ? 2 : 1;
  return offset;
}

function indexAt(text: string, offset: number): bigint {
  return BigInt(offset < 0 ? -1 : characters(text.slice(0, offset)));
}

export function indexOf(text: string, of: string, from: number): bigint {
  if (of === '') return BigInt(from);
  if (from < 0) throw outOfRange(from);
  return from >= characters(text) ? -1n : indexAt(text, text.indexOf(of, offsetOf(text, from)));
}

export function lastIndexOf(text: string, of: string, from?: number): bigint {
  if (of === '') return BigInt(from ?? characters(text));
  if (from === undefined) return indexAt(text, text.lastIndexOf(of));
  if (from < 0) throw outOfRange(from);
  return from >= characters(text) ? -1n : indexAt(text, text.lastIndexOf(of, offsetOf(text, from)));
}

export function substring(text: string, start: number, end?: number): string {
  const size = characters(text);
  if (end !== undefined && start > end) throw new RuleError(`invalid substring range. start: ${start}, end: ${end}`);
  for (const one of end === undefined ? [start] : [start, end]) if (one < 0 || one > size) throw outOfRange(one);
  return text.slice(offsetOf(text, start), end === undefined ? undefined : offsetOf(text, end));
}

export function split(text: string, by: string, most: number): string[] {
  if (most === 0) return [];
  const parts = by === '' ? [...text] : text.split(by);
  if (most < 0 || parts.length <= most) return parts;
  return [...parts.slice(0, most - 1), parts.slice(most - 1).join(by)];
}

function charAt(text: string, index: number): string {
  if (index < 0 || index > characters(text)) throw outOfRange(index);
  const at = offsetOf(text, index);
  return at >= text.length ? '' : String.fromCodePoint(text.codePointAt(at) ?? 0);
}

/** Charged before it is made: a few characters may stand for many. */
function replace(text: string, old: string, by: string, most: number): string {
  if (most === 0) return text;
  const parts = old === '' ? ['', ...text, ''] : text.split(old);
  // Between all characters, and at both ends.
  const times = Math.min(most < 0 ? Infinity : most, parts.length - 1);
  charge((times * by.length) / 10);
  const rest = parts.slice(times).join(old);
  return times === 0 ? text : `${parts.slice(0, times).join(by)}${by}${rest}`;
}

const escapes: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

export function quote(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is written in another way
  return `"${text.replace(/[\x07-\r\\"]/g, (found) => escapes[found] ?? found)}"`;
}

class Strings {}

export function registerTexts(environment: Environment): void {
  environment.registerType('StringsNamespace', Strings as never);
  environment.registerConstant('strings', 'StringsNamespace', new Strings());
  const add = (signature: string, handler: (...args: never[]) => unknown): void => {
    environment.registerFunction(signature, handler as never, sync);
  };
  add('StringsNamespace.quote(string): string', (_: unknown, text: string) => quote(text));
  add('string.charAt(int): string', (text: string, index: bigint) => charAt(text, Number(index)));
  add('string.replace(string, string): string', (text: string, old: string, by: string) => replace(text, old, by, -1));
  add('string.replace(string, string, int): string', (text: string, old: string, by: string, most: bigint) =>
    replace(text, old, by, Number(most)),
  );
  add('string.format(list): string', (text: string, args: readonly unknown[]) => format(text, args));
  // These are done by the evaluation, which has the patterns.
  for (const signature of [
    'string.find(string): string',
    'string.findAll(string): list<string>',
    'string.findAll(string, int): list<string>',
    'matches(string, string): bool',
  ])
    add(signature, () => undefined);
}
