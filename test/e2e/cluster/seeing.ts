/** What an operator on a node sees of Services: packets that are really sent and followed, and what was counted. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { eventually } from '../../../src/clock/testing/eventually.ts';
import type { ExecResult } from '../../../src/linux/exec.ts';
import type { ServiceTraffic } from '../../../src/main/service-traffic.ts';
import type { Cluster } from '../testing/cluster.ts';
import { all, boxPod, quickReadiness, service } from '../testing/manifests.ts';

const [space, node, serving] = ['seeing', 'worker-1', 'worker-2'];
const [transfers, size] = [3, 2_000_000];
/** Headers are 5 % of a full packet, acknowledgements of the other direction as much again. */
const mostOver = 1.12;

const differs =
  'nft add table ip by-hand; nft add chain ip by-hand forward "{ type filter hook forward priority 10; }"; nft add rule ip by-hand forward';

export function seeingSuite(cluster: () => Cluster): void {
  describe('seeing Services', { concurrency: false }, () => {
    let pod = '';
    let server = '';
    const onNode = (command: string): Promise<string> => cluster().lab.must(node, 'sh', '-c', command);
    const fairlead = (...words: string[]): Promise<ExecResult> => {
      const { lab } = cluster();
      return lab.command('exec', '--name', lab.plan.options.name, node, '--', 'fairlead', ...words);
    };
    const trace = (from: string): Promise<ExecResult> => fairlead('trace', from, 'svc/seen', '-n', space, '--live');

    before(async () => {
      const c = cluster();
      await c.namespace(space);
      const at = (nodeName: string): object => ({ spec: `nodeName: ${nodeName}`, container: quickReadiness });
      await c.apply(
        all(boxPod('client', at(node)), boxPod('server', at(serving)), service('seen', '7:7', '', 'server'), service('nobody', '80:8080')),
        space,
      );
      pod = (await c.readyPod(space, 'client')).status?.podIP ?? assert.fail();
      server = (await c.readyPod(space, 'server')).status?.podIP ?? assert.fail();
      const ip = await c.clusterIp(space, 'seen');
      await eventually('the Service to answer', async () =>
        assert.equal(await c.sh(space, 'client', `echo hello | timeout 5 nc ${ip} 7`), 'hello\n'),
      );
    });

    test('a packet of a pod and one of the node are really sent, meet what is predicted, and leave no rule behind', async () => {
      for (const from of [pod, 'node']) {
        const { code, stdout, stderr } = await trace(from);
        assert.equal(code, 0, stdout + stderr);
        assert.match(stdout, /\nSeen: Left by flannel\.1, .*\. Tracked: .*\. It was answered\n\nNo difference\n$/);
      }
      assert.doesNotMatch(await onNode('nft list tables'), /fairlead-trace/);
    });

    test('a rule that somebody put in, and that drops the packet, is named', async () => {
      await onNode(`${differs} ip daddr ${server} drop`);
      try {
        const { code, stdout } = await trace(pod);
        assert.equal(code, 1, stdout);
        assert.ok(
          stdout.endsWith(`\nFirst difference: "ip by-hand forward ip daddr ${server} drop" dropped it, which is no rule of this mode\n`),
          stdout,
        );
      } finally {
        await onNode('nft delete table ip by-hand');
      }
    });

    test('connections, bytes and refusals are told as clients made them', async () => {
      const c = cluster();
      const rowOf = async (name: string): Promise<ServiceTraffic | undefined> => {
        const { stdout } = await fairlead('top', 'services', '-n', space, '-o', 'json');
        return (JSON.parse(stdout) as ServiceTraffic[]).find((row) => row.service === name);
      };
      const before = await rowOf('seen');
      const ip = await c.clusterIp(space, 'seen');
      for (let i = 0; i < transfers; i++)
        assert.equal((await c.sh(space, 'client', `head -c ${size} /dev/zero | timeout 60 nc ${ip} 7 | wc -c`)).trim(), String(size));
      await eventually('they are counted', async () => {
        const now = await rowOf('seen');
        assert.equal(now?.connections, (before?.connections ?? 0) + transfers);
        for (const way of ['received', 'sent'] as const) {
          const bytes = (now[way] ?? 0) - (before?.[way] ?? 0);
          assert.ok(bytes >= transfers * size && bytes <= transfers * size * mostOver, `${bytes} bytes ${way}`);
        }
      });

      const nobody = await c.clusterIp(space, 'nobody');
      const knock = `for i in 1 2 3 4 5; do timeout 5 wget -q -O - http://${nobody}/ 2>&1 | grep -o refused; done`;
      const refused = (await rowOf('nobody'))?.refused ?? 0;
      assert.equal(await c.sh(space, 'client', knock), 'refused\n'.repeat(5));
      assert.equal((await rowOf('nobody'))?.refused, refused + 5);
    });
  });
}
