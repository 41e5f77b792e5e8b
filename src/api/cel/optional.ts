import { celPackage } from './cel.ts';

/** An optional value; of nothing when the value is undefined. */
export function optionalOf(value: unknown): unknown {
  const { Optional } = celPackage();
  return value === undefined ? Optional.none() : Optional.of(value as never);
}
