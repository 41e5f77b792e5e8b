/** What every mode keeps, for its own tests: `modeConformance('x', async () => …)`. What its rules do to packets is in `rules/`. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EndpointSlice, Service } from '../../../api/schema/types.ts';
import { tableFamilies } from '../../../linux/nftables/table.ts';
import { algorithmAnnotation } from '../../plan/algorithm.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import { Planner } from '../../plan/planner.ts';
import { sampleNode } from '../../testing/sample-node.ts';
import type { Mode, ModeRules } from '../mode.ts';

/** A kernel of its own for one test, without rules. */
export interface Bench extends AsyncDisposable {
  /** Another proxy on the same kernel. */
  mode(): Mode;
  /** All rules of both families, as text that is the same for the same rules. */
  rules(): Promise<string>;
  /** Somebody else takes away a part of the rules. */
  damage(): Promise<void>;
}

const node: NodeContext = { ...sampleNode, countsConnections: true };

function service(name: string, clusterIP: string, spec: Partial<NonNullable<Service['spec']>> = {}): Service {
  const ports = [{ port: 80, nodePort: 30_000 + Number(clusterIP.split('.')[3]) }];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'n' },
    spec: { type: 'LoadBalancer', clusterIP, externalIPs: ['198.51.100.1'], ports, ...spec },
  };
}

function slice(ips: readonly string[]): EndpointSlice {
  const endpoints = ips.map((ip) => ({ addresses: [ip], nodeName: 'node1' }));
  return {
    apiVersion: 'v1',
    kind: 'EndpointSlice',
    metadata: { name: 's' },
    addressType: ips[0]?.includes(':') ? 'IPv6' : 'IPv4',
    ports: [{ name: '', port: 8080 }],
    endpoints,
  };
}

/** A proxy: what Services mean, and the rules of a mode. */
class Rules {
  readonly #planner: Planner;
  readonly rules: ModeRules;

  constructor(rules: ModeRules, mode: Mode, context: NodeContext = node) {
    this.rules = rules;
    this.#planner = new Planner(context, mode.algorithms);
  }

