import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { createAuthority, issueCertificate } from '../../x509/authority.ts';
import { controlPlaneTaint } from '../control-plane/control-plane.ts';
import { envText } from '../service/service.ts';
import { agentFlags } from './agent.ts';
import { type EarlierNode, earlierNodeOf, refuseOtherName, taintsFor } from './earlier-node.ts';

const runtime = {
  answers: true,
  criDisabled: false,
  cgroupDriver: undefined,
  cniBinDir: undefined,
  cniConfDir: undefined,
  otherNetworks: [],
};
const taint = { key: 'a', value: 'b', effect: 'NoSchedule' } as const;
const joined = { nodeName: 'one', addresses: ['192.0.2.1', 'fd00::1'], runtimeEndpoint: 'unix:///x.sock', runtime, taints: [taint] };
const nothing: EarlierNode = {
  nodeName: undefined,
  isCertified: false,
  addresses: undefined,
  runtimeEndpoint: undefined,
  taints: undefined,
  apiPort: undefined,
};

describe('what an earlier join has made of a machine', () => {
  let certPem = '';
  before(async () => {
    const authority = await createAuthority('kubernetes', 0);
    ({ certPem } = await issueCertificate(
      authority,
      { commonName: 'system:node:two', organizations: ['system:nodes'], usages: ['client'] },
      0,
    ));
  });

  test("is in its agent's flags", () => {
    const agent = envText(agentFlags(joined, false));
    assert.deepEqual(earlierNodeOf({ agent, server: envText({ 'secure-port': '6444' }) }, undefined), {
      nodeName: 'one',
      isCertified: false,
      addresses: '192.0.2.1,fd00::1',
      runtimeEndpoint: 'unix:///x.sock',
      taints: 'a=b:NoSchedule',
      apiPort: 6444,
    });
    const none = envText(agentFlags({ ...joined, taints: [] }, false));
    assert.equal(earlierNodeOf({ agent: none }, undefined).taints, '', 'that somebody wanted none is known');
    const unsaid = envText(agentFlags({ ...joined, taints: undefined }, false));
    assert.equal(earlierNodeOf({ agent: unsaid }, undefined).taints, undefined);
  });

  test('is nothing where nobody was here, or a power cut has emptied what was', () => {
    assert.deepEqual(earlierNodeOf({}, undefined), nothing);
    assert.deepEqual(earlierNodeOf({ agent: '', server: '' }, ''), nothing);
  });

  test('has the last word where somebody has added it', () => {
    const agent = envText(agentFlags(joined, false), 'FAIRLEAD_RUNTIME_ENDPOINT=unix:///own.sock\n');
    assert.equal(earlierNodeOf({ agent }, undefined).runtimeEndpoint, 'unix:///own.sock');
  });

  test('is the node of its certificate, which is there before the flags are', () => {
    const { nodeName, isCertified } = earlierNodeOf({}, certPem);
    assert.deepEqual([nodeName, isCertified], ['two', true]);
    const known = earlierNodeOf({ agent: envText(agentFlags(joined, false)) }, certPem);
    assert.equal(known.nodeName, 'two');
    refuseOtherName(known, undefined);
    refuseOtherName(known, 'two');
    assert.throws(() => refuseOtherName(known, 'one'), {
      code: 'BAD_CONFIG',
      message: 'Cannot use --node-name="one": this machine is the node "two"',
      hint: /Leave it out to go on as "two".*fairlead reset/,
    });
    refuseOtherName({ ...known, isCertified: false }, 'one');
  });
});

for (const [what, wished, earlier, isControlPlane, registered, marked] of [
  ['a worker has none by itself', undefined, undefined, false, undefined, []],
  ['a worker keeps its own', undefined, [taint], false, [taint], []],
  ["a control plane has kubeadm's", undefined, undefined, true, [controlPlaneTaint], [controlPlaneTaint]],
  ['a control plane that wanted none registers without any again', undefined, [], true, [], [controlPlaneTaint]],
  ['a worker that becomes a control plane gets its taint', undefined, [taint], true, [taint], [controlPlaneTaint]],
  ['who asks for none gets none', [], [taint], true, [], []],
  ['who asks for others gets these', [taint], undefined, true, [taint], [taint]],
] as const)
  test(`taintsFor(): ${what}`, () => assert.deepEqual(taintsFor(wished, earlier, isControlPlane), { registered, marked }));
