/** A cluster made on three bare machines by init and join, as an operator would, and taken away again. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { issueCertificate, loadAuthority } from '../../src/x509/authority.ts';
import { certificatesOf } from '../../src/x509/chain.ts';
import { renewCertificate } from '../../src/x509/renew.ts';
import { cannotStartLabs, TestLab } from '../e2e/testing/lab.ts';
import { boxOn } from '../e2e/testing/manifests.ts';
import { Machine } from './machine.ts';

const token = 'abcdef.0123456789abcdef';
const podSubnet = '10.210.0.0/16';
const serviceSubnet = '10.110.0.0/16';

const configuration = (address: string): string => `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens: [{ token: ${token}, ttl: 1h0m0s }]
localAPIEndpoint: { advertiseAddress: ${address} }
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
networking: { podSubnet: ${podSubnet}, serviceSubnet: ${serviceSubnet} }
apiServer: { certSANs: [cluster.example] }
`;

const pki = '/etc/kubernetes/pki';

/** As on the day when the clock has moved on: every certificate that the authority has signed ended a month ago. */
async function endEverything(server: Machine, all: readonly Machine[]): Promise<void> {
  const authority = await loadAuthority({ certPem: await server.sh(`cat ${pki}/ca.crt`), keyPem: await server.sh(`cat ${pki}/ca.key`) });
  const past = Date.now() - 400 * 86_400_000;
  for (const name of ['apiserver', 'apiserver-kubelet-client']) {
    const ended = await renewCertificate(authority, await server.sh(`cat ${pki}/${name}.crt`), past);
    await server.write(`${pki}/${name}.key`, ended.keyPem);
    await server.write(`${pki}/${name}.crt`, ended.certPem);
  }
  for (const name of ['admin', 'super-admin', 'controller-manager', 'scheduler', 'cloud-controller-manager']) {
    const path = `/etc/kubernetes/${name}.conf`;
    const config = JSON.parse(await server.sh(`cat ${path}`));
    const { user } = config.users[0];
    const ended = await renewCertificate(authority, Buffer.from(user['client-certificate-data'], 'base64').toString(), past);
    user['client-certificate-data'] = Buffer.from(ended.certPem).toString('base64');
    user['client-key-data'] = Buffer.from(ended.keyPem).toString('base64');
    await server.write(path, JSON.stringify(config));
  }
  for (const machine of all)
    for (const path of (await machine.sh('ls /var/lib/kubelet/pki/kubelet-*-current.pem')).trim().split('\n')) {
      const [leaf = ''] = certificatesOf(await machine.sh(`cat ${path}`));
      const ended = await renewCertificate(authority, leaf, past);
      await machine.write(path, `${ended.certPem}${ended.keyPem}`);
    }
}

