import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CniError, cniErrorCodes, formatCniError } from './cni-error.ts';

describe('errors', () => {
  test('have the codes of the CNI specification', () => {
    assert.deepEqual(cniErrorCodes, {
      incompatibleVersion: 1,
      unsupportedField: 2,
      unknownContainer: 3,
      badEnvironment: 4,
      io: 5,
      decode: 6,
      badConfig: 7,
      tryAgainLater: 11,
      notAvailable: 50,
      limitedConnectivity: 51,
      checkFailed: 100,
      internal: 999,
    });
  });

  test('are written with details only where there are some', () => {
    assert.equal(formatCniError(new CniError('io', 'no'), '1.0.0'), '{"cniVersion":"1.0.0","code":5,"msg":"no"}');
    assert.equal(
      formatCniError(new CniError('decode', 'no', 'why'), '0.4.0'),
      '{"cniVersion":"0.4.0","code":6,"msg":"no","details":"why"}',
    );
  });

  test('bear their name', () => assert.equal(String(new CniError('io', 'no')), 'CniError: no'));
});
