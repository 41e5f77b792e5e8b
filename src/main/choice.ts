/** Lists of names, such as that of `--parts`. */
import { nearest } from '../cli/nearest.ts';
import { KnownError } from '../errors/known-error.ts';

/**
 * What a list such as `*,-scheduler` leaves of `known`, as kube-controller-manager reads --controllers: `*` is all of them, `name` one,
 * `-name` all but that one when `*` stands in the list too. Throws USAGE for a name that nothing has.
 */
export function choose<T extends string>(flag: string, text: string, known: readonly T[]): T[] {
  const words = text.split(',').filter(Boolean);
  for (const word of words) {
    const name = word.replace(/^-/, '');
    if (word === '*' || known.some((one) => one === name)) continue;
    const near = nearest(name, known);
    throw new KnownError('USAGE', `Cannot use --${flag}="${text}": there is no "${name}"`, {
      hint: near === undefined ? `There are ${known.join(', ')}` : `Did you mean "${near}"? There are ${known.join(', ')}`,
    });
  }
  return known.filter((name) => !words.includes(`-${name}`) && (words.includes('*') || words.includes(name)));
}
