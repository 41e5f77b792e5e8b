/** Reads the options of a backend. Pure. */
import { KnownError } from '../../errors/known-error.ts';

export function badConfig(what: string, hint: string): KnownError {
  return new KnownError('BAD_CONFIG', `Cannot use pod network configuration: ${what}`, { hint });
}

/** A whole number in a range, undefined when it is not given. `word` names it for people, with its article: `a port`. Throws BAD_CONFIG. */
export function wholeNumber(value: unknown, word: string, [least, most]: readonly [number, number]): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  const [article = '', ...noun] = word.split(' ');
  throw badConfig(`${noun.join(' ')} ${value}`, `${article === 'an' ? 'An' : 'A'} ${noun.join(' ')} is ${least} to ${most}`);
}

/** The MTU of pods' links. Throws BAD_CONFIG. */
export function mtuOption(value: unknown): number | undefined {
  return wholeNumber(value, 'an MTU', [576, 65_535]);
}
