import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createErrors } from './testing/object-errors.ts';

const defaultBackend = { service: { name: 's', port: { number: 80 } } };
const policy = (port: object): object => ({ spec: { podSelector: {}, ingress: [{ ports: [port] }] } });

const cases: readonly (readonly [what: string, kind: string, given: object, wanted: readonly string[]])[] = [
  ['a class with a name', 'Ingress', { spec: { defaultBackend, ingressClassName: 'nginx' } }, []],
  [
    'a class whose name is empty',
    'Ingress',
    { spec: { defaultBackend, ingressClassName: '' } },
    ['spec.ingressClassName: Invalid value: ""'],
  ],
  ['a port without a protocol', 'NetworkPolicy', policy({ port: 80 }), []],
  [
    'a port whose protocol is empty',
    'NetworkPolicy',
    policy({ protocol: '', port: 80 }),
    ['spec.ingress[0].ports[0].protocol: Unsupported value: "": supported values: "SCTP", "TCP", "UDP"'],
  ],
];
for (const [what, kind, given, wanted] of cases)
  test(`${kind}: ${what}`, () => {
    const errors = createErrors('networking.k8s.io/v1', kind, given);
    assert.equal(errors.length, wanted.length, errors.join('; '));
    for (const [i, text] of wanted.entries()) assert.ok(errors[i]?.startsWith(text), errors[i]);
  });
