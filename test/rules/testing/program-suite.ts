/** What holds of `fairlead proxy` as a process, in every mode and from each mode to each other: traffic that can be served notices nothing. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../../../src/clock/testing/eventually.ts';
import { buildTopology, type Topology } from '../topology.ts';
import { predecessors } from './predecessors.ts';
import { endpoints, ProgramNode, pod, type ShellIn } from './program-node.ts';

/** Goes from each to each other, or from each to one mode and back. */
function tour(modes: readonly string[], through?: string): string[] {
  if (through !== undefined) return [...modes.filter((mode) => mode !== through).flatMap((mode) => [through, mode]), through];
  const pairs = modes.flatMap((one, i) => modes.slice(i + 1).flatMap((other) => [one, other]));
  return [...pairs, ...modes.slice(0, 1)];
}

/** Rules of others, some of them by names that begin as ours. */
const foreign = ['iptables', 'ip6tables']
  .flatMap((tool) => [
    `${tool} -t mangle -N KUBE-KUBELET-CANARY`,
    `${tool} -t nat -N KUBE-KUBELET-CANARY`,
    `${tool} -t nat -N FLANNEL-POSTRTG`,
    `${tool} -t nat -A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG`,
    `${tool} -t nat -N DOCKER`,
    `${tool} -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER`,
    `${tool} -t filter -N DOCKER-USER`,
    `${tool} -t filter -A FORWARD -j DOCKER-USER`,
    `${tool} -t filter -A DOCKER-USER -p tcp --dport 2375 -j DROP`,
  ])
  .join(' && ');

const withoutRules = ['iptables', 'ip6tables']
  .flatMap((tool) => ['nat', 'filter', 'mangle'].map((table) => `${tool} -t ${table} -F; ${tool} -t ${table} -X`))
  .join('; ');

/** A rule that does the same is left as it is, whatever it says of itself. */
const withoutComment = (rule: string): string => rule.replace(/-m comment --comment "[^"]*" /, '');

/** Everything that a proxy could leave or take away, in both backends. */
async function snapshot(node: ProgramNode): Promise<string[]> {
  return [
    ...(await node.iptables('-legacy')),
    // An address that the kernel gave a new link is tentative for two seconds.
    (await node.sh('nft list tables | grep -v -E " (nat|mangle|filter|raw|security)$"; ipset list -n; ip -o addr; ip -o link')).replaceAll(
      ' tentative',
      '',
    ),
  ];
}

interface ProgramSuite {
  readonly skip?: string | false;
  readonly shellIn?: ShellIn;
  /** Goes from mode to mode by this one alone, where others are gone through elsewhere. */
  readonly through?: string;
}

