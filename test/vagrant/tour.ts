/** What a person does with the lab, from `vagrant up` to `vagrant destroy`. Runs beside a libvirt of its own: see run.ts. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { deployments, nodes, pods, services } from '../../src/api/resource-types.ts';
import type { Deployment, Node, Pod, Service } from '../../src/api/schema/types.ts';
import { type Progress, standardProgress } from '../../src/cli/progress.ts';
import { waitUntil } from '../../src/cli/wait-until.ts';
import { Client } from '../../src/client/client.ts';
import { loadKubeconfig } from '../../src/client/kubeconfig.ts';
import { systemClock } from '../../src/clock/clock.ts';
import { findProgram } from '../interop/testing/programs.ts';
import { keepsClientAddress, keepsSourceRanges } from './client-address.ts';
import { type Held, hold } from './held-connection.ts';

const { positionals, values } = parseArgs({ allowPositionals: true, options: { workers: { type: 'string', default: '2' } } });
/** A box, and a package that is newer than what `vagrant up` installs. */
const [box = '', newer = ''] = positionals;
const lab = join(dirname(fileURLToPath(import.meta.url)), '../../vagrant');
const kubeconfig = join(process.env.VAGRANT_DOTFILE_PATH ?? '', 'kubeconfig');
/** As settings.yaml and Vagrantfile have it: three of them are numbered. */
const controlPlanes = process.env.FAIRLEAD_CONTROL_PLANES === '3' ? [1, 2, 3].map((n) => `control-plane-${n}`) : ['control-plane'];
const [first = ''] = controlPlanes;
const workers = Array.from({ length: Number(values.workers) }, (_, i) => `worker-${i + 1}`);
const clock = systemClock;
const progress: Progress = standardProgress(clock);
const patience = { clock, timeoutMs: 900_000, signal: new AbortController().signal, everyMs: 500, hint: 'Look with: vagrant ssh' };
/** As plan.rb has them. */
const addresses: Readonly<Record<string, string>> = Object.fromEntries([
  ...controlPlanes.map((name, i) => [name, `192.168.56.${controlPlanes.length === 1 ? 10 : 7 + i}`]),
  ...workers.map((name, i) => [name, `192.168.56.${11 + i}`]),
]);
/** The first worker: any node answers for all. */
const node = '192.168.56.11';
const nodePort = { http: 30080, echo: 30007 };

type Environment = Readonly<Record<string, string>>;
const command = promisify(execFile);

/** stdout of a command; what it said is in the error. */
async function sh(file: string, args: readonly string[], env: Environment = {}): Promise<string> {
  const variables = { ...process.env, FAIRLEAD_WORKERS: values.workers, ...env };
  const { stdout } = await command(file, args, { cwd: lab, env: variables, maxBuffer: 64 << 20 }).catch((err: unknown) => {
    const { message, stdout: out, stderr } = err as { message: string; stdout?: string; stderr?: string };
    throw new Error(`${file} ${args.join(' ')}: ${message.split('\n')[0]}\n${`${out}\n${stderr}`.slice(-6000)}`);
  });
  return stdout;
}

const vagrant = (args: readonly string[], env?: Environment): Promise<string> => sh('vagrant', args, env);
const on = (machine: string, text: string): Promise<string> => vagrant(['ssh', machine, '-c', text]);

/**
 * `vagrant up`, and once more for machines that vagrant-libvirt took away because they had no address after its 300 tries, as vagrant/README.md says: it waits
 * no longer, and machines that are emulated beside others need that long.
 */
async function up(args: readonly string[] = []): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await vagrant(['up', ...args]);
      return;
    } catch (err) {
      if (attempt === 3 || !/No IP address found|TimeoutError|did not get an address|specified wait_for timeout/i.test(String(err)))
        throw err;
      progress.note(`vagrant up again: a machine had no address in time (attempt ${attempt})`);
    }
  }
}

const labels = { app: 'box' };

function objects(): { readonly deployment: Deployment; readonly service: Service } {
  const env = [{ name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }];
  const containers = [{ name: 'box', image: 'fairlead.local/box:1', imagePullPolicy: 'Never', env }];
  const spec = { replicas: 3, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } };
  const ports = [
    { name: 'http', port: 80, targetPort: 8080, nodePort: nodePort.http },
    { name: 'echo', port: 7, targetPort: 7, nodePort: nodePort.echo },
  ];
  return {
    deployment: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'box', namespace: 'default' }, spec },
    service: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'box', namespace: 'default' },
      spec: { type: 'LoadBalancer', clusterIP: '10.96.0.80', selector: labels, ports },
    },
  };
}

