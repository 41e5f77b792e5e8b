import assert from 'node:assert/strict';
import test from 'node:test';
import { MessageCodec } from './message-codec.ts';
import { ProtobufError } from './wire-reader.ts';

const messageTable = {
  Container: 'id:1:string labels:8:map',
  ContainerFilter: 'id:1:string labelSelector:4:map',
  ContainerMetadata: 'name:1:string attempt:2:uint32',
  ContainerStatus: 'id:1:string metadata:2:ContainerMetadata exitCode:7:int32 reason:10:string labels:12:map mounts:14:[]Mount',
  LinuxContainerResources: 'cpuQuota:2:int64 memoryLimitInBytes:4:int64',
  ListContainersResponse: 'containers:1:[]Container',
  Mount: 'containerPath:1:string',
  PodSandboxConfig: 'hostname:2:string',
  PortForwardRequest: 'podSandboxId:1:string port:2:[]int32',
  RunPodSandboxRequest: 'config:1:PodSandboxConfig',
  VersionResponse: 'version:1:string',
} as const;

type MessageName = keyof typeof messageTable;

const codec = new MessageCodec(messageTable);
const decode = (name: MessageName, bytes: Uint8Array): unknown => codec.decode(name, bytes);
const encode = (name: MessageName, value: object): Buffer => codec.encode(name, value);

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
  assert.throws(() => decode('VersionResponse', Buffer.from('0a05', 'hex')), ProtobufError);
});

test('a double is eight bytes, and a number beyond 2^63 is not negative', () => {
  const table = new MessageCodec({ Some: 'share:1:double large:2:uint64 raw:3:bytes' });
  const bytes = table.encode('Some', { share: 0.5, raw: Buffer.from([7]) });
  assert.equal(bytes.toString('hex'), '09000000000000e03f1a0107');
  assert.deepEqual(table.decode('Some', Buffer.concat([bytes, Buffer.from('10ffffffffffffffffff01', 'hex')])), {
    share: 0.5,
    large: 2 ** 64,
    raw: Buffer.from([7]),
  });
  assert.throws(() => table.decode('Some', bytes.subarray(0, 8)), ProtobufError);
});

test('decode() reads lists of messages, each with its own defaults', () => {
  const containers = [{ id: 'a', labels: { k: 'v', l: 'w' } }, { id: 'b' }];
  const read = decode('ListContainersResponse', encode('ListContainersResponse', { containers })) as {
    containers: Record<string, unknown>[];
  };
  assert.deepEqual(
    read.containers.map(({ id, labels }) => ({ id, labels })),
    [
      { id: 'a', labels: { k: 'v', l: 'w' } },
      { id: 'b', labels: {} },
    ],
  );
});

const every = new MessageCodec({
  Every: 'i:1:int64 u:2:uint32 b:3:bool d:4:double s:5:string y:6:bytes m:7:Every l:8:[]int32 t:9:[]string p:10:map',
  Nothing: '',
});

test('encode() leaves out what is a default, absent or empty', () => {
  for (const value of [{}, { i: 0, u: 0, b: false, d: 0, s: '', l: [], t: [], p: {} }, { i: undefined, s: null as unknown as string }])
    assert.equal(every.encode('Every', value).length, 0);
  assert.equal(every.encode('Nothing', {}).length, 0);
  assert.equal(every.encode('Every', { m: {}, t: [''] }).toString('hex'), '3a004a00', 'a message and an item are there');
});

test('decode() fills in the default of every type', () => {
  const wanted = { i: 0, u: 0, b: false, d: 0, s: '', y: Buffer.alloc(0), m: undefined, l: [], t: [], p: {} };
  assert.deepEqual(every.decode('Every', Buffer.alloc(0)), wanted);
  assert.deepEqual(every.decode('Nothing', Buffer.from('0801', 'hex')), {});
});

test('decode() gives back what encode() was given', () => {
  const value = {
    i: -7,
    u: 1,
    b: true,
    d: -0.25,
    s: 'ä',
    y: Buffer.from([1, 2]),
    m: undefined,
    l: [1, 0, -1],
    t: ['', 'x'],
    p: { a: '', '': 'b' },
  };
  const inner = { ...value, m: { ...value, m: undefined } };
  assert.deepEqual(every.decode('Every', every.encode('Every', inner)), inner);
});

test('decode() skips unknown fields of every wire type, and an entry without key or value has empty ones', () => {
  // 99: a varint, 8 bytes, 2 bytes, 4 bytes; then field 10 with an empty entry, and field 3.
  const bytes = Buffer.from('980601' + '99060000000000000000' + '9a06020000' + '9d0600000000' + '5200' + '1801', 'hex');
  const { b, p } = every.decode('Every', bytes) as { b: boolean; p: object };
  assert.deepEqual([b, p], [true, { '': '' }]);
});