/** `modes`: those that this kernel has, the first one of the kernel's own connections. */
export function testProgram(modes: readonly string[], { skip = false, shellIn, through }: ProgramSuite = {}): void {
  describe(`fairlead proxy in the modes ${modes.join(', ')}`, { skip, concurrency: false }, () => {
    let topology: Topology;
    before(async () => {
      topology = await buildTopology([pod], endpoints, 'p');
    });
    after(() => topology?.[Symbol.asyncDispose]());

    for (const mode of modes.filter((mode) => mode !== 'userspace'))
      test(`${mode}: nobody notices a kill, a restart, an API server that is away, or settings that change`, async () => {
        await using node = await ProgramNode.create(topology, shellIn);
        const { program } = node;
        await program.configure(`mode: ${mode}\n`);
        const run = (): void => program.run(`--config=${program.configuration}`, '--hostname-override=node1');
        run();
        await node.untilIn(mode);
        await using traffic = await node.traffic();

        await program.stop('SIGKILL');
        await traffic.goesOn();
        node.serve([endpoints[1]]);
        run();
        await node.untilServedBy(endpoints[1]);
        await traffic.goesOn();

        await program.api.close();
        node.serve([endpoints[2]]);
        await traffic.goesOn();
        program.api.reopen();
        await node.untilServedBy(endpoints[2]);
        await traffic.goesOn();

        await program.configure(`mode: ${mode}\nnodePortAddresses: ["192.168.120.0/24"]\n`);
        await program.until(async () => program.said.includes('Goes on under the changed configuration'));
        await traffic.goesOn();
        node.serve([endpoints[0]]);
        await node.untilServedBy(endpoints[0]);

        await program.stop();
        run();
        await node.untilIn(mode);
        await traffic.goesOn();
      });

    for (const mode of modes.filter((mode) => mode !== 'userspace'))
      test(`${mode}: nobody notices kills while up to a thousand endpoints a second change`, async (t) => {
        await using node = await ProgramNode.create(topology, shellIn);
        const { program } = node;
        await program.configure(`mode: ${mode}\n${mode}: { minSyncPeriod: 1ms }\n`);
        const run = (): void => program.run(`--config=${program.configuration}`, '--hostname-override=node1');
        run();
        await node.untilIn(mode);
        await using traffic = await node.traffic();
        await node.whileEndpointsChange(async () => {
          for (let kills = 0; kills < 3; kills++) {
            await traffic.goesOn();
            await program.stop('SIGKILL');
            await traffic.goesOn(`After kill ${kills + 1}: `);
            run();
            const uses = await traffic.goesOnDuring(node.untilIn(mode), `As the successor of kill ${kills + 1} starts: `);
            t.diagnostic(`${uses} uses of connections from the start of a successor to its first sync`);
          }
          await traffic.goesOn();
        });
        node.serve([endpoints[1]]);
        await node.untilServedBy(endpoints[1]);
        await traffic.goesOn();
      });

    test(`goes from each mode to ${through ? `${through} and back` : 'each other'}, and leaves nothing of the one`, async (t) => {
      await using node = await ProgramNode.create(topology, shellIn);
      const { program } = node;
      const [first = '', ...others] = tour(modes, through);
      await program.configure(`mode: ${first}\n`);
      program.run(`--config=${program.configuration}`, '--hostname-override=node1');
      await node.untilIn(first);
      await using traffic = await node.traffic();
      let before = first;
      for (const mode of others) {
        const begun = performance.now();
        await program.configure(`mode: ${mode}\n`);
        const uses = await traffic.goesOnDuring(node.untilIn(mode), `From ${before} to ${mode}: `);
        await traffic.goesOn(`After ${before} in ${mode}: `);
        t.diagnostic(`${before} to ${mode}: ${((performance.now() - begun) / 1000).toFixed(1)} s, ${uses} uses of connections meanwhile`);
        before = mode;
      }
    });

    test('starts in each mode over the rules of another one, and leaves nothing of that', async () => {
      await using node = await ProgramNode.create(topology, shellIn);
      const { program } = node;
      program.run('--kubeconfig', program.kubeconfig, '--hostname-override=node1', '--proxy-mode', modes[0] ?? '');
      await node.untilIn(modes[0] ?? '');
      await using traffic = await node.traffic();
      const kernels = modes.filter((mode) => mode !== 'userspace');
      for (const mode of [...kernels.slice(1), ...kernels.slice(0, 1)]) {
        await program.stop();
        program.run('--kubeconfig', program.kubeconfig, '--hostname-override=node1', '--proxy-mode', mode);
        await node.untilIn(mode);
        await traffic.goesOn(`Started in ${mode}: `);
      }
    });

    for (const mode of modes.filter((mode) => mode !== 'userspace'))
      for (const before of predecessors.filter((one) => modes.includes(one.mode)))
        test(`${mode}: takes over from ${before.name}: nobody notices, and nothing of it is left`, {
          skip: before.skip ?? false,
        }, async () => {
          await using node = await ProgramNode.create(topology, shellIn);
          const { program } = node;
          const run = (): void => program.run('--kubeconfig', program.kubeconfig, '--hostname-override=node1', '--proxy-mode', mode);
          run();
          await node.untilIn(mode);
          await node.untilServed();
          const ours = (await node.rules()).map(withoutComment);
          await program.stop();
          await program.fairlead('proxy', '--cleanup');

          await before.lay(node);
          const differs = async (): Promise<string[][]> => {
            const held = (await node.rules()).map(withoutComment);
            return [held.filter((line) => !ours.includes(line)), ours.filter((line) => !held.includes(line))];
          };
          {
            await using traffic = await node.traffic();
            run();
            await node.untilIn(mode);
            await traffic.goesOn();
            // IPVS itself carries what it began: that goes when those connections have ended.
            if (before.mode !== 'ipvs' || mode === 'ipvs') await eventually(async () => assert.deepEqual(await differs(), [[], []]));
            await traffic.goesOn();
          }
          await eventually(async () => assert.deepEqual(await differs(), [[], []]));
        });

    for (const mode of modes)
      test(`${mode}: leaves its rules when it ends, until --cleanup takes them away, and nobody else's`, async () => {
        await using node = await ProgramNode.create(topology, shellIn);
        const { program } = node;
        assert.equal(await node.sh(foreign), '');
        const before = await snapshot(node);
        program.run('--kubeconfig', program.kubeconfig, '--hostname-override=node1', '--proxy-mode', mode);
        await node.untilIn(mode);
        await program.stop();
        assert.deepEqual(await node.held(), [mode]);
        for (const _ of ['with rules', 'with none']) {
          const { code, stderr } = await program.fairlead('proxy', '--cleanup');
          assert.equal(code, 0, stderr);
          assert.deepEqual(await snapshot(node), before);
        }
        await node.sh(withoutRules);
      });
  });
}
