/** `fairlead proxy` in every mode that this kernel has, and from mode to mode. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kernelIptablesIn, lackingTools } from '../../src/linux/iptables/testing/kernel-in.ts';
import { Namespaces } from '../../src/linux/testing/namespaces.ts';
import { faces } from '../../src/proxy/mode/testing/faces.ts';
import { testProgram } from './testing/program-suite.ts';
import { ProxyProgram } from './testing/proxy-program.ts';

const needsRoot = process.getuid?.() === 0 ? false : 'needs root';
const withFaces: string[] = [];
if (!needsRoot) for (const face of faces) if ((await face.lacking()) === undefined) withFaces.push(face.name);

testProgram([...withFaces, 'userspace'], { skip: needsRoot });

test('mode iptables takes away what is in the other backend', {
  skip: needsRoot || ((await lackingTools('-legacy')) ?? false),
}, async () => {
  await using net = new Namespaces();
  await net.add('node');
  await using program = await ProxyProgram.create(net.path('node'), ['192.0.2.1']);
  const legacy = kernelIptablesIn(net.path('node'), '-legacy');
  try {
    const jump = new Map([['PREROUTING', ['-j KUBE-SERVICES']]]);
    await legacy.restore('ip', [{ table: 'nat', fill: new Map([['KUBE-SERVICES', []]]), insert: jump }]);
    program.run('--kubeconfig', program.kubeconfig, '--hostname-override=node1', '--proxy-mode=iptables');
    await program.until(async () => !JSON.stringify([...((await legacy.save('ip')).get('nat') ?? [])]).includes('KUBE-'));
    assert.equal((await program.exec('sh', '-c', 'iptables-save | grep -q KUBE-POSTROUTING')).code, 0);
  } finally {
    legacy.close();
  }
});

for (const [mode, part] of [
  ['ipvs', /Cannot use proxy mode "ipvs": the kernel lacks IPVS \(module ip_vs\)\n/],
  ['iptables', /Cannot use proxy mode "iptables": cannot run "iptables": it is not installed\n.*next: Install the package iptables; /s],
] as const)
  test(`mode ${mode}: says what is missing here, and which modes would work`, {
    skip: needsRoot || (withFaces.includes('ipvs') && 'has IPVS'),
  }, async () => {
    await using net = new Namespaces();
    await net.add('node');
    await using program = await ProxyProgram.create(net.path('node'), ['192.0.2.1']);
    const words = ['src/main/fairlead.ts', 'proxy', '--kubeconfig', program.kubeconfig, '--hostname-override=node1', '--proxy-mode', mode];
    // Without any tool but what runs it.
    const { code, stderr } = await program.exec('env', `PATH=${program.dir}`, process.execPath, ...words);
    assert.equal(code, 2);
    assert.match(stderr, part);
    assert.match(stderr, /or use proxy mode nftables or userspace, which would work here\n/);
  });
