/**
 * A cluster of three machines, each with a kernel, a disk and a clock of its own, made by init and join; and what befalls machines. One boot,
 * then the tests in their order: each leaves the cluster whole.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { messageOf } from '../../src/errors/known-error.ts';
import { hold } from '../vagrant/held-connection.ts';
import { answers, Cluster, clusterIp, curl, dig, nodePort, patience, roundRobin } from './cluster.ts';
import type { Machine } from './machine.ts';
import { type Machines, makeMachines, prepareMachines } from './machines.ts';

const token = 'abcdef.0123456789abcdef';
/** Of those who are there before the authority is. */
const early = ['--token', token, '--discovery-token-unsafe-skip-ca-verification', '--timeout', '4m'];
const init = (scheduler: string): string[] => [
  'init',
  '--token',
  token,
  '--proxy-mode',
  'ipvs',
  '--ipvs-scheduler',
  scheduler,
  '--address-pools',
  '192.168.56.200-192.168.56.239',
  '--timeout',
  '4m',
];

const guest = await prepareMachines().catch((err: unknown) => messageOf(err));
const skip = typeof guest === 'string' ? `no machines with kernels of their own here: ${guest}` : false;

describe('three machines with kernels of their own', { skip, concurrency: false }, () => {
  let dir = '';
  let machines: Machines;
  let cluster: Cluster;
  /** As init printed it. */
  let joinWords: string[] = [];
  let [server, one, two]: Machine[] = [];
  const all = (): [Machine, Machine, Machine] => [server, one, two] as [Machine, Machine, Machine];
  const url = (machine: Machine): string => `http://${machine.address}:${nodePort.http}/`;

  /** The one of them that answers for the address, as this side has heard. */
  async function announced(address: string, among: readonly Machine[]): Promise<Machine> {
    return await eventually(
      `one of ${among.map(({ name }) => name).join(', ')} answers for ${address}`,
      async () => {
        const mac = await machines.segment.neighbour(address);
        const found = among.find((machine) => machine.mac === mac);
        assert.ok(found, `it is at ${mac}`);
        return found;
      },
      patience,
    );
  }

  before(async () => {
    assert.ok(typeof guest !== 'string');
    dir = await mkdtemp(join(tmpdir(), 'fl-kernels-'));
    machines = await makeMachines(guest, dir);
    [server, one, two] = machines.all;
    await Promise.all(all().map((machine) => machine.boot()));
  });
  afterEach(async (t) => {
    if ('passed' in t && !t.passed) process.stderr.write((await Promise.all(all().map((machine) => machine.tails()))).join(''));
  });
  after(async () => {
    cluster?.close();
    await machines?.[Symbol.asyncDispose]();
    if (dir !== '') await rm(dir, { recursive: true, force: true });
  });

  test('init makes one the control plane, and the others join by a token', async () => {
    const [control, ...workers] = all();
    // They wait for the control plane.
    const joining = workers.map((worker) => worker.must('join', control.address, ...early));
    const [said] = await Promise.all([control.must(...init('rr'), '-o', 'json'), ...joining]);
    joinWords = JSON.parse(said).joinCommand.split(' ').slice(1);
    const kubeconfig = join(dir, 'admin.conf');
    await writeFile(kubeconfig, await control.sh('cat /etc/kubernetes/admin.conf'), { mode: 0o600 });
    cluster = await Cluster.open(kubeconfig);
    const found = await Promise.all(all().map(({ name }) => cluster.nodeIs(name, 'Ready', 'True')));
    assert.equal(new Set(found.map(({ status }) => status?.nodeInfo?.bootID)).size, 3, 'each has a kernel of its own');
  });

  test('mode ipvs: ClusterIPs, node ports and names from beside the nodes; a connection lives on while the scheduler changes', async () => {
    const [control, worker] = all();
    await cluster.deployBox(3);
    await cluster.boxesReady(3);
    for (const machine of all()) await roundRobin(url(machine), 3);
    await roundRobin(`http://${clusterIp}/`, 3);
    assert.equal(await dig('box.default.svc.cluster.local'), clusterIp);
    assert.match(await worker.sh('ipvsadm -Ln'), /TCP {2}10\.96\.0\.80:80 rr\n(?: {2}-> 10\.244\.\d+\.\d+:8080 .*\n){3}/);
    const held = await hold(worker.address, nodePort.echo);
    try {
      await control.must(...init('sh'));
      await eventually('one client has one pod', async () => assert.equal(new Set(await answers(url(worker), 6)).size, 1), patience);
      await control.must(...init('rr'));
      await roundRobin(url(worker), 3);
      assert.equal(await held.echo('still here'), 'still here');
    } finally {
      held.end();
    }
  });

  test('a node that is rebooted comes back with its pods', async () => {
    const [, worker, other] = all();
    const { status: before } = await cluster.node(worker.name);
    await worker.shutDown();
    // Rules of the others still lead to its pods, until it is missed.
    await worker.boot();
    await cluster.nodeIs(worker.name, 'Ready', 'True', ({ status }) => status?.nodeInfo?.bootID !== before?.nodeInfo?.bootID);
    await cluster.boxesReady(3);
    for (const machine of [worker, other]) await roundRobin(url(machine), 3);
  });

  test('a load balancer answers at its address, by one node, keeps out whom it is told to, and keeps the address of the client', async () => {
    const [, ...workers] = all();
    const address = await cluster.balance('balanced');
    await roundRobin(`http://${address}/`, 3);
    await announced(address, workers);
    await cluster.changeService('balanced', { loadBalancerSourceRanges: ['203.0.113.0/24'] });
    await eventually('it is closed', () => assert.rejects(curl(`http://${address}/`, '--max-time', '1')), patience);
    await cluster.changeService('balanced', { loadBalancerSourceRanges: ['192.168.56.1/32'], externalTrafficPolicy: 'Local' });
    await eventually(
      'it is open to this client, whose address the pods see',
      async () => assert.match(await curl(`http://${address}/cgi-bin/client`), /\b192\.168\.56\.1\b/),
      patience,
    );
    const teller = await announced(address, workers);
    assert.match(await curl(`http://${address}/`), new RegExp(`node=${teller.name}`));
    await cluster.changeService('balanced', { externalTrafficPolicy: 'Cluster' });
    await roundRobin(`http://${address}/`, 3);
  });

  test('a node that loses its power is missed and gets no traffic; another machine takes its name, and its pods', async () => {
    const [, ...workers] = all();
    const address = await cluster.balance('lost');
    await roundRobin(`http://${address}/`, 3);
    const lost = await announced(address, workers);
    const worker = workers.find((one) => one !== lost) as Machine;
    await lost.cutPower();
    // Long before the node is missed; connections to its pods are lost until then.
    await announced(address, [worker]);
    await eventually('the address answers', () => curl(`http://${address}/`), patience);
    await cluster.nodeIs(lost.name, 'Ready', 'Unknown');
    const there = (await cluster.pods()).filter(({ spec }) => spec?.nodeName !== lost.name).length;
    assert.ok(there > 0 && there < 3, `${there} of 3 pods are on the other worker`);
    await roundRobin(url(worker), there);
    const { status: before } = await cluster.node(lost.name);
    await lost.newDisk();
    await lost.boot();
    await lost.must(...joinWords, '--timeout', '4m');
    await cluster.nodeIs(lost.name, 'Ready', 'True', ({ status }) => status?.nodeInfo?.machineID !== before?.nodeInfo?.machineID);
    await cluster.boxesReady(3);
    for (const machine of [worker, lost]) await roundRobin(url(machine), 3);
  });

  test('while the control plane is off Services go on; what it had acknowledged when its power was cut is there', async () => {
    const [control, worker, other] = all();
    await cluster.expose('last', '10.96.0.81');
    await control.cutPower();
    await machines.segment.route('10.96.0.0/16', worker.address);
    await roundRobin(url(worker), 3);
    assert.equal(await dig('box.default.svc.cluster.local'), clusterIp);
    await control.boot();
    for (const { name } of all()) await cluster.nodeIs(name, 'Ready', 'True');
    await cluster.expose('first', '10.96.0.82');
    for (const machine of [control, worker, other]) {
      await machines.segment.route('10.96.0.0/16', machine.address);
      for (const ip of ['10.96.0.81', '10.96.0.82']) await roundRobin(`http://${ip}/`, 3);
    }
  });

  test('a worker whose disk is full says so and goes on, with its pods, and is well when there is room again', async () => {
    const [, worker] = all();
    const lives = async (): Promise<unknown> => ({
      agent: await worker.sh("pgrep -f '^/.*fairlead.mjs agent'"),
      restarts: (await cluster.pods()).map(({ metadata, status }) => [metadata.name, status?.containerStatuses?.[0]?.restartCount]),
    });
    const before = await lives();
    await worker.sh('! dd if=/dev/zero of=/var/log/filler bs=1M 2>/dev/null; ! cp /bin/sh /var/log/more 2>/dev/null');
    await cluster.nodeIs(worker.name, 'DiskPressure', 'True');
    await cluster.expose('full', '10.96.0.84');
    await machines.segment.route('10.96.0.0/16', worker.address);
    await roundRobin('http://10.96.0.84/', 3);
    await roundRobin(url(worker), 3);
    await worker.sh('rm -f /var/log/filler /var/log/more');
    await cluster.nodeIs(worker.name, 'DiskPressure', 'False');
    await cluster.nodeIs(worker.name, 'Ready', 'True');
    await roundRobin(url(worker), 3);
    assert.deepEqual(await lives(), before, 'something was ended');
  });

  test('a worker that is cut off serves by what it knows, and learns the rest when the wire is mended; a connection outlives it', async () => {
    const [, worker] = all();
    const held = await hold(worker.address, nodePort.echo);
    try {
      await machines.cutOff(worker);
      await cluster.nodeIs(worker.name, 'Ready', 'Unknown');
      await cluster.expose('meanwhile', '10.96.0.83');
      const own = await worker.sh(`for i in 1 2 3 4 5 6; do curl --silent --max-time 2 http://${clusterIp}/; done; true`);
      assert.match(own, new RegExp(`node=${worker.name}`), 'its own pods answer it');
      await machines.reconnect(worker);
      await cluster.nodeIs(worker.name, 'Ready', 'True');
      await machines.segment.route('10.96.0.0/16', worker.address);
      await roundRobin('http://10.96.0.83/', 3);
      for (const machine of all()) await roundRobin(url(machine), 3);
      assert.equal(await held.echo('still here'), 'still here');
    } finally {
      held.end();
    }
  });

  test('doctor names the node to which large packets do not get through', async () => {
    const [, worker, behind] = all();
    type Report = { readonly healthy: boolean; readonly findings: readonly { readonly id: string; readonly cause: string }[] };
    // On a loaded machine an answer to a ping may come too late.
    const says = (code: number, check: (report: Report) => void): Promise<void> =>
      eventually(
        `doctor ends with ${code}`,
        async () => {
          const { code: ended, stdout, stderr } = await worker.fairlead('doctor', '-o', 'json');
          assert.equal(ended, code, stdout + stderr);
          check(JSON.parse(stdout));
        },
        patience,
      );
    const isHealthy = ({ healthy }: Report): void => assert.ok(healthy);
    await says(0, isHealthy);
    await machines.narrow(behind, 1400);
    await says(1, ({ findings }) => {
      const causes = findings.filter(({ id }) => id === 'PathMTU').map(({ cause }) => cause);
      const where = `do not reach node "${behind.name}" (${behind.address}), smaller ones do`;
      assert.deepEqual(causes, [`packets of 1500 bytes, the MTU here, ${where}`]);
    });
    await machines.narrow(behind, 1500);
    await says(0, isHealthy);
    assert.match(await curl(url(behind)), /^pod=box-/);
  });

  test('certificates are renewed before they end, and the cluster goes on when the first ones have ended', async () => {
    const [control] = all();
    const ends = async (machine: Machine): Promise<Record<string, number>> => {
      const found: { name: string; expires: string }[] = JSON.parse(await machine.must('certs', 'check', '-o', 'json'));
      return Object.fromEntries(found.map(({ name, expires }) => [name, Date.parse(expires)]));
    };
    const rotated = ['kubelet-client-current', 'kubelet-server-current'];
    // The control plane's own comes half a minute later than the others: its Node must bear its role first.
    const laterThan = (end: number): Promise<unknown> =>
      Promise.all(
        all().map((machine) =>
          eventually(
            `the certificates of ${machine.name}`,
            async () => {
              const now = await ends(machine);
              for (const name of rotated) assert.ok((now[name] ?? 0) > end, `${name}: ${JSON.stringify(now)}`);
            },
            patience,
          ),
        ),
      );
    await laterThan(0);
    const first = (await Promise.all(all().map(ends))).flatMap((found) => rotated.map((name) => found[name] ?? 0));
    // Of the year that they live, more than nine tenths are over.
    await machines.moveClocks(340);
    await laterThan(Math.max(...first));
    for (const { name } of all()) await cluster.nodeIs(name, 'Ready', 'True');
    // As with kubeadm, those of the control plane are somebody's work.
    await control.must('certs', 'renew');
    await control.restart('server');
    await machines.moveClocks(30);
    assert.ok(Number(await control.sh('date +%s')) * 1000 > Math.max(...first), 'none of the first is good');
    await control.must('certs', 'check');
    // For the test, today's certificates are of the future: each machine asks for itself.
    for (const machine of all())
      await eventually(
        `${machine.name} renews its Lease`,
        async () => {
          const lease = JSON.parse(
            await machine.ask(control, `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${machine.name}`),
          );
          const age = Number(await machine.sh('date +%s')) - Date.parse(lease.spec.renewTime) / 1000;
          assert.ok(age < 60, `it is ${age} s old`);
        },
        patience,
      );
    for (const machine of all()) await roundRobin(url(machine), 3);
  });
});
