import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { eventually } from '../clock/testing/eventually.ts';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { changeLink, deleteLink } from '../linux/netlink/link.ts';
import { decodeMessages, encodeMessage, type NetlinkMessage, type NetlinkRequest } from '../linux/netlink/message.ts';
import { type Attachment, aliasOf } from './attachment.ts';
import { isAstray, NodeWatch } from './watch.ts';

const pod: Attachment = { containerId: 'c', ifName: 'eth0', network: 'fairlead', netns: '', ip: '10.244.1.2', pod: 'a/b', hostPorts: [] };
const alias = aliasOf(pod);

/** As the kernel tells of a link: the same attributes as in a request. */
function notice(request: NetlinkRequest): NetlinkMessage {
  const [message] = decodeMessages(encodeMessage(request, 0, 0));
  assert.ok(message);
  return message;
}

describe('isAstray()', () => {
  const cases: readonly [what: string, notice: NetlinkMessage | 'lost', astray: boolean][] = [
    ["a pod's link in its bridge", notice(changeLink(7, { alias, master: 4, up: true })), false],
    ["a pod's link that left its bridge", notice(changeLink(7, { alias, master: 0, up: true })), true],
    ["a pod's link that says nothing of a bridge", notice(changeLink(7, { alias, up: true })), true],
    ["a pod's link that is down", notice(changeLink(7, { alias, master: 4, up: false })), true],
    ["somebody else's link", notice(changeLink(7, { alias: 'uplink', master: 0, up: false })), false],
    ['a link without an alias', notice(changeLink(7, { master: 0, up: false })), false],
    ["a pod's link that is deleted", notice(deleteLink('veth0')), false],
    ['notices that were lost', 'lost', true],
  ];
  for (const [what, told, astray] of cases)
    test(`is ${astray} of ${what}`, () => {
      assert.equal(isAstray(told), astray);
    });
});

describe('NodeWatch', () => {
  test('calls once for what happens together, seldom for what happens again and again, and hears a folder that is made anew', async () => {
    const root = mkdtempSync(join(tmpdir(), 'fl-watch-'));
    const dir = join(root, 'bin');
    const clock = new FakeClock();
    let calls = 0;
    const watch = new NodeWatch([dir], clock, () => calls++);
    /** Changes something until the time that is added makes it be heard. */
    const heard = async (advanceMs: number): Promise<void> => {
      const before = calls;
      let n = 0;
      await eventually('the change is heard', async () => {
        writeFileSync(join(dir, `file${n++}`), 'x');
        await clock.advance(advanceMs);
        return calls > before;
      });
    };
    try {
      mkdirSync(dir);
      watch.renew();
      await heard(100);
      const first = calls;
      assert.equal(first, 1);
      // Within a second after the last call nothing is said.
      for (let i = 0; i < 5; i++) {
        writeFileSync(join(dir, 'again'), String(i));
        await clock.advance(100);
      }
      assert.equal(calls, first);
      await heard(1000);
      rmSync(dir, { recursive: true });
      mkdirSync(dir);
      watch.renew();
      await heard(2000);
    } finally {
      watch.close();
      rmSync(root, { recursive: true });
    }
  });
});
