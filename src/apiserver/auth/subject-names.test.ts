import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { createAuthority } from '../../x509/authority.ts';
import { namesOf } from './subject-names.ts';

const shown = (subject: string | undefined): string[] => namesOf(subject).map(({ type, value }) => `${type}:${value}`);

for (const [what, subject, names] of [
  ['one name', 'CN=jane', ['CN:jane']],
  ['a line for each', 'O=dev\nO=ops\nCN=jane', ['O:dev', 'O:ops', 'CN:jane']],
  ['several in one line', 'CN=jane + O=dev', ['CN:jane', 'O:dev']],
  ['a value that looks like a separator', 'CN=jane \\+ O=system:masters', ['CN:jane + O=system:masters']],
  ['a line feed in a value', 'CN=jane\\0AO=system:masters', ['CN:jane\nO=system:masters']],
  ['a value that looks like an escape', 'CN=a\\\\0A + O=\\\\', ['CN:a\\0A', 'O:\\']],
  ['escaped characters', 'CN=\\"\\#\\,\\;\\<\\>\\\\= é 😀\\09\\ ', ['CN:"#,;<>\\= é 😀\t ']],
  ['an equals sign in a value', 'CN=a=b', ['CN:a=b']],
] as const)
  test(`namesOf() reads ${what}`, () => assert.deepEqual(shown(subject), names));

test('namesOf() gives nothing that could be a user for an empty subject', () => {
  for (const subject of ['', undefined]) assert.ok(namesOf(subject).every(({ type }) => type === ''));
});

test('namesOf() reads what OpenSSL writes as the certificate has it', async () => {
  for (const name of ['a\nO=system:masters', 'a + O=system:masters', ' a ', 'é😀,;<>=', 'a\u007fb', 'CN=b'])
    assert.deepEqual(namesOf(new X509Certificate((await createAuthority(name, Date.now())).certPem).subject), [
      { type: 'CN', value: name },
    ]);
});
