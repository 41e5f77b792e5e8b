/** Quantities, as `100m` and `1.5Gi`. */
import type { Environment } from '@marcbachmann/cel-js';
import { compareQuantity, formatQuantity, parseQuantity, type Quantity, quantityOf } from '../../quantity/quantity.ts';
import type { Comparable } from '../equal.ts';
import { RuleError } from '../meter.ts';
import { register } from './register.ts';

/** A longer text is no amount of anything. */
const longest = 200;
const nano = 1_000_000_000n;
const int64 = 2n ** 63n;

class Amount implements Comparable {
  readonly quantity: Quantity;

  constructor(quantity: Quantity) {
    this.quantity = quantity;
  }

  equals(other: unknown): boolean {
    return other instanceof Amount && compareQuantity(this.quantity, other.quantity) === 0;
  }

  plus(nanos: bigint): Amount {
    return new Amount({ ...this.quantity, nano: this.quantity.nano + nanos });
  }

  /** Undefined where it is no whole number, or too large. */
  whole(): bigint | undefined {
    const { nano: all } = this.quantity;
    const value = all / nano;
    return all % nano === 0n && value < int64 && value >= -int64 ? value : undefined;
  }

  toString(): string {
    return formatQuantity(this.quantity);
  }
}

function amountOf(text: string): Amount {
  if (text.length > longest) throw new RuleError('quantities must not be so long');
  return new Amount(parseQuantity(text));
}

function toInteger(amount: Amount): bigint {
  const whole = amount.whole();
  if (whole === undefined) throw new RuleError('cannot convert value to integer');
  return whole;
}

export function registerQuantities(environment: Environment): void {
  const type = 'kubernetes.Quantity';
  environment.registerType(type, Amount as never);
  environment.registerOperator(`${type} == ${type}`, (a: Amount, b: unknown) => a.equals(b));
  const add = register(environment);
  add(`quantity(string): ${type}`, amountOf);
  add('isQuantity(string): bool', (text: string) => text.length <= longest && quantityOf(text) !== undefined);
  add(`${type}.isInteger(): bool`, (amount: Amount) => amount.whole() !== undefined);
  add(`${type}.asInteger(): int`, toInteger);
  add(`${type}.asApproximateFloat(): double`, ({ quantity }: Amount) => Number(quantity.nano) / 1e9);
  add(`sign(${type}): int`, (amount: Amount) => signOf(amount));
  add(`${type}.sign(): int`, (amount: Amount) => signOf(amount));
  add(`${type}.isGreaterThan(${type}): bool`, (a: Amount, b: Amount) => compareQuantity(a.quantity, b.quantity) > 0);
  add(`${type}.isLessThan(${type}): bool`, (a: Amount, b: Amount) => compareQuantity(a.quantity, b.quantity) < 0);
  add(`${type}.compareTo(${type}): int`, (a: Amount, b: Amount) => BigInt(compareQuantity(a.quantity, b.quantity)));
  add(`${type}.add(${type}): ${type}`, (a: Amount, b: Amount) => a.plus(b.quantity.nano));
  add(`${type}.add(int): ${type}`, (a: Amount, b: bigint) => a.plus(b * nano));
  add(`${type}.sub(${type}): ${type}`, (a: Amount, b: Amount) => a.plus(-b.quantity.nano));
  add(`${type}.sub(int): ${type}`, (a: Amount, b: bigint) => a.plus(-b * nano));
}

function signOf({ quantity }: Amount): bigint {
  return quantity.nano > 0n ? 1n : quantity.nano < 0n ? -1n : 0n;
}
