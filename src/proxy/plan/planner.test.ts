import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Service } from '../../api/schema/types.ts';
import { sampleNode } from '../testing/sample-node.ts';
import { algorithmAnnotation } from './algorithm.ts';
import { Planner } from './planner.ts';

function service(name: string, ip: string, externalIPs: readonly string[] = [], annotations: Record<string, string> = {}): Service {
  const metadata = { namespace: 'n', name, creationTimestamp: '2026-01-01T00:00:00Z', annotations };
  const ports = [80, 81].map((port) => ({ name: `p${port}`, port, protocol: 'TCP' }));
  return { apiVersion: 'v1', kind: 'Service', metadata, spec: { clusterIP: ip, ports, externalIPs: [...externalIPs] } };
}

describe('the warnings of a Planner', () => {
  test('are one for all frontends that a Service goes without for one sort of reason', () => {
    const planner = new Planner(sampleNode);
    planner.put('n/one', service('one', '10.96.0.1', ['198.51.100.1']), []);
    planner.put('n/two', service('two', '10.96.0.2', ['10.96.7.7', '10.96.7.8', '10.96.7.9', '198.51.100.1']), []);
    const why = 'the address is of a Service range';
    const named = ['7 . tcp . 80', '8 . tcp . 80', '9 . tcp . 80', '7 . tcp . 81', '8 . tcp . 81'].map(
      (end) => `"10.96.7.${end}" (${why})`,
    );
    assert.deepEqual(
      planner.warnings.map(({ reason, message }) => [reason, message]),
      [
        [
          'FrontendTaken',
          'Cannot serve 2 frontends of Service "n/two": "198.51.100.1 . tcp . 80" (Service "n/one" has it), "198.51.100.1 . tcp . 81" (Service "n/one" has it)',
        ],
        ['FrontendReserved', `Cannot serve 6 frontends of Service "n/two": ${named.join(', ')} and 1 more`],
      ].sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1)),
    );
  });

  test('are news of a Service when one comes, goes or has another reason, and at no other time', () => {
    const planner = new Planner(sampleNode, ['random']);
    const newsOf = (...[name, one]: [string, Service | undefined]): string[] => {
      planner.put(`n/${name}`, one, []);
      return [...planner.takeWarningNews()];
    };
    assert.deepEqual(newsOf('a', service('a', '10.96.0.1', ['198.51.100.1'])), []);
    assert.deepEqual(newsOf('b', service('b', '10.96.0.2', ['198.51.100.1'])), ['n/b'], 'it comes');
    assert.deepEqual([...planner.takeWarningNews()], []);
    assert.deepEqual(newsOf('b', service('b', '10.96.0.2', ['198.51.100.1'])), [], 'nothing new');
    assert.deepEqual(newsOf('c', service('c', '10.96.0.3')), [], 'another Service');
    assert.deepEqual(newsOf('c', service('c', '198.51.100.1')).toSorted(), ['n/a', 'n/b'], 'another reason');
    assert.deepEqual(newsOf('c', undefined).toSorted(), ['n/a', 'n/b', 'n/c'], 'what is gone has nothing to miss');
    assert.deepEqual(planner.warningsOf('n/c'), []);
    assert.deepEqual(newsOf('b', undefined), ['n/b'], 'it goes');
    const odd = (value: string): Service => service('d', '10.96.0.4', [], { [algorithmAnnotation]: value });
    assert.deepEqual(newsOf('d', odd('sed')), ['n/d'], 'an algorithm that the mode lacks');
    assert.deepEqual(newsOf('d', odd('sed')), []);
    assert.deepEqual(newsOf('d', odd('random')), ['n/d']);
  });

  test('are news of every Service that had one, when the node is another', () => {
    const planner = new Planner(sampleNode, ['random']);
    planner.put('n/a', service('a', '10.96.0.1', ['198.51.100.1']), []);
    planner.put('n/b', service('b', '10.96.0.2', ['198.51.100.1']), []);
    planner.put('n/c', service('c', '10.96.0.3', [], { [algorithmAnnotation]: 'sed' }), []);
    planner.takeWarningNews();
    // Nobody asked yet whether this is over.
    planner.put('n/d', service('d', '10.96.0.4', ['10.96.7.7']), []);
    planner.put('n/d', undefined, []);
    planner.reset(sampleNode);
    assert.deepEqual([...planner.takeWarningNews()].toSorted(), ['n/b', 'n/c', 'n/d']);
    assert.deepEqual(planner.warnings, []);
  });

  test('are those of one Service for who asks for that', () => {
    const planner = new Planner(sampleNode, ['random']);
    planner.put('n/a', service('a', '10.96.0.1', ['10.96.7.1']), []);
    planner.put('n/b', service('b', '10.96.0.2', ['10.96.7.2']), []);
    assert.deepEqual(planner.warningsOf('n/none'), []);
    assert.deepEqual(
      planner.warningsOf('n/b').map(({ service: of, about }) => [of, about]),
      [['n/b', '10.96.7.2 . tcp . 80']],
    );
  });
});
