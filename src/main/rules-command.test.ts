/** `fairlead rules` on manifests: a process, without root and without a cluster. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';

const scenario = new URL('../../rules/scenarios/web/', import.meta.url).pathname;
const files = ['-f', `${scenario}objects.yaml`, '-f', `${scenario}cluster.yaml`];
const node = ['--node', 'node1', '--node-ip', '192.168.120.11', '--cluster-cidr', '10.244.0.0/16', '--service-cidr', '10.96.0.0/16'];

function rules(words: readonly string[], input = ''): { code: number | null; stdout: string; stderr: string } {
  const env = { ...process.env, KUBECONFIG: '', HOME: '/nonexistent' };
  const file = new URL('./fairlead.ts', import.meta.url).pathname;
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, 'rules', ...words], { encoding: 'utf8', env, input });
  return { code: status, stdout, stderr };
}

describe('fairlead rules render', () => {
  for (const [mode, golden] of [
    ['nftables', 'nftables.nft'],
    ['iptables', 'iptables.rules'],
    ['ipvs', 'ipvs.txt'],
  ] as const)
    test(`prints the golden file of mode ${mode}`, (t) => {
      // Its own preset for node ports is another in each mode, and golden files are without the rules that count.
      const dir = mkdtempSync(join(tmpdir(), 'rules-'));
      t.after(() => rmSync(dir, { recursive: true }));
      const file = join(dir, 'config.yaml');
      writeFileSync(
        file,
        'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nnodePortAddresses: [primary]\nfairlead: { serviceCounters: false }\n',
      );
      const { code, stdout, stderr } = rules(['render', ...files, ...node, '--mode', mode, '--config', file]);
      assert.equal(stderr, '');
      assert.equal(stdout, readFileSync(`${scenario}${golden}`, 'utf8'));
      assert.equal(code, 0);
    });

  test('takes more files behind the first, standard input, and tells programs', () => {
    const cluster = readFileSync(`${scenario}cluster.yaml`, 'utf8');
    const { stdout } = rules(['render', '-f', `${scenario}objects.yaml`, '-', ...node, '-o', 'json'], cluster);
    const [first] = JSON.parse(stdout) as { mode: string; family: string; rules: { sets: { name: string; elements: object }[] } }[];
    assert.deepEqual([first?.mode, first?.family], ['nftables', 'ip']);
    const services = first?.rules.sets.find(({ name }) => name === 'services')?.elements;
    assert.deepEqual(services, { '10.96.0.100 . tcp . 80': 'goto lb-3', '10.96.0.101 . tcp . 80': 'goto lb-3' });
  });

  test('derives endpoints from pods where there are no slices, and says so', () => {
    const pods = ['10.244.1.2', '10.244.1.3'].map((podIP, i) => ({
      kind: 'Pod',
      metadata: { name: `web-${i}`, labels: { app: 'web' } },
      status: { podIP, phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
    }));
    const spec = { clusterIP: '10.96.0.10', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] };
    const items = [{ kind: 'Service', metadata: { name: 'web' }, spec }, ...pods];
    const { code, stdout, stderr } = rules(['render', '-f', '-', ...node], JSON.stringify({ kind: 'List', items }));
    assert.deepEqual([code, stderr], [0, 'note: endpoints derived from Pods: default/web: 10.244.1.2, 10.244.1.3\n']);
    assert.match(stdout, /10\.96\.0\.10 \. tcp \. 80 \. 131073 : 10\.244\.1\.3 \. 8080/);
  });

  test('prints both families of a node that has both, or the one that is asked for', () => {
    const both = [...files, '--node', 'node1', '--cluster-cidr', '10.244.0.0/16,fd00:10:244::/48'];
    assert.match(rules(['render', ...both]).stdout, /^# IPv4\ntable ip kube-proxy .*\n# IPv6\ntable ip6 kube-proxy /s);
    assert.match(rules(['render', ...both, '--family', 'ipv6']).stdout, /^table ip6 kube-proxy /);
  });

  test('says of a Service what it lacks, and of a cluster how to reach it', () => {
    assert.match(rules(['render', '-f', `${scenario}objects.yaml`]).stderr, /note: Service default\/web has no rules: it has no clusterIP/);
    const { code, stderr } = rules(['render', '--proxy-metrics-address', '127.0.0.1:1']);
    assert.equal(code, 2);
    assert.match(stderr, /^Error: Cannot read the cluster: no kubeconfig is given\n {2}next: --kubeconfig FILE/);
  });

  test('wants a Node that is there', () => {
    const nodes = 'kind: NodeList\nitems: [{ kind: Node, metadata: { name: a } }, { kind: Node, metadata: { name: b } }]';
    const { code, stderr } = rules(['render', '-f', '-', '--node', 'c'], nodes);
    assert.equal(code, 2);
    assert.match(stderr, /^Error: Cannot find node "c" among the Nodes\n {2}next: --node NAME, one of a, b\n/);
  });
});

describe('fairlead rules show', () => {
  test("prints one Service's rules alone, each behind what it is for", () => {
    const { stdout } = rules(['show', 'svc/web', ...files, ...node]);
    assert.match(
      stdout,
      /^# Service default\/web, IPv4\n# its cluster IP: .*\nnft add element ip kube-proxy cluster-ips \{ 10\.96\.0\.100 \}\n/,
    );
    assert.doesNotMatch(stdout, /10\.96\.0\.101|30080/);
  });

  test('says why there are none', () =>
    assert.equal(
      rules(['show', 'svc/web-headless', ...files, ...node]).stdout,
      '# Service default/web-headless has no rules: it is headless\n',
    ));

  test('helps who mistypes', () => {
    const { code, stderr } = rules(['show', 'svc/wep', ...files, ...node]);
    assert.equal(code, 2);
    assert.match(stderr, /Cannot find Service "wep" in namespace "default"\n {2}next: Did you mean svc\/web\?\n/);
  });
});
