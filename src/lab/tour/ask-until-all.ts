import { messageOf } from '../../errors/known-error.ts';

/** Asks until every one of `names` has answered; gives the different answers. */
export async function askUntilAll(get: () => Promise<string>, names: readonly string[], tries: number): Promise<string> {
  const answers = new Set<string>();
  let failed: unknown;
  let failures = 0;
  for (let i = 0; i < tries; i++) {
    // A rule may lag behind the API by a moment after a change; what still fails at the end is reported.
    try {
      answers.add(await get());
    } catch (err) {
      failed = err;
      failures++;
    }
    if (names.every((name) => [...answers].some((answer) => answer.includes(name)))) {
      const lost = failures === 0 ? '' : `\n(${failures} of ${i + 1} requests failed: ${messageOf(failed)})`;
      return `${[...answers].toSorted().join('\n')}${lost}`;
    }
  }
  const silent = names.filter((name) => ![...answers].some((answer) => answer.includes(name)));
  throw new Error(`${silent.join(', ')} did not answer in ${tries} tries${failed instanceof Error ? ` (${failed.message})` : ''}`, {
    cause: failed,
  });
}
