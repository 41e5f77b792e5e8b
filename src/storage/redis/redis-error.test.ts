import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { answerCode, failed, Unconfirmed } from './redis-error.ts';

function reply(message: string): Error {
  return Object.assign(new Error(message), { name: 'ReplyError' });
}

function broken(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code });
}

const cases: readonly (readonly [Error, code: string, hint: RegExp])[] = [
  [reply("OOM command not allowed when used memory > 'maxmemory'."), 'STORE_FULL', /maxmemory/],
  [reply('MISCONF Errors writing to the AOF file: No space left on device'), 'STORE_UNAVAILABLE', /room on the disk/],
  [reply('NOREPLICAS Not enough good replicas to write.'), 'STORE_UNAVAILABLE', /min-replicas-to-write/],
  [reply("READONLY You can't write against a read only replica."), 'STORE_UNAVAILABLE', /new primary/],
  [reply('LOADING Redis is loading the dataset in memory'), 'STORE_UNAVAILABLE', /from the disk/],
  [reply('WRONGPASS invalid username-password pair or user is disabled.'), 'BAD_CONFIG', /password-file/],
  [reply('NOAUTH Authentication required.'), 'BAD_CONFIG', /asks for a password/],
  [reply("NOPERM this user has no permissions to run the 'fcall' command"), 'BAD_CONFIG', /ACL SETUSER/],
  [reply('ERR something else'), 'STORE_IO', /^$/],
  [new Unconfirmed('0 of 1 replicas confirmed it'), 'STORE_UNAVAILABLE', /INFO replication/],
  [broken('SELF_SIGNED_CERT_IN_CHAIN'), 'BAD_CONFIG', /\?ca=FILE/],
  [broken('ERR_TLS_CERT_ALTNAME_INVALID'), 'BAD_CONFIG', /server-name/],
  [broken('ERR_SSL_WRONG_VERSION_NUMBER'), 'BAD_CONFIG', /redis:\/\/ is without/],
  [broken('ENOTFOUND'), 'STORE_UNAVAILABLE', /name is not known/],
  [broken('ECONNREFUSED'), 'STORE_UNAVAILABLE', /whether Redis runs/],
];

describe('failed()', () => {
  for (const [err, code, hint] of cases)
    test(`takes "${err.message}" for ${code}, and says what to do`, () => {
      const known = failed('open', 'redis://host/0', err);
      assert.deepEqual([known.code, known.message, known.cause], [code, `Cannot open store "redis://host/0": ${err.message}`, err]);
      assert.match(known.hint ?? '', hint);
    });

  test('says what is known of a write, and gives no advice for the start later', () => {
    const known = failed('write to', 'redis://host/0', broken('ECONNRESET'), 'whether it was written is unknown');
    assert.equal(known.message, 'Cannot write to store "redis://host/0": connect ECONNRESET; whether it was written is unknown');
    assert.equal(known.hint, undefined);
  });
});

test('answerCode() tells an answer of Redis from an error of the connection', () => {
  assert.equal(answerCode(reply('GONE nothing is there')), 'GONE');
  assert.equal(answerCode(reply('unknown')), 'ERR');
  assert.equal(answerCode(broken('ECONNRESET')), undefined);
});
