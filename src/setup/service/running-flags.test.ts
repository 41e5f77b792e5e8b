import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flagsOf } from './running-flags.ts';

test('flagsOf() reads flags in both forms, and switches', () => {
  const line = [
    'node',
    '--max-semi-space-size=2',
    '/opt/fairlead/src/main/fairlead.ts',
    'agent',
    '--node-ip',
    '192.0.2.1',
    '--parts=*,-proxy',
    '--a',
    '--b=',
    '--c',
  ];
  assert.deepEqual(flagsOf(line, 'agent'), {
    FAIRLEAD_NODE_IP: '192.0.2.1',
    FAIRLEAD_PARTS: '*,-proxy',
    FAIRLEAD_A: 'true',
    FAIRLEAD_B: '',
    FAIRLEAD_C: 'true',
  });
  assert.deepEqual(flagsOf(['/usr/bin/fairlead', 'server'], 'server'), {});
});

test('flagsOf() does not take another program, or another command, for it', () => {
  for (const line of [
    [],
    ['fairlead'],
    ['node', 'fairlead.mjs', 'doctor', 'agent'],
    ['fairlead-agent', 'agent'],
    ['vi', 'agent'],
    ['fairlead', 'agents'],
  ])
    assert.equal(flagsOf(line, 'agent'), undefined, line.join(' '));
});
