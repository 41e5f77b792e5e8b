import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changedText } from './changed-text.ts';

const text = '# ours\nmode: nftables\nipvs:\n  strictARP: true # for MetalLB\nnodePortAddresses: null\n';

test('changedText() changes what is wished, however deep, and nothing beside it', () => {
  assert.equal(
    changedText(text, { mode: 'ipvs', ipvs: { scheduler: 'lc' }, nodePortAddresses: ['10.0.0.0/8'] }),
    '# ours\nmode: ipvs\nipvs:\n  strictARP: true # for MetalLB\n  scheduler: lc\nnodePortAddresses:\n  - 10.0.0.0/8\n',
  );
});

test('changedText() makes what is not there, and takes a tree for what is none', () => {
  assert.equal(changedText('', { a: { b: 1 } }), 'a:\n  b: 1\n');
  assert.equal(changedText('ipvs: null\n', { ipvs: { scheduler: 'sh' } }), 'ipvs:\n  scheduler: sh\n');
});

test('changedText() gives nothing when nothing is wished, or it is so', () => {
  for (const wish of [{}, { mode: undefined }, { mode: 'nftables', ipvs: { strictARP: true } }, { ipvs: {} }])
    assert.equal(changedText(text, wish), undefined);
});