async function nodesReady(client: Client, names: readonly string[]): Promise<void> {
  await waitUntil('the nodes', patience, async () => {
    const { items } = await client.list<Node>(nodes, {});
    const ready = items.filter(({ status }) => status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'));
    const waiting = names.filter((name) => !ready.some(({ metadata }) => metadata.name === name));
    return waiting.length > 0 ? `${waiting.join(', ')} is not ready` : undefined;
  });
}

async function podsReady(client: Client): Promise<void> {
  await waitUntil('the pods', patience, async () => {
    const { items } = await client.list<Pod>(pods, { namespace: 'default' });
    const ready = items.filter(({ status }) => status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'));
    return ready.length < 3 ? `${ready.length} of 3 are ready` : undefined;
  });
}

/** Which pod answers: one line, as the box says it. */
async function curl(url: string): Promise<string> {
  return (await sh('curl', ['--silent', '--show-error', '--fail', '--max-time', '20', url])).trim();
}

async function answersOf(url: string, times: number): Promise<string[]> {
  const answers: string[] = [];
  for (let i = 0; i < times; i++) answers.push(await curl(url));
  return answers;
}

/** curl, dig, and each algorithm seen to distribute. */
async function tour(externalIp: string): Promise<void> {
  const url = `http://${node}:${nodePort.http}/`;
  await waitUntil('the NodePort', patience, async () => void (await curl(url)));
  assert.match(await curl('http://10.96.0.80/'), /pod=box-/);
  assert.match(await curl(`http://${externalIp}/`), /pod=box-/);
  assert.equal((await sh('dig', ['+short', '+time=20', '@10.96.0.10', 'box.default.svc.cluster.local'])).trim(), '10.96.0.80');
}

/** After machines were away: until their kubelets have told so, the cluster takes what ran before for ready. */
async function comesBack(client: Client, names: readonly string[], externalIp: string): Promise<void> {
  await nodesReady(client, names);
  await podsReady(client);
  await waitUntil('everything of the tour', patience, async () => void (await tour(externalIp)));
}

function isInTurn(answers: readonly string[]): boolean {
  return new Set(answers).size === 3 && answers.every((answer, i) => answer === answers[i % 3]);
}

/** How one client's requests are answered, one after another. By lc it has not one pod for all, as by the hash of before. */
const isAnsweredAs = {
  rr: isInTurn,
  sh: (answers: readonly string[]): boolean => new Set(answers).size === 1,
  lc: (answers: readonly string[]): boolean => new Set(answers).size > 1,
} as const;

/** Right after a switch the mode before still has rules: what they answer is not yet this one's. */
async function distributes(scheduler: keyof typeof isAnsweredAs): Promise<void> {
  await waitUntil(`connections as by ${scheduler}`, { ...patience, timeoutMs: 180_000 }, async () => {
    const answers = await answersOf(`http://${node}:${nodePort.http}/`, 6);
    return isAnsweredAs[scheduler](answers) ? undefined : answers.join(' | ');
  });
}

/** What an operator looks at on a machine. */
async function look(machine: string): Promise<void> {
  await on(machine, 'sudo fairlead doctor');
  assert.match(await on(machine, 'sudo fairlead rules show svc/box'), /10\.96\.0\.80/);
  assert.match(await on(machine, 'sudo fairlead trace node svc/box:http'), /\bReaches 10\.244\.\d+\.\d+:8080 /);
}

/** Where weights stand by which a new connection to the held port is sent on, and to which endpoints those lead that are above 0. */
const weightsOf = {
  nftables: { text: 'nft list map ip kube-proxy nodeport-endpoints', to: new RegExp(`tcp \\. ${nodePort.echo} \\. \\d+ : (\\S+)`, 'g') },
  iptables: { text: 'iptables-save -t nat', to: /^-A KUBE-SVC-\S+ .*"default\/box:echo -> (\S+):7"/gm },
} as const;

/** By pod, how many connections it holds. */
async function heldOf(ips: readonly string[]): Promise<Map<string, number>> {
  const flows = await on('worker-1', `sudo conntrack -L -p tcp --state ESTABLISHED --dport ${nodePort.echo} 2>/dev/null`);
  const held = [...flows.matchAll(/src=(\S+) dst=\S+ sport=7 /g)].map(([, ip]) => ip);
  return new Map(ips.map((ip) => [ip, held.filter((one) => one === ip).length]));
}

/** Connections that stay open are spread evenly. */
async function leastConnection(client: Client, mode: Mode): Promise<void> {
  const { items } = await client.list<Pod>(pods, { namespace: 'default' });
  const ips = items.flatMap(({ status }) => status?.podIP ?? []);
  const held: Held[] = [];
  try {
    for (let i = 0; i < 6; i++) {
      held.push(await hold(node, nodePort.echo));
      // IPVS counts at each. Elsewhere weights follow once a second, or later where a machine takes a whole one to change its rules.
      if (mode !== 'ipvs') await followed(weightsOf[mode], await heldOf(ips));
    }
    const counts = await heldOf(ips);
    assert.deepEqual([...counts.values()], [2, 2, 2], `connections of each pod: ${[...counts].join(' ')}`);
  } finally {
    for (const one of held) one.end();
  }
}

/** Until the next connection goes to those that hold fewest. */
async function followed({ text, to }: (typeof weightsOf)[keyof typeof weightsOf], held: ReadonlyMap<string, number>): Promise<void> {
  const fewest = Math.min(...held.values());
  await waitUntil('weights by the connections', patience, async () => {
    const next = new Set([...(await on('worker-1', `sudo ${text}`)).matchAll(to)].map(([, ip = '']) => ip));
    const isSo = next.size > 0 && [...next].every((ip) => held.get(ip) === fewest);
    return isSo ? undefined : `the next goes to ${[...next].join(', ')}, held are ${[...held].join(' ')}`;
  });
}

type Mode = keyof typeof weightsOf | 'ipvs';

const rulesOf: Readonly<Record<Mode, { readonly text: string; readonly has: RegExp }>> = {
  nftables: { text: 'sudo nft list ruleset', has: /10\.96\.0\.80/ },
  iptables: { text: 'sudo iptables-save -t nat', has: /KUBE-SERVICES -d 10\.96\.0\.80\/32/ },
  ipvs: { text: 'sudo ipvsadm -Ln', has: /TCP {2}10\.96\.0\.80:80/ },
};

async function switchMode(mode: Mode, scheduler: string): Promise<void> {
  const connection = await hold(node, nodePort.echo);
  try {
    await vagrant(['provision', first, '--provision-with', 'init'], {
      FAIRLEAD_PROXY_MODE: mode,
      FAIRLEAD_IPVS_SCHEDULER: scheduler,
    });
    const { text, has } = rulesOf[mode];
    await waitUntil(`mode ${mode}`, patience, async () => (has.test(await on('worker-1', text)) ? undefined : 'the rules are not there'));
    assert.equal(await connection.echo('still here'), 'still here', 'the connection broke');
  } finally {
    connection.end();
  }
}

/** As an operator does it: the package everywhere, which restarts nothing, then the control plane, then each node. */
async function upgrade(client: Client, names: readonly string[]): Promise<void> {
  const versions = async (): Promise<string[]> => {
    const { items } = await client.list<Node>(nodes, {});
    return [...new Set(items.map(({ status }) => status?.nodeInfo?.kubeletVersion ?? ''))];
  };
  const connection = await hold(node, nodePort.echo);
  try {
    const before = await versions();
    await vagrant(['provision', '--provision-with', 'package,install'], { FAIRLEAD_PACKAGE: newer });
    assert.deepEqual(await versions(), before);
    for (const name of names) await on(name, 'sudo fairlead upgrade');
    const [version = '', ...others] = await versions();
    assert.deepEqual(others, [], 'nodes of another version');
    // fairlead_0.1.1_amd64.deb is v1.35.0+fairlead.0.1.1.
    assert.equal(basename(newer).split('_')[1], version.split('+fairlead.')[1]);
    assert.equal(await connection.echo('still here'), 'still here', 'the connection broke');
  } finally {
    connection.end();
  }
}

/** The API is written to at its address, controllers and scheduler act, a kubelet runs what they decide. */
async function survives(client: Client, names: readonly string[]): Promise<void> {
  const { deployment } = objects();
  const late = { ...deployment, metadata: { name: 'late', namespace: 'default' } };
  await waitUntil('the API to take a Deployment', patience, async () => void (await client.create(deployments, late)));
  await waitUntil('three more pods', patience, async () => {
    const { status } = await client.get<Deployment>(deployments, 'late', { namespace: 'default' });
    return (status?.availableReplicas ?? 0) < 3 ? `${status?.availableReplicas ?? 0} of 3 are available` : undefined;
  });
  await nodesReady(client, names);
  await client.delete(deployments, 'late', { namespace: 'default' });
  await waitUntil('the pods of before alone', patience, async () => {
    const { items } = await client.list<Pod>(pods, { namespace: 'default' });
    return items.length === 3 ? undefined : `${items.length} pods`;
  });
}

/** A program of Go compares names in certificates by their bytes, where OpenSSL, and so Node.js, compares texts. */
async function kubectlSees(names: readonly string[]): Promise<void> {
  const lines = await sh('kubectl', ['get', 'nodes', '--output', 'name'], { KUBECONFIG: kubeconfig });
  assert.deepEqual(lines.trim().split('\n').toSorted(), names.map((name) => `node/${name}`).toSorted());
}

async function main(): Promise<void> {
  const began = clock.monotonic();
  const step = <T>(what: string, work: () => Promise<T>): Promise<T> => progress.step(what, work);
  await vagrant(['box', 'add', '--force', '--name', 'fairlead-test', box]);
  const names = [...controlPlanes, ...workers];
  await step('vagrant up', () => up());
  const client = new Client(await loadKubeconfig(kubeconfig));
  await step('every node is Ready', () => nodesReady(client, names));
  if (findProgram('kubectl')) await step('kubectl of this machine sees them', () => kubectlSees(names));
  await step('vagrant up again changes nothing', async () => {
    await vagrant(['up']);
    await vagrant(['provision']);
    await nodesReady(client, names);
  });
  const { deployment, service } = objects();
  await client.create(deployments, deployment);
  await client.create(services, service);
  // Two lines of the README: the way from this machine to the cluster.
  for (const range of ['10.96.0.0/16', '10.244.0.0/16']) await sh('ip', ['route', 'replace', range, 'via', '192.168.56.10']);
  await step('three pods are Ready', () => podsReady(client));
  let externalIp = '';
  await waitUntil('an address for the load balancer', patience, async () => {
    externalIp = (await client.get<Service>(services, 'box', { namespace: 'default' })).status?.loadBalancer?.ingress?.[0]?.ip ?? '';
    return externalIp === '' ? 'it has none' : undefined;
  });
  if (controlPlanes.length > 1) {
    await step(`${first} is cut off the power: the cluster goes on, and has it again`, async () => {
      await vagrant(['halt', '--force', first]);
      await survives(client, names.slice(1));
      if (findProgram('kubectl')) await kubectlSees(names);
      await tour(externalIp);
      await up(['--no-provision', first]);
      await nodesReady(client, names);
    });
    await step(`${first} is destroyed and made anew`, async () => {
      await vagrant(['destroy', '--force', first]);
      await up([first]);
      await survives(client, names);
    });
  }
  for (const name of names) await step(`fairlead doctor, rules show and trace on ${name}`, () => look(name));
  for (const [mode, scheduler] of [
    ['nftables', 'rr'],
    ['nftables', 'sh'],
    ['nftables', 'lc'],
    ['iptables', 'rr'],
    ['iptables', 'sh'],
    ['iptables', 'lc'],
    ['ipvs', 'rr'],
    ['ipvs', 'sh'],
    ['ipvs', 'lc'],
  ] as const) {
    await step(`mode ${mode}, ${scheduler}: switched, a connection lived on; curl, dig, distribution`, async () => {
      await switchMode(mode, scheduler);
      await tour(externalIp);
      await distributes(scheduler);
      if (scheduler === 'lc') await leastConnection(client, mode);
    });
    if (scheduler !== 'rr') continue;
    const addressLab = { client, nodes: addresses, own: '192.168.56.1', other: '192.168.56.2', patience, deployment };
    await step(`mode ${mode}: loadBalancerSourceRanges let one address in, and another`, () => keepsSourceRanges(addressLab));
    await step(`mode ${mode}: externalTrafficPolicy Local keeps the client's address`, () => keepsClientAddress(addressLab));
  }
  await step('a newer package on every machine, fairlead upgrade: a connection lived on', async () => {
    await upgrade(client, names);
    await tour(externalIp);
  });
  await step('vagrant reload worker-1', async () => {
    await vagrant(['reload', 'worker-1']);
    await comesBack(client, names, externalIp);
  });
  await step('vagrant snapshot save, restore', async () => {
    await vagrant(['snapshot', 'save', 'tour']);
    await vagrant(['snapshot', 'restore', '--no-provision', 'tour']);
    await comesBack(client, names, externalIp);
  });
  await step('vagrant halt, up', async () => {
    await vagrant(['halt']);
    await up();
    await comesBack(client, names, externalIp);
  });
  client.close();
  progress.note(`All done in ${Math.round((clock.monotonic() - began) / 1000)} s`);
}

// The clock's sleeps keep no process alive.
const alive = setInterval(() => {}, 60_000);
try {
  await main();
} finally {
  clearInterval(alive);
  await progress.step('vagrant destroy', () => vagrant(['destroy', '--force']));
}
