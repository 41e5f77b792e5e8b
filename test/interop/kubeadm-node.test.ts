/**
 * `kubeadm join` of a machine with the kubelet of Kubernetes, as its manual has it, into a cluster that `fairlead init` made: the machine is a bare
 * node of a lab with Debian's containerd; pod network and service proxy on it are ours.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { cannotStartLabs, TestLab } from '../e2e/testing/lab.ts';
import { boxOn } from '../e2e/testing/manifests.ts';
import { Machine } from '../setup/machine.ts';
import { kernelStandIns } from './testing/kubelet.ts';
import { findProgram, lacksProgram, startOnNode } from './testing/programs.ts';

const ownProgram = '/opt/fairlead/src/main/fairlead.sh';
const node = 'worker-1';
const podCidr = '10.210.0.0/16';
const serviceCidr = '10.110.0.0/16';

/** What a machine of a test may be, and a kubelet else refuses: kubeadm lays it over the cluster's settings. */
const patch = `failCgroupV1: false
failSwapOn: false
evictionHard: { nodefs.available: "0%", imagefs.available: "0%", nodefs.inodesFree: "0%" }
`;

/** What the unit of kubeadm's package does: it starts when kubeadm has written its settings, and is started again when it ends. */
const kubeletUnit = `while sleep 0.2; do
  [ -e /var/lib/kubelet/kubeadm-flags.env ] || continue
  . /var/lib/kubelet/kubeadm-flags.env
  kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf \\
    --config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS
done`;

const skip = cannotStartLabs || lacksProgram('kubeadm', 'kubelet');

describe('a machine with the kubelet of Kubernetes', { skip }, () => {
  let lab: TestLab;
  let server: Machine;
  let machine: Machine;

  before(async () => {
    lab = new TestLab({ name: 'kjn', underlay: '192.168.157.0/24', workers: 1, bare: true });
    await lab.up();
    [server, machine] = lab.plan.nodes.map(({ name }) => new Machine(lab, name)) as [Machine, Machine];
  });
  after(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  const logOf = async (name: string): Promise<string> => (await readFile(lab.logOf(node, `${name}.log`), 'utf8')).slice(-3000);
  const get = (...args: string[]): Promise<string> => server.kubectl('get', ...args);

  test('joins by kubeadm, with all that kubeadm waits for', async () => {
    const { joinCommand } = JSON.parse(
      await server.must('init', '--pod-network-cidr', podCidr, '--service-cidr', serviceCidr, '-o', 'json'),
    );
    const kubelet = findProgram('kubelet') ?? '';
    await machine.sh(`${kernelStandIns}\nmkdir -p /run/patches; ln -sf ${kubelet} /usr/bin/kubelet`);
    await machine.write('/run/patches/kubeletconfiguration0+merge.yaml', patch);
    startOnNode(lab, node, 'kubelet', ['-c', kubeletUnit], '/bin/sh');
    const join = [
      findProgram('kubeadm') ?? '',
      ...joinCommand.split(' ').slice(1),
      '--patches',
      '/run/patches',
      '--ignore-preflight-errors',
      'SystemVerification,KubeletVersion',
    ];
    const { code, stdout, stderr } = await lab.run(node, join, { timeoutMs: 300_000 });
    assert.equal(code, 0, `${stdout}${stderr}${await logOf('kubelet')}`);
    assert.match(stdout, /This node has joined the cluster/);
  });

  test('becomes Ready when it has the pod network, with the labels, the range and the taints of any node', async () => {
    const common = ['--kubeconfig=/etc/kubernetes/kubelet.conf', `--cluster-cidr=${podCidr}`];
    for (const part of ['net-agent', 'proxy']) startOnNode(lab, node, part, [part, ...common], ownProgram);
    await eventually(
      'a Ready node',
      async () => assert.match(await get('node', node, '--no-headers'), /^worker-1 +Ready +<none>/, await logOf('kubelet')),
      { timeoutMs: 120_000 },
    );
    const { metadata, spec, status } = JSON.parse(await get('node', node, '-o', 'json'));
    assert.deepEqual([metadata.labels['kubernetes.io/hostname'], metadata.labels['kubernetes.io/os']], [node, 'linux']);
    assert.match(spec.podCIDR, /^10\.210\.\d+\.0\/24$/);
    await eventually('no taint', async () => assert.equal(await get('node', node, '-o', 'jsonpath={.spec.taints}'), ''));
    assert.equal(status.addresses.find(({ type }: { type: string }) => type === 'InternalIP').address, machine.address);
    assert.doesNotMatch(status.nodeInfo.kubeletVersion, /fairlead/);
  });

  test('has its certificates by requests that were approved and signed', async () => {
    const requests = await eventually('both requests', async () => {
      const { items } = JSON.parse(await get('csr', '-o', 'json'));
      const own = items.filter(({ spec }: { spec: { username: string } }) => /^system:(bootstrap:|node:worker-1$)/.test(spec.username));
      const signed = own.filter(({ status }: { status: { certificate?: string } }) => status.certificate !== undefined);
      const signers: string[] = signed.map(({ spec }: { spec: { signerName: string } }) => spec.signerName);
      assert.ok(signers.includes('kubernetes.io/kubelet-serving'), signers.join());
      return signers;
    });
    assert.ok(requests.includes('kubernetes.io/kube-apiserver-client-kubelet'));
  });

  test('runs a pod, whose log the API server reads and which its Service reaches from both machines', async () => {
    await server.write('/tmp/box.yaml', boxOn(`nodeSelector: { kubernetes.io/hostname: ${node} }`));
    await server.kubectl('apply', '-f', '/tmp/box.yaml');
    await server.kubectl('wait', '--for=condition=Ready', 'pod/box', '--timeout=180s');
    await eventually('its log', async () => assert.match(await server.kubectl('logs', 'box'), /pod=box/));
    assert.equal(await server.kubectl('exec', 'box', '--', 'hostname'), 'box\n');
    const ip = await get('service', 'box', '-o', 'jsonpath={.spec.clusterIP}');
    for (const one of [server, machine]) {
      await one.sh(`ip route replace ${serviceCidr} dev eth0`);
      await eventually(`an answer on ${one.name}`, async () =>
        assert.match(await one.sh(`timeout 3 busybox wget -qO- http://${ip}`), /pod=box/),
      );
    }
  });

  test('was refused nothing since it has its certificate', async () => {
    const log = await readFile(lab.logOf(node, 'kubelet.log'), 'utf8');
    const since = log.slice(Math.max(log.indexOf('Successfully registered node'), 0));
    assert.deepEqual(
      since.split('\n').filter((line) => /forbidden|Unauthorized|could not find the requested/.test(line)),
      [],
    );
  });
});
