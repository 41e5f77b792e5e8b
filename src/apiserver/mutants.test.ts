/**
 * Every kind that can be created, with every field that it has, whole and with one thing wrong at a time: a field removed, of another type,
 * null, nested wrongly. Whatever comes, the answer is that it is done or why not, never that the server failed. FAIRLEAD_SEED tries others.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { rows } from '../api/registry/registry.ts';
import type { ResourceRow } from '../api/registry/resource-row.ts';
import { apiVersionOf, pathOf } from '../api/resource-types.ts';
import { sampleOf } from '../api/schema/testing/sample.ts';
import { seededRandom } from '../clock/testing/seeded-random.ts';
import { mutantsOf } from './testing/mutants.ts';
import { TestServer } from './testing/test-server.ts';

const seed = Number(process.env.FAIRLEAD_SEED ?? 9);
const most = Number(process.env.FAIRLEAD_MUTANTS ?? 40);

/** All fields, but what a new object must not have, or must have right to be looked at at all. */
function sample(row: ResourceRow): object {
  const { metadata, ...rest } = sampleOf(row.schema) as { metadata?: Record<string, unknown> };
  const { resourceVersion: _version, namespace: _namespace, generateName: _prefix, ...meta } = metadata ?? {};
  return { ...rest, apiVersion: apiVersionOf(row.type), kind: row.type.kind, metadata: { ...meta, name: 'sample' } };
}

describe(`mutants of every kind (seed ${seed})`, () => {
  let s: TestServer;
  before(async () => {
    s = await TestServer.start();
    await s.call('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
  });
  after(() => s.stop());

  for (const row of rows.filter((one) => one.verbs.includes('create'))) {
    test(`${apiVersionOf(row.type)} ${row.type.kind} is made, or refused with a reason`, async () => {
      const whole = sample(row);
      const collection = pathOf(row.type, 'default');
      const random = seededRandom(seed);
      for (const { what, body } of [{ what: 'whole', body: whole }, ...mutantsOf(whole, random, most)]) {
        const answers = [await s.call('POST', `${collection}?dryRun=All`, body)];
        if (row.verbs.includes('update')) answers.push(await s.call('PUT', `${collection}/sample?dryRun=All`, body));
        for (const { status, text } of answers) assert.ok(status < 500, `${what}: ${status} ${text.slice(0, 500)}`);
      }
    });
  }
});
