/** A packet that was sent, beside what was predicted of it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Fate, FirstPacket, TraceStep } from '../mode/view.ts';
import { type Comparison, compareLive, type Live, type SeenStep } from './live.ts';
import { liveText } from './live-text.ts';

const packet: FirstPacket = { from: '10.244.1.9', sourcePort: 41_000, to: '10.96.0.10', port: 80, protocol: 'tcp', interface: 'veth1' };
const step = (place: string, more: Partial<TraceStep> = {}): TraceStep => ({ place, rule: `rule of ${place}`, ...more });
const seen = (place: string, more: Partial<SeenStep> = {}): SeenStep => ({ ...step(place), drops: false, isOther: false, ...more });
const other = (place: string, drops = false): SeenStep => seen(place, { isOther: true, drops });
const passed: Fate = { kind: 'passed', destinations: [{ to: '10.244.1.2', port: 8080, masqueraded: false }] };
const two: Fate = { kind: 'passed', destinations: ['10.244.1.2', '10.244.2.2'].map((to) => ({ to, port: 8080, masqueraded: false })) };
const refused: Fate = { kind: 'refused', with: 'tcp reset' };
const dropped: Fate = { kind: 'dropped' };
const header = { from: packet.from, sourcePort: packet.sourcePort, to: '10.244.1.2', port: 8080 };
const left = { header, by: 'veth0' };
const compare = (ways: readonly TraceStep[][], fate: Fate, live: Partial<Live>, of: FirstPacket = packet): Comparison =>
  compareLive(ways, fate, of, { steps: [], answer: 'answered', ...live });
const marks = ({ steps }: Comparison): string[] => steps.map((one) => `${one.seen} ${one.step.place}`);

describe('compareLive()', () => {
  const lb = step('lb', { found: 'either endpoint' });

  test('finds no difference on one of the ways that rules choose from', () => {
    const ways = [
      [step('a'), lb, step('hairpin')],
      [step('a'), lb],
    ];
    const comparison = compare(ways, passed, { steps: [seen('a', { found: 'goto lb' }), other('fw'), seen('lb')], end: left });
    assert.equal(comparison.difference, undefined);
    assert.deepEqual(marks(comparison), ['both a', 'other fw', 'both lb']);
    assert.deepEqual(
      comparison.steps.map(({ step: { found } }) => found),
      ['goto lb', undefined, 'either endpoint'],
    );
  });

  test('passes over steps of which the kernel does not tell', () => {
    const ways = [[step('a'), step('balancer', { isUntold: true }), step('b')]];
    const comparison = compare(ways, passed, { steps: [seen('a'), seen('b')], end: left });
    assert.equal(comparison.difference, undefined);
    assert.deepEqual(marks(comparison), ['both a', 'predicted balancer', 'both b']);
  });

  const rules: readonly [name: string, steps: readonly SeenStep[], marks: readonly string[], difference: RegExp][] = [
    [
      'one rule for another',
      [seen('a'), seen('x')],
      ['both a', 'predicted b', 'real x'],
      /^"b .*" was predicted, and the kernel applied "x .*"$/,
    ],
    [
      'a rule in the place of all',
      [seen('x')],
      ['predicted a', 'predicted b', 'real x'],
      /^"a .*" was predicted, and the kernel applied "x .*"$/,
    ],
    ['a rule that is missing', [seen('a')], ['both a', 'predicted b'], /^"b .*" was predicted, and the kernel did not apply it$/],
    [
      'a rule too many',
      [seen('a'), seen('b'), seen('x')],
      ['both a', 'both b', 'real x'],
      /^the kernel applied "x .*", which was not predicted$/,
    ],
    [
      'what another table did before',
      [other('nat'), seen('x'), other('late')],
      ['other nat', 'predicted a', 'predicted b', 'real x', 'other late'],
      /^"a .*" was predicted, and the kernel applied "x .*", behind "nat .*", which is no rule of this mode$/,
    ],
    [
      'another table that drops it',
      [seen('a'), other('fw', true)],
      ['both a', 'other fw', 'predicted b'],
      /^"fw .*" dropped it, which is no rule of this mode$/,
    ],
  ];
  for (const [name, steps, expected, difference] of rules)
    test(`names ${name}`, () => {
      const comparison = compare([[step('a'), step('b')]], passed, { steps, end: left });
      assert.match(comparison.difference ?? '', difference);
      assert.deepEqual(marks(comparison), expected);
    });

  const masqueraded: Fate = { kind: 'passed', destinations: [{ to: '10.244.1.2', port: 8080, masqueraded: true }] };
  const from = (ip: string): NonNullable<Live['end']> => ({ header: { ...header, from: ip }, by: 'veth0' });
  const fates: readonly [name: string, fate: Fate, live: Partial<Live>, difference: RegExp | undefined][] = [
    ['is there', passed, { end: left }, undefined],
    ['is there, and nobody answers', passed, { end: left, answer: 'silent' }, undefined],
    [
      'is elsewhere',
      passed,
      { end: { header: { ...header, port: 81 } } },
      /^it was to reach 10\.244\.1\.2:8080, and went to 10\.244\.1\.2:81$/,
    ],
    [
      'is at none of many',
      two,
      { end: { header: { ...header, port: 81 } } },
      /^it was to reach 10\.244\.1\.2:8080 or 10\.244\.2\.2:8080, and went to/,
    ],
    ['is nowhere', passed, {}, /^it was to go on, and did not come out/],
    ['has another source', passed, { end: from('10.244.1.1') }, /^it was to keep its source, and went on from 10\.244\.1\.1$/],
    ['is masqueraded as it was to be', masqueraded, { end: from('10.244.1.1') }, undefined],
    ['has kept its source', masqueraded, { end: left }, /^it was to be masqueraded, and went on from 10\.244\.1\.9$/],
    ['is refused as it was to be', refused, { answer: 'refused' }, undefined],
    ['is refused by the node itself', refused, { answer: 'refused', end: { header } }, undefined],
    ['is not refused', refused, { answer: 'silent' }, /^it was to be refused, and no refusal came back$/],
    ['is answered', refused, { answer: 'answered' }, /^it was to be refused, and was answered$/],
    [
      'goes on where it was to be refused',
      refused,
      { answer: 'refused', end: left },
      /^it was to be refused, and went to 10\.244\.1\.2:8080$/,
    ],
    ['is dropped as it was to be', dropped, { answer: 'silent' }, undefined],
    ['is refused where it was to be dropped', dropped, { answer: 'refused' }, /^it was to be dropped, and was refused$/],
    [
      'goes on where it was to be dropped',
      dropped,
      { answer: 'silent', end: left },
      /^it was to be dropped, and went to 10\.244\.1\.2:8080$/,
    ],
  ];
  for (const [name, fate, live, difference] of fates)
    test(`says of a packet that ${name} ${difference ? 'what was predicted' : 'nothing'}`, () => {
      const found = compare([[]], fate, live).difference;
      if (difference) assert.match(found ?? '', difference);
      else assert.equal(found, undefined);
    });

  test('lets what the node sends itself bear another address of its', () => {
    const { interface: _, ...own } = packet;
    assert.equal(compare([[]], passed, { end: from('10.244.1.1') }, own).difference, undefined);
  });

  test('compares the fate alone where the kernel does not tell of the rules', () => {
    const untold = 'because';
    const good = compare([[step('a')]], passed, { untold, end: left });
    assert.deepEqual([good.difference, marks(good)], [undefined, ['predicted a']]);
    assert.match(compare([[step('a')]], passed, { untold, steps: [other('fw', true)] }).difference ?? '', /^"fw .*" dropped it/);
    assert.match(compare([[step('a')]], refused, { untold, end: left }).difference ?? '', /^it was to be refused/);
  });
});

describe('liveText()', () => {
  test('has the steps with what each side says of them, and the first difference', () => {
    const live: Live = {
      steps: [seen('a'), other('fw')],
      end: left,
      tracked: { by: '10.244.1.2:8080', to: '10.244.1.9:41000' },
      answer: 'answered',
    };
    const text = liveText(packet, passed, live, compareLive([[step('a'), step('bb')]], passed, packet, live));
    assert.equal(
      text,
      `tcp 10.244.1.9:41000 to 10.96.0.10:80, coming in by veth1

= as predicted, - predicted only, + seen only, . a rule of others
= a   rule of a
. fw  rule of fw
- bb  rule of bb

Predicted: Reaches 10.244.1.2:8080 from 10.244.1.9
Seen: Left by veth0, from 10.244.1.9:41000 to 10.244.1.2:8080. Tracked: 10.244.1.2:8080 answers 10.244.1.9:41000. It was answered

First difference: "bb rule of bb" was predicted, and the kernel did not apply it, behind "fw rule of fw", which is no rule of this mode
`,
    );
  });

  const ends: readonly [live: Partial<Live>, text: string][] = [
    [
      { end: { header }, answer: 'refused' },
      'Seen: Stayed on the node, from 10.244.1.9:41000 to 10.244.1.2:8080. It was refused\n\nNo difference\n',
    ],
    [{ answer: 'silent' }, 'Seen: Did not come out behind the rules. Nobody answered\n\n'],
    [{ answer: 'silent', steps: [other('fw', true)] }, 'Seen: Went no further than the last of these rules. Nobody answered\n\n'],
    [{ end: left, untold: 'legacy' }, 'It was answered\n\nnote: legacy\nNo difference\n'],
  ];
  for (const [given, text] of ends)
    test(`says "${text.split('\n')[0]}"`, () => {
      const live: Live = { steps: [], answer: 'answered', ...given };
      const said = liveText(packet, passed, live, compareLive([[]], passed, packet, live));
      assert.ok(said.includes(text), said);
    });
});