describe('init, join and reset', { skip: cannotStartLabs }, () => {
  let lab: TestLab;
  let [control, one, two]: Machine[] = [];
  const machines = (): [Machine, Machine, Machine] => [control, one, two] as [Machine, Machine, Machine];
  const clean = new Map<string, string[]>();
  let join: string[] = [];
  const config = '/tmp/kubeadm.yaml';

  before(async () => {
    lab = new TestLab({ name: 'join', underlay: '192.168.143.0/24', workers: 2, bare: true });
    await lab.up();
    [control, one, two] = lab.plan.nodes.map(({ name }) => new Machine(lab, name));
    for (const machine of machines()) clean.set(machine.name, await machine.traces());
  });
  after(() => lab[Symbol.asyncDispose]());

  test('a machine that joins too early waits for its control plane, and init goes on wherever it was killed', async () => {
    const [server, early] = machines();
    const joining = early.fairlead(
      'join',
      server.address,
      '--token',
      token,
      '--discovery-token-unsafe-skip-ca-verification',
      '--timeout',
      '2m',
    );
    await server.write(config, configuration(server.address));
    // As who is killed while it writes leaves it.
    await server.sh('mkdir -p /var/lib/fairlead && : >/var/lib/fairlead/sysctls.json');
    await server.killedAfterEach(8, 'init', '--config', config);
    const { joinCommand, steps } = JSON.parse(await server.must('init', '--config', config, '-o', 'json'));
    assert.deepEqual(
      steps.filter((step: { name: string; changed: boolean }) => step.changed && step.name !== 'preflight'),
      [],
    );
    join = joinCommand.split(' ').slice(1);
    const { code, stderr } = await joining;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /Waiting: Cannot reach the control plane/);
    const nodes = await server.kubectl('get', 'nodes', '--no-headers');
    assert.match(nodes, /^control-plane +Ready +control-plane/m);
    assert.match(nodes, /^worker-1 +Ready/m);
  });

  test('who cannot be trusted is not, and a token that has expired opens nothing', async () => {
    const [server, , late] = machines();
    const hash = join.at(-1) ?? '';
    const at = `${server.address}:6443`;
    const refused = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await late.fairlead('join', at, '--timeout', '1s', ...args);
      assert.notEqual(code, 0);
      assert.deepEqual(
        (await late.traces()).filter((line) => line.startsWith('/etc/kubernetes')),
        [],
      );
      return stderr;
    };
    assert.match(await refused('--token', token), /nobody is trusted on first use/);
    const become = ['--token', token, '--discovery-token-ca-cert-hash', hash, '--control-plane'];
    assert.match(
      await refused(...become, '--certificate-key', '0'.repeat(64)),
      /this cluster's store is on one machine[\s\S]*fairlead store copy sqlite:/,
    );
    const wrong = `sha256:${'0'.repeat(64)}`;
    assert.match(
      await refused('--token', token, '--discovery-token-ca-cert-hash', wrong),
      new RegExp(`its authority has the hash ${hash}, which is not the one`),
    );
    assert.match(
      await refused('--token', 'abcdef.fedcba9876543210', '--discovery-token-ca-cert-hash', hash),
      /is not signed with the token "abcdef"/,
    );
    await server.kubectl(
      ...'create secret generic bootstrap-token-past00 -n kube-system --type=bootstrap.kubernetes.io/token'.split(' '),
      ...Object.entries({
        'token-id': 'past00',
        'token-secret': '0123456789abcdef',
        expiration: '2020-01-01T00:00:00Z',
        'usage-bootstrap-signing': 'true',
        'usage-bootstrap-authentication': 'true',
      }).map(([key, value]) => `--from-literal=${key}=${value}`),
    );
    assert.match(
      await refused('--token', 'past00.0123456789abcdef', '--discovery-token-ca-cert-hash', hash),
      /it is unknown there, or has expired/,
    );
  });

  test('what other clusters have left is named, and nothing is touched', async () => {
    const late = machines()[2];
    const left = ['/etc/cni/net.d/05-cilium.conflist', '/var/lib/rancher/k3s/agent.json', '/var/lib/kubelet/kubeadm-flags.env'];
    await late.sh(`for path in ${left.join(' ')}; do mkdir -p $(dirname $path); echo {} >$path; done`);
    const before = await late.traces();
    const { code, stderr } = await late.fairlead(...join, '--timeout', '1s');
    assert.equal(code, 1);
    assert.match(stderr, /ERROR CNIConfig\].*05-cilium.conflist first/);
    assert.match(stderr, /ERROR AnotherKubernetes\].* a node of kubeadm .*, k3s \(/);
    assert.deepEqual(await late.traces(), before);
    await late.sh(`rm -r ${left.join(' ')} /var/lib/rancher`);
  });

  test('a name and an address that another node has are refused', async () => {
    const [, early, late] = machines();
    const named = await late.fairlead(...join, '--node-name', 'worker-1', '--timeout', '1s');
    assert.match(named.stderr, /another machine \(.*\) is the node "worker-1", and it is Ready/);
    const own = await late.sh('cat /etc/machine-id');
    await late.write('/etc/machine-id', await early.sh('cat /etc/machine-id'));
    const cloned = await late.fairlead(...join, '--node-name', 'worker-1', '--timeout', '1s');
    await late.write('/etc/machine-id', own);
    assert.match(cloned.stderr, /another machine \(.*\) is the node "worker-1", and it is Ready/);
    await late.sh(`ip addr add ${early.address}/32 dev eth0`);
    const addressed = await late.fairlead(...join, '--node-ip', early.address);
    await late.sh(`ip addr del ${early.address}/32 dev eth0`);
    assert.match(addressed.stderr, new RegExp(`node "worker-1" has the address ${early.address} already`));
    assert.deepEqual([named.code, cloned.code, addressed.code], [1, 1, 1]);
  });

  test('join goes on wherever it was killed', async () => {
    const [server, , late] = machines();
    await late.sh('ln -s containerd/containerd.sock /run/other.sock');
    await late.killedAfterEach(6, ...join, '--cri-socket', 'unix:///run/other.sock');
    assert.match(await server.kubectl('get', 'node', 'worker-2', '--no-headers'), / Ready /);
    for (const machine of machines()) await machine.must('doctor');
  });

  test('a machine whose certificate has ended gets another by the same line, or by init', async () => {
    const [server, , late] = machines();
    const [certPem, keyPem] = [await server.sh('cat /etc/kubernetes/pki/ca.crt'), await server.sh('cat /etc/kubernetes/pki/ca.key')];
    const authority = await loadAuthority({ certPem, keyPem });
    const path = '/var/lib/kubelet/pki/kubelet-client-current.pem';
    for (const [machine, ...again] of [
      [late, ...join],
      // The file says the ranges; the cluster has them by now.
      [server, 'init'],
    ] as const) {
      const request = { commonName: `system:node:${machine.name}`, organizations: ['system:nodes'], usages: ['client'] } as const;
      const ended = await issueCertificate(authority, request, Date.now() - 400 * 86_400_000);
      await machine.write(path, `${ended.certPem}${ended.keyPem}`);
      // As after a boot: the agent has read no other.
      await machine.sh('kill -9 $(cat /proc/$(cat /run/fairlead/agent.pid)/task/*/children)');
      const { code, stdout } = await machine.fairlead('doctor');
      assert.equal(code, 1, stdout);
      assert.match(stdout, /kubelet-client-current ended on [\s\S]*fairlead token create --print-join-command/);
      const agent = await machine.sh('cat /etc/fairlead/agent.env');
      await machine.sh('hostname elsewhere');
      if (again[0] === 'init')
        assert.match(
          (await machine.fairlead('init', '--service-cidr', '10.96.0.0/16')).stderr,
          /as --service-cidr .* has 10\.110\.0\.0\/16/,
        );
      await machine.must(...again);
      await machine.sh(`hostname ${machine.name}`);
      assert.equal(await machine.sh('cat /etc/fairlead/agent.env'), agent, 'the node is what it was');
      assert.notEqual(await machine.sh(`cat ${path}`), `${ended.certPem}${ended.keyPem}`);
      await eventually(() => machine.must('doctor'));
    }
  });

  test('a cluster of which everything but the authority has ended comes back by certs renew, init and the same join', async () => {
    const [server, ...workers] = machines();
    await endEverything(server, machines());
    const restart = (machine: Machine, name: string): Promise<string> =>
      machine.sh(`kill -9 $(cat /proc/$(cat /run/fairlead/${name}.pid)/task/*/children)`);
    await restart(server, 'server');
    for (const machine of machines()) await restart(machine, 'agent');
    await eventually('nobody is served any more', () =>
      assert.rejects(server.kubectl('get', 'nodes', '--request-timeout=5s'), /expired|[Uu]nauthorized/),
    );
    const { code, stdout } = await server.fairlead('certs', 'check');
    assert.equal(code, 1);
    for (const name of ['apiserver', 'apiserver-kubelet-client', 'admin.conf', 'scheduler.conf', 'kubelet-client-current'])
      assert.match(stdout, new RegExp(`^${name} .* <invalid> `, 'm'));
    assert.match((await server.fairlead('init')).stderr, /it ended on [\s\S]*fairlead certs renew; then this command again/);
    await server.must('certs', 'renew');
    await restart(server, 'server');
    await server.must('init');
    for (const worker of workers) await worker.must(...join);
    await server.kubectl('wait', '--for=condition=Ready', 'node', '--all', '--timeout=60s');
    for (const machine of machines()) await eventually(`doctor finds ${machine.name} well`, () => machine.must('doctor'));
  });

  test('what is left of a kubelet whose files somebody has removed is named, and made anew', async () => {
    const [server, , late] = machines();
    for (const [machine, ...again] of [
      [late, ...join],
      [server, 'init', '--config', config],
    ] as const) {
      await machine.sh('rm -r /var/lib/kubelet/pki');
      const cure = /kubelet-client-current\.pem'\n[\s\S]*: rm \/etc\/kubernetes\/kubelet\.conf/;
      assert.match((await machine.fairlead(...again)).stderr, cure);
      const { code, stdout } = await machine.fairlead('doctor');
      assert.deepEqual([code, / control plane: .* \[Credential\]/.test(stdout)], [1, true], stdout);
      await machine.sh('rm /etc/kubernetes/kubelet.conf');
      await machine.must(...again);
      await eventually(() => machine.must('doctor'));
    }
  });

  test('a pod on a worker is reached by its Service from every machine, also after the mode was changed by one edit', async () => {
    const [server] = machines();
    await server.write('/tmp/box.yaml', boxOn('nodeName: worker-1'));
    await server.kubectl('apply', '-f', '/tmp/box.yaml');
    await server.kubectl('wait', '--for=condition=Ready', 'pod/box', '--timeout=180s');
    assert.match(await server.kubectl('get', 'pod', 'box', '-o', 'jsonpath={.status.podIP}'), /^10\.210\./);
    const ip = await server.kubectl('get', 'service', 'box', '-o', 'jsonpath={.spec.clusterIP}');
    assert.match(ip, /^10\.110\./);
    await eventually('the log through the API server, which checks the certificate of the kubelet', () => server.kubectl('logs', 'box'));
    // The machines have a route for the lab's own range of Services alone.
    for (const machine of machines()) await machine.sh(`ip route replace ${serviceSubnet} dev eth0`);
    const answers = async (): Promise<void> => {
      for (const machine of machines())
        await eventually(`an answer on ${machine.name}`, async () =>
          assert.match(await machine.sh(`timeout 3 busybox wget -qO- http://${ip}`), /pod=box/),
        );
    };
    await answers();
    const map = JSON.parse(await server.kubectl('get', 'configmap', 'kube-proxy', '-n', 'kube-system', '-o', 'json'));
    const text = map.data['config.conf'].replace('mode: nftables', 'mode: userspace');
    const patch = JSON.stringify({ data: { 'config.conf': text } });
    await server.kubectl('patch', 'configmap', 'kube-proxy', '-n', 'kube-system', '--type', 'merge', '-p', patch);
    for (const machine of machines())
      await eventually(`the other mode on ${machine.name}`, async () => {
        assert.equal((await machine.sh('busybox wget -qO- http://127.0.0.1:10249/proxyMode')).trim(), 'userspace');
      });
    await answers();
    for (const machine of machines()) await machine.sh(`ip route del ${serviceSubnet} dev eth0`);
  });

  test('another network backend is taken over by all nodes, while pods go on being reached', async () => {
    const [server] = machines();
    const box = await server.kubectl('get', 'pod', 'box', '-o', 'jsonpath={.status.podIP}');
    for (const [backend, link] of [
      ['host-gw', 'eth0'],
      ['vxlan', 'flannel.1'],
    ] as const) {
      await server.must('init', '--config', config, '--network-backend', backend);
      for (const machine of machines()) {
        await eventually(`${machine.name} goes by ${link}`, async () => {
          const links = [...(await machine.sh('ip route')).matchAll(/ dev (\S+) proto 70/g)].map(([, name]) => name);
          assert.deepEqual(links, [link, link]);
        });
        await eventually(`an answer on ${machine.name}`, () => machine.sh(`timeout 3 busybox wget -qO- http://${box}:8080`));
      }
      for (const machine of machines()) {
        const devices = async (): Promise<string | undefined> => (await machine.sh('ip -br link show type vxlan')).split(/[@\s]/)[0];
        await eventually(`the devices of ${machine.name}`, async () => assert.equal(await devices(), link === 'eth0' ? '' : link));
        // The bridge has its MTU a moment before subnet.env says so.
        await eventually(`doctor finds ${machine.name} well`, () => machine.must('doctor'));
      }
    }
  });

  test('reset leaves nothing, goes on wherever it was killed, and can be run again', async () => {
    const [, , last] = machines();
    await last.killedAfterEach(7, 'reset', '--force');
    const reset = async (machine: Machine): Promise<void> => {
      await machine.must('reset', '--force');
      assert.deepEqual(await machine.traces(), clean.get(machine.name), machine.name);
      const { steps } = JSON.parse(await machine.must('reset', '--force', '-o', 'json'));
      assert.deepEqual(
        steps.filter((step: { name: string; changed: boolean }) => step.changed).map((step: { name: string }) => step.name),
        ['network'],
      );
    };
    await Promise.all(machines().map(reset));
  });
});
