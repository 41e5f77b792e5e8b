/**
 * What nodes see of an API server that a weak user attacks, beside what they see of it when it is idle:
 *
 *     node src/apiserver/attack-bench.ts [bodies] [connections] [slow-bodies] [watches] [flood]
 */
import { type AttackKind, attackKinds } from './testing/attack.ts';
import { type Measured, quantile, Siege } from './testing/siege.ts';

function shown(what: string, { renewals, ready, probes, failed, longestBlock }: Measured): string {
  const of = (took: readonly number[]): string =>
    `p50 ${quantile(took, 0.5).toFixed(1)}  p99 ${quantile(took, 0.99).toFixed(1)}  max ${Math.max(...took).toFixed(0)} (${took.length})`;
  return `${what.padEnd(30)} renewals: ${of(renewals)}   readyz: ${of(ready)}   readyz, new TLS: ${of(probes)}   longest block ${longestBlock.toFixed(1)}   failed ${failed.length}`;
}

const chosen = process.argv.slice(2).filter((kind): kind is AttackKind => (attackKinds as readonly string[]).includes(kind));
const ms = 8000;
const siege = await Siege.prepare();
await siege.measure(1000);
console.log('milliseconds');
console.log(shown('idle', await siege.measure(ms)));
for (const kinds of chosen.length > 0 ? [chosen] : [...attackKinds.map((kind) => [kind]), attackKinds]) {
  const { answers, ...measured } = await siege.attacked({ kinds, idleConnections: 5000, watches: 2000, ms });
  console.log(shown(kinds.length === attackKinds.length ? 'all at once' : kinds.join(', '), measured));
  console.log(
    `  ${Object.entries(answers)
      .map(([what, n]) => `${what}: ${n}`)
      .join(', ')}`,
  );
}
await siege.end();
