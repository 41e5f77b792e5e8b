import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Command } from '../cli/command.ts';
import { isKnownError } from '../errors/known-error.ts';
import { labFlags } from '../lab/lab-flags.ts';
import { backends } from '../net-agent/backend/backends.ts';
import { modes } from '../proxy/mode/modes.ts';
import { agent } from './agent-command.ts';
import { programOf } from './commands.ts';
import { FlagReader } from './flag-reader.ts';
import { led } from './part/led.ts';
import { netAgent } from './part/net-agent.ts';
import type { Part, PartFlags } from './part/part.ts';
import { proxy } from './part/proxy.ts';
import { formOf, optionsOf, type PartsCommand, readerFor } from './parts-command.ts';
import { server } from './server-command.ts';

const golden = join(import.meta.dirname, 'testing/flags.txt');

/** `agent --node-ip IP`, `agent --parts LIST = *`: every flag of a command and of those below it. */
function linesOf(command: Command, path = ''): string[] {
  const own = Object.entries(command.options ?? {}).map(([name, { type, value, choices, default: preset }]) => {
    const takes = type === 'boolean' ? '' : ` ${value ?? choices?.join('|') ?? 'TEXT'}`;
    return `${path}--${name}${takes}${preset === undefined ? '' : ` = ${preset}`}`;
  });
  return [...own.toSorted(), ...(command.subcommands ?? []).flatMap((sub) => linesOf(sub, `${path}${sub.name} `))];
}

test('every flag is as it was: scripts and units of others hold its name and count on its default', async () => {
  const text = `${linesOf(await programOf()).join('\n')}\n`;
  if (process.env.UPDATE_GOLDEN) writeFileSync(golden, text);
  assert.equal(text, readFileSync(golden, 'utf8'));
});

function fake(name: string, flags: PartFlags): Part {
  return { name, flags, config: async () => undefined, start: () => Promise.reject(new Error('not here')) };
}

const range = { type: 'string', help: 'range', default: '10.0.0.0/8' } as const;
const sky = fake('sky', {
  range,
  'health-address': {
    type: 'string',
    help: 'health',
    default: ':80',
    among: { name: 'sky-health-address', default: '', help: "the sky's health" },
  },
  kubeconfig: { type: 'string', help: 'who' },
});
const sea = fake('sea', {
  range: { ...range, default: '', among: range },
  'health-address': { type: 'string', help: 'health', default: ':81' },
});
const both: PartsCommand = {
  name: 'world',
  summary: '',
  parts: [sky, sea],
  options: { dir: { type: 'string', help: 'all files', default: '/etc' } },
  settled: { sky: { kubeconfig: (read) => `${read.text('dir')}/sky.conf` } },
};

describe('a command of several parts', () => {
  test('has its own flags first, then each of the parts once, under the names that tell them apart', () => {
    assert.deepEqual(optionsOf(both), {
      dir: { type: 'string', help: 'all files', default: '/etc' },
      range,
      'sky-health-address': { type: 'string', help: "the sky's health", default: '' },
      'health-address': { type: 'string', help: 'health', default: ':81' },
    });
  });

  test('has flags of one part alone as the part has them', () => {
    assert.deepEqual(Object.keys(optionsOf({ name: 'sky', summary: '', parts: [sky] })), ['range', 'health-address', 'kubeconfig']);
    assert.equal(optionsOf({ name: 'sea', summary: '', parts: [sea] }).range?.default, '');
  });

  test('gives a part what was given under its own names, and what the command settles', () => {
    const read = readerFor(sky, both, { dir: '/home', range: '10.1.0.0/16', 'sky-health-address': ':1', 'health-address': ':2' });
    assert.deepEqual([read.text('range'), read.text('health-address'), read.text('kubeconfig')], ['10.1.0.0/16', ':1', '/home/sky.conf']);
    assert.equal(readerFor(sea, both, { 'sky-health-address': ':1', 'health-address': ':2' }).text('health-address'), ':2');
  });

  test('names the flag that somebody wrote when its value is wrong', () => {
    const read = readerFor(sky, both, { 'sky-health-address': 'banana' });
    assert.throws(() => read.port('health-address'), /--sky-health-address="banana"/);
  });
});

for (const { name, parts, options = {} } of [server, agent])
  test(`parts of "${name}" that share a flag say the same of it`, () => {
    const seen = new Map<string, unknown>();
    for (const part of parts)
      for (const [flag, spec] of Object.entries(part.flags)) {
        // Known to the part's own command alone.
        if (spec.among === false) continue;
        const [called, form] = formOf(flag, spec, false);
        // What the command has of that name itself stands for all.
        if (Object.hasOwn(options, called)) continue;
        assert.deepEqual(form, seen.get(called) ?? form, `--${called} of ${part.name}`);
        seen.set(called, form);
      }
    assert.ok(seen.size > 10);
  });

test('flags that name a variant know every variant', () => {
  assert.deepEqual(proxy.flags['proxy-mode']?.choices, Object.keys(modes));
  assert.deepEqual(labFlags['proxy-mode'].choices, Object.keys(modes));
  assert.deepEqual(netAgent.flags.backend?.choices, Object.keys(backends));
});

describe('led()', () => {
  const part = led(fake('sky', { kubeconfig: { type: 'string', help: 'who' } }), 'kube-sky');
  const presets = Object.fromEntries(Object.entries(part.flags).map(([name, flag]) => [name, flag.default]));
  const setting = { parts: ['sky'] };

  test("adds upstream's flags, with upstream's values", () => {
    assert.deepEqual(presets, {
      kubeconfig: undefined,
      'leader-elect': true,
      'leader-elect-lease-duration': '15s',
      'leader-elect-renew-deadline': '10s',
      'leader-elect-retry-period': '2s',
      'leader-elect-resource-lock': 'leases',
      'leader-elect-resource-name': 'kube-sky',
      'leader-elect-resource-namespace': 'kube-system',
    });
  });

  for (const [name, times] of [
    ['a leader would act when its Lease has run out', { 'leader-elect-renew-deadline': '15s' }],
    ['a leader has one attempt only', { 'leader-elect-retry-period': '9s' }],
    ['it would never rest', { 'leader-elect-retry-period': '0' }],
  ] as const)
    test(`refuses times by which ${name}, as client-go does`, async () => {
      await assert.rejects(part.config(new FlagReader({ ...presets, ...times }), setting), (err) => isKnownError(err, 'USAGE'));
    });

  test('takes its own presets, and any times when there is no election', async () => {
    await part.config(new FlagReader(presets), setting);
    await part.config(new FlagReader({ 'leader-elect': false, 'leader-elect-retry-period': '9s' }), setting);
  });
});
