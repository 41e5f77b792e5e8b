/** `'%s is %d'.format([a, b])`, with the verbs and the words of cel-go's strings extension. */
import { celPackage } from '../cel.ts';
import { isSpan, numberOf } from '../equal.ts';
import { charge, chargeText, RuleError } from '../meter.ts';
import { DeclaredObject } from '../values.ts';
import { goNumber, goTime } from './go-text.ts';

const mostPrecision = 100;

export function format(text: string, args: readonly unknown[]): string {
  let next = 0;
  const made = text.replace(
    /%(?:(%)|(?:\.(\d+))?([\s\S]?))/g,
    (_, percent: string | undefined, precision: string | undefined, verb: string) => {
      if (percent) return '%';
      if (next >= args.length) throw new RuleError(`index ${next} out of range`);
      const shown = clause(verb, precision, args[next++]);
      chargeText(shown);
      return shown;
    },
  );
  return made;
}

function clause(verb: string, precision: string | undefined, value: unknown): string {
  const digits = precision === undefined ? 6 : Number(precision);
  if (digits > mostPrecision) throw new RuleError(`could not parse formatting clause: precision ${precision} is too large`);
  switch (verb) {
    case 's':
      return shownText(value);
    case 'd':
      if (numberOf(value) === undefined || typeof value === 'number') throw unfit('decimal', 'integers', value);
      return String(numberOf(value));
    case 'f':
      return english(double(value, 'fixed-point'), digits);
    case 'e':
      return scientific(double(value, 'scientific'));
    case 'b':
      if (typeof value === 'boolean') return value ? '1' : '0';
      return inBase(value, 2, 'binary');
    case 'o':
      return inBase(value, 8, 'octal');
    case 'x':
      return hexadecimal(value);
    case 'X':
      return hexadecimal(value).toUpperCase();
    default:
      throw new RuleError(`could not parse formatting clause: unrecognized formatting clause "${verb}"`);
  }
}

function unfit(what: string, fits: string, value: unknown): RuleError {
  return new RuleError(`error during formatting: ${what} clause can only be used on ${fits}, was given ${typeName(value)}`);
}

function typeName(value: unknown): string {
  if (typeof value === 'number') return 'double';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'boolean') return 'bool';
  if (value === null) return 'null_type';
  if (typeof value === 'string') return 'string';
  return Array.isArray(value) ? 'list' : 'map';
}

function infinite(value: number): string {
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
}

function double(value: unknown, what: string): number {
  if (typeof value !== 'number') throw unfit(what, 'doubles', value);
  return value;
}

/** kube-apiserver's version of the extension writes fractions as English has them: `1,234.50`. */
function english(value: number, digits: number): string {
  if (!Number.isFinite(value)) return infinite(value);
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** `1.234500×10⁰³`. That version takes the precision for a width, so six digits it is. */
function scientific(value: number): string {
  if (!Number.isFinite(value)) return infinite(value);
  const [mantissa = '', power = ''] = value.toExponential(6).split('e');
  const exponent = `${power.startsWith('-') ? '⁻' : ''}${power
    .slice(1)
    .padStart(2, '0')
    .replace(/\d/g, (digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)] ?? '')}`;
  return `${mantissa}×10${exponent}`;
}

function inBase(value: unknown, base: number, what: string): string {
  const number = numberOf(value);
  if (number === undefined || typeof number === 'number') throw unfit(what, base === 2 ? 'integers and bools' : 'integers', value);
  return number.toString(base);
}

function hexadecimal(value: unknown): string {
  if (typeof value === 'string') return Buffer.from(value).toString('hex');
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  const number = numberOf(value);
  if (number === undefined || typeof number === 'number')
    throw new RuleError(
      `error during formatting: only integers, byte buffers, and strings can be formatted as hex, was given ${typeName(value)}`,
    );
  return number.toString(16);
}

/** Of a value that stands alone. */
function shownText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? goNumber(value) : infinite(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  if (value instanceof Date) return goTime(value);
  if (isSpan(value)) return String(value);
  return within(value);
}

/** Of a value in a list or map: as the language writes it. */
function within(value: unknown): string {
  charge(1);
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value.toFixed(6) : JSON.stringify(infinite(value));
  if (value === null || typeof value === 'boolean' || numberOf(value) !== undefined) return String(value);
  if (value instanceof Uint8Array) return `b${JSON.stringify(Buffer.from(value).toString())}`;
  if (value instanceof Date) return `timestamp("${goTime(value)}")`;
  if (isSpan(value)) return `duration("${String(value)}")`;
  if (Array.isArray(value)) return `[${value.map(within).join(', ')}]`;
  if (value instanceof DeclaredObject) return entries([...value.fields.keys()].map((name) => [name, value.get(name)]));
  if (value instanceof Map) return entries([...value]);
  if (value instanceof celPackage().Optional) throw new RuleError('no formatting function for optional_type');
  return String((value as { name?: string }).name ?? value);
}

function entries(pairs: readonly (readonly [unknown, unknown])[]): string {
  const shown = pairs.filter(([, value]) => value !== undefined).map(([key, value]) => `${within(key)}:${within(value)}`);
  return `{${shown.toSorted().join(', ')}}`;
}
