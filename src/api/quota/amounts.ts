/** Amounts by resource name, and sums of them. As k8s.io/apiserver/pkg/quota/v1, forms of quantities included: a sum is written as its first part was. */
import { compareQuantity, formatQuantity, parseQuantity, type Quantity } from '../quantity/quantity.ts';

export type Amounts = Readonly<Record<string, Quantity>>;

export const none: Quantity = parseQuantity('0');
export const one: Quantity = parseQuantity('1');

/** Of a text form, as it stands in objects. Throws QuantityError. */
export function amountsOf(list: Readonly<Record<string, string>> | undefined): Record<string, Quantity> {
  return Object.fromEntries(Object.entries(list ?? {}).map(([name, text]) => [name, parseQuantity(text)]));
}

export function textsOf(amounts: Amounts): Record<string, string> {
  return Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [name, formatQuantity(amount)]));
}

export function sum(a: Quantity, b: Quantity): Quantity {
  return { nano: a.nano + b.nano, form: a.nano === 0n ? b.form : a.form };
}

export function addTo(into: Record<string, Quantity>, more: Amounts): void {
  for (const [name, amount] of Object.entries(more)) into[name] = name in into ? sum(into[name] ?? none, amount) : amount;
}

/** The greater of both, name by name. */
export function raiseTo(into: Record<string, Quantity>, least: Amounts): void {
  for (const [name, amount] of Object.entries(least)) {
    const now = into[name];
    if (!now || compareQuantity(amount, now) > 0) into[name] = amount;
  }
}

export function added(a: Amounts, b: Amounts): Record<string, Quantity> {
  const out = { ...a };
  addTo(out, b);
  return out;
}

/** What is more in `a`; what is less counts as nothing. */
export function increase(a: Amounts, b: Amounts): Amounts {
  const more = Object.entries(a).map(([name, amount]): [string, Quantity] => {
    const before = b[name] ?? none;
    return [name, { nano: amount.nano > before.nano ? amount.nano - before.nano : 0n, form: amount.form }];
  });
  return Object.fromEntries(more);
}

export function only(amounts: Amounts, names: Iterable<string>): Amounts {
  const wanted = new Set(names);
  return Object.fromEntries(Object.entries(amounts).filter(([name]) => wanted.has(name)));
}

export function withoutZeros(amounts: Amounts): Amounts {
  return Object.fromEntries(Object.entries(amounts).filter(([, { nano }]) => nano !== 0n));
}

export function sameAmounts(a: Amounts, b: Amounts): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => name in b && a[name]?.nano === b[name]?.nano);
}

/** The names of what is above its bound; what has no bound is not. */
export function above(amounts: Amounts, bounds: Amounts): string[] {
  return Object.keys(amounts).filter((name) => name in bounds && compareQuantity(amounts[name] ?? none, bounds[name] ?? none) > 0);
}

/** `cpu=1,pods=2` */
export function shown(amounts: Amounts): string {
  return Object.entries(textsOf(amounts))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, text]) => `${name}=${text}`)
    .join(',');
}
