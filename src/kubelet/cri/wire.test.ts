import assert from 'node:assert/strict';
import test from 'node:test';
import type { MessageName } from './messages.ts';
import { decode, decodeFields, encode } from './wire.ts';

const samples: { name: string; message: MessageName; value: object; hex: string }[] = [
  { name: 'a string and a nested message', message: 'RunPodSandboxRequest', value: { config: { hostname: 'a' } }, hex: '0a03120161' },
  { name: 'a map', message: 'ContainerFilter', value: { labelSelector: { k: 'v' } }, hex: '22060a016b120176' },
  {
    name: 'packed integers',
    message: 'PortForwardRequest',
    value: { podSandboxId: 's', port: [80, 300] },
    hex: '0a0173120350ac02',
  },
  { name: 'a negative int64', message: 'LinuxContainerResources', value: { cpuQuota: -1 }, hex: '10ffffffffffffffffff01' },
  { name: 'an int64 above 2^31', message: 'LinuxContainerResources', value: { memoryLimitInBytes: 4294967296 }, hex: '208080808010' },
];

for (const { name, message, value, hex } of samples) {
  test(`encode() writes ${name}`, () => assert.equal(encode(message, value).toString('hex'), hex));
  test(`decode() reads ${name} back`, () => {
    const read = decode(message, Buffer.from(hex, 'hex')) as Record<string, unknown>;
    for (const [key, wanted] of Object.entries(value)) {
      if (wanted && typeof wanted === 'object' && !Array.isArray(wanted))
        for (const [k, v] of Object.entries(wanted)) assert.deepEqual((read[key] as Record<string, unknown>)[k], v);
      else assert.deepEqual(read[key], wanted);
    }
  });
}

test('decode() fills in defaults, and leaves absent messages undefined', () => {
  const status = decode('ContainerStatus', Buffer.alloc(0)) as Record<string, unknown>;
  assert.equal(status.exitCode, 0);
  assert.equal(status.reason, '');
  assert.deepEqual(status.labels, {});
  assert.deepEqual(status.mounts, []);
  assert.equal(status.metadata, undefined);
});

test('decode() skips fields it does not know', () => {
  // Field 99 as a varint, field 98 as bytes, then a string.
  const bytes = Buffer.from('98060192060261620a0131', 'hex');
  assert.equal((decode('VersionResponse', bytes) as { version: string }).version, '1');
});

test('decode() reads unpacked integers too', () => {
  const read = decode('PortForwardRequest', Buffer.from('10501051', 'hex')) as { port: number[] };
  assert.deepEqual(read.port, [80, 81]);
});

test('decode() refuses a message that is cut off', () => {
  assert.throws(() => decode('VersionResponse', Buffer.from('0a05', 'hex')), RangeError);
});

test('decodeFields() finds byte fields beside others', () => {
  const fields = decodeFields(Buffer.from('08011202616218021203616263', 'hex'));
  assert.deepEqual(
    [...fields].map(([n, b]) => [n, b.toString()]),
    [[2, 'abc']],
  );
});
