import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createErrors } from './testing/object-errors.ts';

const api = 'resource.k8s.io/v1';
const claim = (devices: object): object => ({ spec: { devices } });
const request = (name: string, more: object = {}): object => ({ name, exactly: { deviceClassName: 'gpu', ...more } });
const slice = (more: object): object => ({
  spec: { driver: 'd.example.com', nodeName: 'n', pool: { name: 'p', generation: 1, resourceSliceCount: 1 }, ...more },
});

const cases: readonly [what: string, kind: string, given: object, wanted: readonly string[]][] = [
  ['a claim for one device', 'ResourceClaim', claim({ requests: [request('one')] }), []],
  [
    'a claim for as many as there are, and how many',
    'ResourceClaim',
    claim({ requests: [request('one', { allocationMode: 'All', count: 2 })] }),
    ["spec.devices.requests[0].exactly.count: Invalid value: 2: must not be specified when allocationMode is 'All'"],
  ],
  [
    'a claim for one thing twice, of no class',
    'ResourceClaim',
    claim({ requests: [{ name: 'one', exactly: {} }, request('one'), { name: 'none' }] }),
    [
      'spec.devices.requests[0].exactly.deviceClassName: Required value',
      'spec.devices.requests[2]: Required value: exactly one of `exactly` or `firstAvailable` is required',
      'spec.devices.requests[1]: Duplicate value: "one"',
    ],
  ],
  [
    'a constraint between what nobody asked for, by a name without its domain',
    'ResourceClaim',
    claim({ requests: [request('one')], constraints: [{ requests: ['two'], matchAttribute: 'model' }] }),
    [
      'spec.devices.constraints[0].requests[0]: Invalid value: "two": must be the name of a request in the claim or the name of a request and a subrequest separated by \'/\'',
      'spec.devices.constraints[0].matchAttribute: Invalid value: "model": a fully qualified name must be a domain and a name separated by a slash',
    ],
  ],
  [
    'a class with a selector of nothing and parameters that are a list',
    'DeviceClass',
    { spec: { selectors: [{}], config: [{ opaque: { driver: 'd', parameters: [1] } }] } },
    [
      'spec.selectors[0].cel: Required value',
      'spec.config[0].opaque.parameters: Invalid value: "<value omitted>": must be a valid JSON object',
    ],
  ],
  ['a slice', 'ResourceSlice', slice({ devices: [{ name: 'gpu', attributes: { version: { version: '1.2.3' } } }] }), []],
  [
    'a slice of every node and of one, with a device of two values',
    'ResourceSlice',
    slice({ allNodes: true, devices: [{ name: 'gpu', attributes: { a: { int: 1, bool: true } } }] }),
    [
      'spec: Invalid value: "{`nodeName`, `allNodes`}": exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required, but multiple fields are set',
      'spec.devices[0].attributes[a]: Invalid value: {"int":1,"bool":true}: exactly one value must be specified',
    ],
  ],
];

for (const [what, kind, given, wanted] of cases) test(`devices: ${what}`, () => assert.deepEqual(createErrors(api, kind, given), wanted));
