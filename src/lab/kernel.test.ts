import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KnownError } from '../errors/known-error.ts';
import type { Exec, ExecResult } from '../linux/exec.ts';
import { checkKernel, requireProxyKernel } from './kernel.ts';
import type { Tools } from './tools.ts';

const tools = { nsenter: 'nsenter', ip: 'ip', nft: 'nft' } as Tools;

/** Programs that all do well, but for those whose line holds `refused`. */
function answering(refused: string | undefined, stderr: string): Exec {
  const run = async (_file: string, args: readonly string[]): Promise<ExecResult> =>
    refused !== undefined && args.join(' ').includes(refused) ? { code: 2, stdout: '', stderr } : { code: 0, stdout: '', stderr: '' };
  return { run };
}

test('checkKernel() names the feature that the kernel lacks, what it said, and the option that brings it', async () => {
  for (const [refused, stderr, message, hint] of [
    [
      'type vxlan',
      'Error: Unknown device type.\n',
      'Cannot start nodes: the kernel has no VXLAN devices (Error: Unknown device type.)',
      /"modprobe vxlan".* modules of the running kernel .* CONFIG_VXLAN/,
    ],
    [
      'nft -f -',
      'Operation not supported\n',
      'Cannot start nodes: the kernel has no complete nf_tables (Operation not supported)',
      /"modprobe nf_tables".* CONFIG_NF_TABLES_IPV4, CONFIG_NFT_NAT/,
    ],
  ] as const) {
    await assert.rejects(checkKernel(answering(refused, stderr), tools, '/netns'), { code: 'KERNEL_FEATURE_MISSING', message, hint });
  }
});

test('checkKernel() is content with a kernel that has everything', async () => {
  await checkKernel(answering(undefined, ''), tools, '/netns');
});

test('requireProxyKernel() refuses mode ipvs where the kernel has none, before anything is made, and asks for no other mode', async () => {
  const lacking = async (): Promise<never> => {
    throw new KnownError('KERNEL_FEATURE_MISSING', 'Cannot speak to "IPVS": this kernel does not have it');
  };
  const want = { code: 'KERNEL_FEATURE_MISSING', message: 'Cannot start a lab with proxy mode "ipvs": the kernel has no IPVS' };
  await assert.rejects(requireProxyKernel('ipvs', lacking), want);
  await assert.rejects(
    requireProxyKernel('ipvs', async () => {
      throw new Error('something else');
    }),
    { message: 'something else' },
  );
  await requireProxyKernel('ipvs', async () => {});
  for (const mode of [undefined, 'nftables', 'iptables', 'userspace']) await requireProxyKernel(mode, lacking);
});
