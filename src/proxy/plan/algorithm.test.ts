import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Service } from '../../api/schema/types.ts';
import { bareNode as node } from '../testing/sample-node.ts';
import { type Algorithm, chooseAlgorithm, offeredAs, readAlgorithm, refusalOf, schedulers } from './algorithm.ts';
import { Planner } from './planner.ts';

const inWords: readonly Algorithm[] = ['random', 'round-robin', 'least-connection', 'source-hash'];

function service(annotation?: string): Service {
  const annotations = annotation === undefined ? {} : { 'fairlead.dev/lb-algorithm': annotation };
  const spec = { clusterIP: '10.96.0.1', ports: [{ port: 80 }] };
  return { apiVersion: 'v1', kind: 'Service', metadata: { namespace: 'n', name: 'a', annotations }, spec };
}

describe('an algorithm', () => {
  test('is one of our words or a scheduler of the kernel, with spaces around it or without', () => {
    assert.deepEqual(['source-hash', ' wlc ', 'mh', 'sh-port', 'RR', ''].map(readAlgorithm), [
      'source-hash',
      'wlc',
      'mh',
      'sh-port',
      undefined,
      undefined,
    ]);
  });

  const cases: [asked: Algorithm, inWords: string | undefined, inSchedulers: string | undefined][] = [
    ['random', 'random', undefined],
    ['round-robin', 'round-robin', 'rr'],
    ['least-connection', 'least-connection', 'lc'],
    ['source-hash', 'source-hash', 'sh'],
    ['rr', 'round-robin', 'rr'],
    ['wrr', 'round-robin', 'wrr'],
    ['wlc', 'least-connection', 'wlc'],
    ['mh', 'source-hash', 'mh'],
    ['lblc', undefined, 'lblc'],
    ['nq', undefined, 'nq'],
    ['sh-port', undefined, undefined],
  ];
  for (const [asked, word, scheduler] of cases)
    test(`"${asked}" is done as ${word ?? 'nothing'} by a mode with words, as ${scheduler ?? 'nothing'} by one with schedulers`, () => {
      assert.deepEqual([offeredAs(asked, inWords), offeredAs(asked, schedulers)], [word, scheduler]);
    });

  test('is what the Service asks for, else what the cluster has, and none when the mode takes that by itself', () => {
    const chosen = (asked: string | undefined, usual?: Algorithm): string | undefined =>
      chooseAlgorithm(service(asked), usual, inWords).algorithm;
    assert.equal(chosen('wlc', 'sh'), 'least-connection');
    assert.equal(chosen(undefined, 'sh'), 'source-hash');
    assert.equal(chosen('random', 'sh'), undefined);
    assert.equal(chosen(undefined), undefined);
    assert.equal(chosen(undefined, 'dh'), undefined);
  });

  const refusals: [asked: string, usual: Algorithm | undefined, algorithm: string | undefined, reason: string, message: RegExp][] = [
    [
      'fastest',
      undefined,
      undefined,
      'AlgorithmUnknown',
      /"n\/a" by "fastest": there is no such algorithm, use one of random, .* It gets "random"$/,
    ],
    ['dh', 'rr', 'round-robin', 'AlgorithmUnsupported', /by "dh": this proxy mode cannot\. It gets "round-robin"$/],
  ];
  for (const [asked, usual, algorithm, reason, message] of refusals)
    test(`"${asked}" that a mode cannot gives a reason, and what holds without it`, () => {
      const choice = chooseAlgorithm(service(asked), usual, inWords);
      assert.deepEqual([choice.algorithm, choice.refusal?.reason], [algorithm, reason]);
      assert.match(choice.refusal?.message ?? '', message);
    });

  test('of the cluster that a mode cannot do is told in words', () => {
    assert.match(
      refusalOf('random', 'ipvs', schedulers) ?? '',
      /by "random": proxy mode "ipvs" cannot\. Services that ask for nothing get "rr"$/,
    );
    assert.deepEqual([refusalOf('wlc', 'x', inWords), refusalOf(undefined, 'x', inWords)], [undefined, undefined]);
  });

  test('source-hash that a mode cannot brings an offer of session affinity', () => {
    assert.match(
      chooseAlgorithm(service('sh'), undefined, ['random']).refusal?.message ?? '',
      /It gets "random"; with sessionAffinity ClientIP/,
    );
  });
});

describe('Planner', () => {
  test('gives plans the algorithm, and warns for as long as a Service asks for one that there is not', () => {
    const planner = new Planner(node, inWords);
    const put = (given: Service | undefined): [string | undefined, string[]] => {
      planner.put('n/a', given, []);
      planner.take();
      return [planner.plans.get('n/a')?.algorithm, planner.warnings.map(({ service: of, about, reason }) => `${of} ${about} ${reason}`)];
    };
    assert.deepEqual(put(service('rr')), ['round-robin', []]);
    assert.deepEqual(put(service('nq')), [undefined, ['n/a algorithm AlgorithmUnsupported']]);
    assert.deepEqual(put(service()), [undefined, []]);
    put(service('x'));
    assert.deepEqual(put(undefined), [undefined, []]);
    put(service('x'));
    planner.reset(node);
    assert.deepEqual(planner.warnings, []);
  });

  test('warns nobody about a Service that is not for this proxy', () => {
    const planner = new Planner(node, inWords);
    planner.put('n/a', { ...service('x'), spec: { clusterIP: 'None' } }, []);
    assert.deepEqual(planner.warnings, []);
  });
});
