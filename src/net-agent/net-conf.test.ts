import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isKnownError } from '../errors/known-error.ts';
import { backends } from './backend/backends.ts';
import { backendConfigOf, netConfOf, openNetConf } from './net-conf.ts';

describe('openNetConf()', () => {
  for (const Type of Object.keys(backends))
    test(`opens backend $Typeby its own name`, () => {
      const { backend, networks } = openNetConf({ Network: '10.244.3.0/16', Backend: { Type } });
      assert.deepEqual([backend.type, networks.map(({ text }) => text)], [Type, ['10.244.0.0/16']]);
    });

  for (const [cidrs, wanted] of [
    [['fd00::/48'], ['fd00::/48']],
    [
      ['fd00::/48', '10.244.0.0/16'],
      ['10.244.0.0/16', 'fd00::/48'],
    ],
  ] as const)
    test(`opens ${cidrs.join(' and ')}`, () => {
      const { networks } = openNetConf(netConfOf(cidrs, { Type: 'vxlan' }));
      assert.deepEqual(
        networks.map(({ text }) => text),
        wanted,
      );
    });

  for (const [network, type, said, hint] of [
    ['fd00::/48', 'vxlan', /network "fd00::\/48" is no IPv4 range/, /10\.244\.0\.0\/16/],
    ['x', 'vxlan', /network "x" is no IPv4 range/, /10\.244\.0\.0\/16/],
    ['10.244.0.0/16', 'udp', /backend type "udp" is not known/, /"vxlan" or "host-gw"/],
    ['10.244.0.0/16', 'constructor', /backend type "constructor" is not known/, /"vxlan"/],
  ] as const)
    test(`refuses network $networkwith backend $type`, () =>
      assert.throws(
        () => openNetConf({ Network: network, Backend: { Type: type } }),
        (err) => isKnownError(err, 'BAD_CONFIG') && said.test(err.message) && hint.test(err.hint ?? ''),
      ));
});

describe('backendConfigOf()', () => {
  for (const [text, wanted] of [
    ['{"Network":"10.9.0.0/16","Backend":{"Type":"host-gw","MTU":1400}}', { Type: 'host-gw', MTU: 1400 }],
    ['{"Backend":{"VNI":7,"DirectRouting":true}}', { Type: 'vxlan', VNI: 7, DirectRouting: true }],
    ['{"Network":"10.9.0.0/16"}', { Type: 'vxlan' }],
    ['{"Backend":null}', { Type: 'vxlan' }],
    ['null', { Type: 'vxlan' }],
  ] as const)
    test(`reads ${text}`, () => assert.deepEqual(backendConfigOf(text), wanted));

  for (const text of ['', '{', '{"Backend":{"Type":7}}'])
    test(`refuses "${text}"`, () => assert.throws(() => backendConfigOf(text), { code: 'BAD_CONFIG', message: /net-conf\.json/ }));
});
