/** Names made up by the server for `metadata.generateName`. */

/** No vowels and no digits that look like letters: a random name never spells a word. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';
const suffixLength = 5;
/** 63, the length of a DNS label, without the suffix. */
const maxPrefixLength = 58;

/** `web-` → `web-x7k2p`. `random(n)` gives a whole number from 0 to n-1. */
export function generateName(prefix: string, random: (below: number) => number): string {
  let name = prefix.slice(0, maxPrefixLength);
  for (let i = 0; i < suffixLength; i++) name += alphabet[random(alphabet.length)];
  return name;
}
