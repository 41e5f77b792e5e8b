import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from '../../api/registry/registry.ts';
import { readOptions } from './read-options.ts';

const row = new Registry().rowOf('', 'v1', 'pods')!;
const match = 'resourceVersionMatch';
const invalid = (what: string): string => `ListOptions.meta.k8s.io "" is invalid: ${what}`;

for (const [query, code, message] of [
  [
    'resourceVersion=x',
    400,
    'invalid resource version: resourceVersion: Invalid value: "x": strconv.ParseUint: parsing "x": invalid syntax',
  ],
  [
    'resourceVersion=99999999999999999999',
    400,
    'invalid resource version: resourceVersion: Invalid value: "99999999999999999999": strconv.ParseUint: parsing "99999999999999999999": value out of range',
  ],
  ['limit=x', 400, 'strconv.ParseInt: parsing "x": invalid syntax'],
  ['fieldSelector=x=1', 400, 'field label not supported: x'],
  ['labelSelector=a b', 400, "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
  [`${match}=Exact`, 422, invalid(`${match}: Forbidden: ${match} is forbidden unless resourceVersion is provided`)],
  [
    `${match}=foo`,
    422,
    invalid(
      `[${match}: Forbidden: ${match} is forbidden unless resourceVersion is provided, ${match}: Unsupported value: "foo": supported values: "Exact", "NotOlderThan", ""]`,
    ),
  ],
  [
    `${match}=Exact&resourceVersion=0&continue=x`,
    422,
    invalid(
      `[${match}: Forbidden: ${match} is forbidden when continue is provided, ${match}: Forbidden: ${match} "exact" is forbidden for resourceVersion "0"]`,
    ),
  ],
  ['sendInitialEvents=true', 422, invalid('sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list')],
  ['watch=1&sendInitialEvents=true', 422, invalid(`${match}: Forbidden: sendInitialEvents requires setting ${match} to NotOlderThan`)],
  [
    `watch=1&${match}=Exact`,
    422,
    invalid(
      `[${match}: Forbidden: ${match} is forbidden for watch unless sendInitialEvents is provided, ${match}: Unsupported value: "Exact": supported values: "NotOlderThan"]`,
    ),
  ],
] as const)
  test(`${query} is refused in upstream's words`, () => {
    assert.throws(
      () => readOptions(row, new URLSearchParams(query), query.startsWith('watch')),
      (refusal: { code: number; message: string }) => {
        assert.deepEqual([refusal.code, refusal.message], [code, message]);
        return true;
      },
    );
  });

test('a combination that makes sense is taken', () => {
  const of = (query: string, watch = false): unknown => readOptions(row, new URLSearchParams(query), watch).match;
  assert.equal(of(`${match}=Exact&resourceVersion=5`), 'Exact');
  assert.equal(of(`${match}=NotOlderThan&resourceVersion=0`), 'NotOlderThan');
  assert.equal(of(`${match}=NotOlderThan&sendInitialEvents=true`, true), 'NotOlderThan');
  assert.equal(of('fieldSelector=spec.host=n1'), undefined);
});