  put(s: Service, ips: readonly string[] | undefined): void {
    this.#planner.put(`n/${s.metadata.name}`, ips && s, ips ? [slice(ips)] : []);
    for (const [key, { after }] of this.#planner.take()) this.rules.put(key, after);
  }
}

const sixth = service('six', 'fd00:10:96::1', { externalIPs: [], ports: [{ port: 80 }] });
const nodeOfIpv6: NodeContext = {
  ...node,
  family: 'ip6',
  local: { mode: 'None' },
  nodePortIps: ['fd00::11'],
  serviceCidrs: ['fd00:10:96::/112'],
  nodeIps: ['fd00::11'],
};
const web = service('web', '10.96.0.1', { sessionAffinity: 'ClientIP' });
const dns = service('dns', '10.96.0.2', { externalTrafficPolicy: 'Local', externalIPs: [], ports: [{ port: 53, protocol: 'UDP' }] });
const three = ['10.244.1.2', '10.244.1.3', '10.244.2.2'];

async function filled(mode: Mode, context: NodeContext = node): Promise<Rules> {
  await mode.probe();
  const rules = new Rules(await mode.open(context), mode, context);
  rules.put(web, three);
  rules.put(dns, three.slice(0, 1));
  return rules;
}

export function modeConformance(name: string, open: () => Promise<Bench>, skip: string | false = false): void {
  describe(`mode ${name}`, { skip, concurrency: false }, () => {
    test('writes everything at first, and nothing when nothing changed', async () => {
      await using bench = await open();
      const { rules } = await filled(bench.mode());
      const { full, steps } = await rules.sync();
      assert.ok(full && steps > 0);
      assert.deepEqual(await rules.sync(), { full: false, steps: 0 });
    });

    test('comes by changes to what it would have written at first', async () => {
      await using bench = await open();
      const proxy = await filled(bench.mode());
      await proxy.rules.sync();
      for (const ips of [[], ['10.244.1.9'], three.slice(1), three]) {
        proxy.put(web, ips);
        proxy.put(dns, ips.length === 1 ? undefined : three.slice(0, 1));
        assert.equal((await proxy.rules.sync()).full, false);
      }
      proxy.rules.distrust();
      assert.deepEqual(await proxy.rules.sync(), { full: true, steps: 0 });
    });

    test('keeps each of its algorithms over changes and a restart', async () => {
      await using bench = await open();
      const mode = bench.mode();
      const proxy = await filled(mode);
      for (const algorithm of mode.algorithms) {
        const asking = { ...web, metadata: { ...web.metadata, annotations: { [algorithmAnnotation]: algorithm } } };
        for (const ips of [three, three.slice(1), ['10.244.1.9', ...three]]) {
          proxy.put(asking, ips);
          await proxy.rules.sync();
        }
        proxy.rules.distrust();
        assert.deepEqual(await proxy.rules.sync(), { full: true, steps: 0 }, algorithm);
        const before = await bench.rules();
        const restarted = bench.mode();
        await restarted.probe();
        const again = new Rules(await restarted.open(node), restarted);
        again.put(asking, ['10.244.1.9', ...three]);
        again.put(dns, three.slice(0, 1));
        assert.deepEqual(await again.rules.sync(), { full: true, steps: 0 }, algorithm);
        assert.equal(await bench.rules(), before);
        restarted.close();
      }
      mode.close();
    });

    test('leaves no trace of a Service that is gone', async () => {
      await using bench = await open();
      const mode = bench.mode();
      await mode.probe();
      const proxy = new Rules(await mode.open(node), mode);
      await proxy.rules.sync();
      const empty = await bench.rules();
      proxy.put(web, three);
      proxy.put(dns, three);
      await proxy.rules.sync();
      assert.notEqual(await bench.rules(), empty);
      proxy.put(web, undefined);
      proxy.put(dns, undefined);
      await proxy.rules.sync();
      assert.equal(await bench.rules(), empty);
    });

    test('gives a frontend from one Service to another', async () => {
      await using bench = await open();
      const proxy = await filled(bench.mode());
      proxy.put(service('young', '10.96.0.3'), ['10.244.2.9']);
      await proxy.rules.sync();
      assert.doesNotMatch(await bench.rules(), /198\.51\.100\.1.*10\.244\.2\.9/);
      proxy.put(web, undefined);
      await proxy.rules.sync();
      proxy.rules.distrust();
      assert.deepEqual(await proxy.rules.sync(), { full: true, steps: 0 });
      assert.match(await bench.rules(), /198\.51\.100\.1/);
    });

    test('changes nothing when it starts again over its own rules, whatever their past', async () => {
      await using bench = await open();
      const proxy = await filled(bench.mode());
      proxy.put(web, ['10.244.1.3', ...three.slice(2), '10.244.1.7']);
      await proxy.rules.sync();
      const before = await bench.rules();
      const again = await filled(bench.mode());
      again.put(web, ['10.244.1.7', ...three.slice(1)]);
      assert.deepEqual(await again.rules.sync(), { full: true, steps: 0 });
      assert.equal(await bench.rules(), before);
    });

    test('puts back what somebody took away, when it looks', async () => {
      await using bench = await open();
      const mode = bench.mode();
      const { rules } = await filled(mode);
      await rules.sync();
      const before = await bench.rules();
      await bench.damage();
      assert.notEqual(await bench.rules(), before);
      await mode.verify();
      assert.ok((await rules.sync()).steps > 0);
      assert.equal(await bench.rules(), before);
    });

    test('does not look again at what nobody touched', async () => {
      await using bench = await open();
      const mode = bench.mode();
      const { rules } = await filled(mode);
      await rules.sync();
      await mode.verify();
      assert.deepEqual(await rules.sync(), { full: false, steps: 0 });
    });

    test('follows a node that changed, once Services are put again', async () => {
      await using bench = await open();
      const moved: NodeContext = { ...node, nodePortIps: ['192.168.120.99'], serviceCidrs: ['10.96.0.0/16', '10.97.0.0/16'] };
      const mode = bench.mode();
      const { rules } = await filled(mode);
      await rules.sync();
      rules.reset(moved);
      const proxy = new Rules(rules, mode, moved);
      proxy.put(web, three);
      proxy.put(dns, three.slice(0, 1));
      await rules.sync();
      const changed = await bench.rules();
      await using other = await open();
      await (await filled(other.mode(), moved)).rules.sync();
      assert.equal(changed, await other.rules());
    });

    test('takes all of its rules away, also when there are none', async () => {
      await using bench = await open();
      const mode = bench.mode();
      const none = await bench.rules();
      const { rules } = await filled(mode);
      await rules.sync();
      await mode.cleanUp();
      assert.equal(await bench.rules(), none);
      await mode.cleanUp();
    });

    for (const first of tableFamilies)
      test(`takes away the rules of family "${first}" alone`, async () => {
        await using bench = await open();
        const mode = bench.mode();
        const four = await filled(mode);
        const six = new Rules(await mode.open(nodeOfIpv6), mode, nodeOfIpv6);
        six.put(sixth, ['fd00:10:244::2']);
        for (const { rules } of [four, six]) await rules.sync();
        const own = { ip: web.spec?.clusterIP ?? '', ip6: sixth.spec?.clusterIP ?? '' };
        const held = async (): Promise<boolean[]> => {
          const text = await bench.rules();
          return tableFamilies.map((family) => text.includes(own[family]));
        };
        assert.deepEqual(await held(), [true, true]);
        mode.close();
        const other = first === 'ip' ? 'ip6' : 'ip';
        // By another proxy, which knows of neither.
        const next = bench.mode();
        await next.probe();
        await next.cleanUp([first]);
        assert.deepEqual(await held(), [other === 'ip', other === 'ip6']);
        await next.cleanUp([other]);
        assert.deepEqual(await held(), [false, false]);
      });
  });
}
