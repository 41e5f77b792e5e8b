/**
 * Resource quantities: `100m`, `1.5Gi`, `2e3`. A quantity is kept exactly, as a whole number of nano-units, with the form in
 * which it was written. Source: k8s.io/apimachinery api/resource (grammar, canonical form, rounding up beyond nano).
 */

export type QuantityForm = 'decimal' | 'binary' | 'exponent';

export interface Quantity {
  /** The amount times 10⁹. */
  readonly nano: bigint;
  readonly form: QuantityForm;
}

/** The text is no quantity; the message is upstream's. */
export class QuantityError extends Error {
  override readonly name = 'QuantityError';
}

const nano = 1_000_000_000n;
const decimal: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const binary: Readonly<Record<string, bigint>> = {
  Ki: 1n << 10n,
  Mi: 1n << 20n,
  Gi: 1n << 30n,
  Ti: 1n << 40n,
  Pi: 1n << 50n,
  Ei: 1n << 60n,
};
const grammar = /^([+-]?)(\d*)(?:\.(\d*))?(?:([KMGTPE]i)|([numkMGTPE]?)|[eE]([+-]?\d+))$/;
const syntax = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
/** As upstream, amounts are capped at 2⁶³−1; larger exponents than this only cost memory. */
const max = ((1n << 63n) - 1n) * nano;
const maxExponent = 40;

/** Rounded up, as Go rounds quantities. */
export function ceilDivide(a: bigint, b: bigint): bigint {
  return a > 0n ? (a + b - 1n) / b : a / b;
}

/** The objects of a cluster say few different amounts over and over. */
const known = new Map<string, Quantity>();
const mostKnown = 1000;
const longestKnown = 20;

/** Parses a quantity; JSON numbers are taken too. Throws QuantityError. */
export function parseQuantity(text: string | number): Quantity {
  const source = String(text);
  const found = known.get(source);
  if (found) return found;
  const parsed = parse(source);
  if (known.size === mostKnown) known.clear();
  if (source.length <= longestKnown) known.set(source, parsed);
  return parsed;
}

function parse(source: string): Quantity {
  if (source === '') throw new QuantityError('quantities must not be empty');
  const m = grammar.exec(source);
  const whole = m?.[2] ?? '';
  const fraction = m?.[3] ?? '';
  if (!m || whole + fraction === '') throw new QuantityError(syntax);
  const digits = BigInt(whole + fraction) * nano;
  const [, sign, , , binarySuffix, decimalSuffix = '', exponent] = m;
  const factor = binarySuffix ? { by: binary[binarySuffix] ?? 1n, of: 1n } : powerOfTen(Number(exponent ?? decimal[decimalSuffix] ?? 0));
  // Amounts finer than nano are rounded away from zero, as upstream does.
  const exact = ceilDivide(digits * factor.by, 10n ** BigInt(fraction.length) * factor.of);
  const magnitude = exact > max ? max : exact;
  const form: QuantityForm = binarySuffix ? 'binary' : exponent === undefined ? 'decimal' : 'exponent';
  return { nano: sign === '-' ? -magnitude : magnitude, form };
}

/** As `parseQuantity`, but undefined for a text that is no quantity. */
export function quantityOf(text: string | number): Quantity | undefined {
  try {
    return parseQuantity(text);
  } catch (err) {
    if (err instanceof QuantityError) return undefined;
    throw err;
  }
}

/** A fraction, because exponents may be negative. */
function powerOfTen(exponent: number): { readonly by: bigint; readonly of: bigint } {
  const power = 10n ** BigInt(Math.min(Math.abs(exponent), maxExponent));
  return exponent >= 0 ? { by: power, of: 1n } : { by: 1n, of: power };
}

/** −1, 0 or 1. */
export function compareQuantity(a: Quantity, b: Quantity): number {
  return a.nano < b.nano ? -1 : a.nano > b.nano ? 1 : 0;
}

/** The amount in units, rounded up: bytes, cores, counts. */
export function value(q: Quantity | string | number): bigint {
  return ceilDivide(toQuantity(q).nano, nano);
}

/** The amount in thousandths, rounded up: the `m` of CPU. */
export function milli(q: Quantity | string | number): bigint {
  return ceilDivide(toQuantity(q).nano, 1_000_000n);
}

function toQuantity(q: Quantity | string | number): Quantity {
  return typeof q === 'object' ? q : parseQuantity(q);
}

const binarySteps: readonly (readonly [string, bigint])[] = Object.entries(binary).toReversed();
const decimalSteps: readonly (readonly [string, number])[] = Object.entries(decimal).toSorted((a, b) => b[1] - a[1]);

/** The canonical text: the largest suffix that leaves a whole number, no fraction. `0.5` → `500m`, `1024Mi` → `1Gi`. */
export function formatQuantity(q: Quantity): string {
  if (q.nano === 0n) return '0';
  const sign = q.nano < 0n ? '-' : '';
  const magnitude = q.nano < 0n ? -q.nano : q.nano;
  // The binary form holds only for whole numbers of at least 1024; smaller ones are written in the decimal form.
  const isBinary = q.form === 'binary' && magnitude % nano === 0n && magnitude >= 1024n * nano;
  return sign + (isBinary ? binaryText(magnitude / nano) : decimalText(magnitude, q.form === 'exponent'));
}

function binaryText(units: bigint): string {
  const found = binarySteps.find(([, step]) => units % step === 0n);
  return found ? `${units / found[1]}${found[0]}` : `${units}`;
}

function decimalText(magnitude: bigint, withExponent: boolean): string {
  for (const [suffix, exponent] of decimalSteps) {
    const step = 10n ** BigInt(exponent + 9);
    if (magnitude % step !== 0n) continue;
    if (!withExponent) return `${magnitude / step}${suffix}`;
    return `${magnitude / step}${exponent === 0 ? '' : `e${exponent}`}`;
  }
  return `${magnitude}n`;
}

const canonical = new WeakMap<Quantity, string>();

/** The canonical text of a text. Throws QuantityError. */
export function canonicalQuantity(text: string | number): string {
  const quantity = parseQuantity(text);
  const made = canonical.get(quantity) ?? formatQuantity(quantity);
  canonical.set(quantity, made);
  return made;
}
