/** What Services make of the address of who asks, seen from the machine that the lab runs on: source ranges, and externalTrafficPolicy Local. */
import assert from 'node:assert/strict';
import { deployments, pods, services } from '../../src/api/resource-types.ts';
import type { Deployment, Pod, Service } from '../../src/api/schema/types.ts';
import { waitUntil } from '../../src/cli/wait-until.ts';
import type { Client } from '../../src/client/client.ts';
import { systemExec } from '../../src/linux/exec.ts';

export interface AddressLab {
  readonly client: Client;
  /** By name, where nodes meet. */
  readonly nodes: Readonly<Record<string, string>>;
  readonly patience: Parameters<typeof waitUntil>[1];
  /** Of this machine in the network of the nodes: the one that it has, and one that nobody has. */
  readonly own: string;
  readonly other: string;
  /** Pods that are everybody's; it has one of the same kind for itself. */
  readonly deployment: Deployment;
}

const namespace = 'default';

async function host(file: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await systemExec.run(file, args, { timeoutMs: 60_000 });
  assert.equal(code, 0, `${file} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** Codes of curl: nobody listens, nothing comes. */
const silence = [7, 28];

/** Undefined where nobody answers. Whoever is dropped is so for as long as one likes to wait: what shows it is that the same address was answered by another rule. */
async function ask(url: string, from: string, ...more: readonly string[]): Promise<string | undefined> {
  const args = ['--silent', '--show-error', '--connect-timeout', '4', '--max-time', '20', '--interface', from, ...more, url];
  const { code, stdout, stderr } = await systemExec.run('curl', args, { timeoutMs: 60_000 });
  if (silence.includes(code)) return undefined;
  assert.equal(code, 0, `curl ${url} from ${from}: ${stderr}`);
  return stdout.trim();
}

/** Runs something with one more address of this machine. */
async function withOther({ own, other }: AddressLab, work: () => Promise<void>): Promise<void> {
  const [, link = ''] = (await host('ip', '-oneline', '-4', 'address', 'show', 'to', own)).split(/\s+/);
  await host('ip', 'address', 'replace', `${other}/24`, 'dev', link);
  try {
    await work();
  } finally {
    await host('ip', 'address', 'delete', `${other}/24`, 'dev', link);
  }
}

/** Made, and gone at the end. */
async function withService(
  lab: AddressLab,
  name: string,
  spec: Partial<Service['spec']>,
  work: (ip: string) => Promise<void>,
): Promise<void> {
  const { client, patience } = lab;
  const metadata = { name, namespace };
  await client.create(services, { apiVersion: 'v1', kind: 'Service', metadata, spec: { type: 'LoadBalancer', ...spec } } as Service);
  try {
    let ip = '';
    await waitUntil('an address for the load balancer', patience, async () => {
      ip = (await client.get<Service>(services, name, { namespace })).status?.loadBalancer?.ingress?.[0]?.ip ?? '';
      return ip === '' ? 'it has none' : undefined;
    });
    await work(ip);
  } finally {
    await client.delete(services, name, { namespace });
  }
}

const answers = async (url: string, from: string): Promise<string | undefined> =>
  (await ask(url, from)) === undefined ? `${from} is not answered` : undefined;

/** One address is let in and another is not; then the other way round. */
export async function keepsSourceRanges(lab: AddressLab): Promise<void> {
  const { client, patience, deployment, own, other } = lab;
  const { matchLabels = {} } = deployment.spec?.selector ?? {};
  const spec = { selector: matchLabels, ports: [{ port: 80, targetPort: 8080 }], loadBalancerSourceRanges: [`${own}/32`] };
  await withOther(lab, async () => {
    await withService(lab, 'guarded', spec, async (ip) => {
      const url = `http://${ip}/`;
      await waitUntil(`an answer for ${own}`, patience, () => answers(url, own));
      assert.equal(await ask(url, other), undefined, `${other} is let in`);
      await client.patch<Service>(services, 'guarded', { spec: { loadBalancerSourceRanges: [`${other}/32`] } }, { namespace });
      await waitUntil(`an answer for ${other}`, patience, () => answers(url, other));
      assert.equal(await ask(url, own), undefined, `${own} is let in`);
    });
  });
}

/** The only pod sees who asks; the node that has it answers, and no other, by its port and by its health. */
export async function keepsClientAddress(lab: AddressLab): Promise<void> {
  const { client, deployment } = lab;
  const labels = { app: 'sole' };
  const { containers } = deployment.spec?.template.spec ?? {};
  const sole = { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } };
  await client.create(deployments, { ...deployment, metadata: { name: 'sole', namespace }, spec: sole } as Deployment);
  const spec: Partial<Service['spec']> = {
    selector: labels,
    externalTrafficPolicy: 'Local',
    ports: [{ port: 80, targetPort: 8080, nodePort: 30_081 }],
  };
  try {
    await withOther(lab, () => withService(lab, 'sole', spec, (ip) => answersWhereThePodIs(lab, ip)));
  } finally {
    await client.delete(deployments, 'sole', { namespace });
    await waitUntil('the pods of before alone', lab.patience, async () => {
      const { items } = await client.list<Pod>(pods, { namespace, labelSelector: 'app=sole' });
      return items.length === 0 ? undefined : `${items.length} pods`;
    });
  }
}

async function answersWhereThePodIs({ client, nodes, patience, own, other }: AddressLab, ip: string): Promise<void> {
  const { healthCheckNodePort } = (await client.get<Service>(services, 'sole', { namespace })).spec ?? {};
  let at = '';
  await waitUntil('the pod', patience, async () => {
    const { items } = await client.list<Pod>(pods, { namespace, labelSelector: 'app=sole' });
    const ready = items.find(({ status }) => status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'));
    at = ready?.spec?.nodeName ?? '';
    return at === '' ? 'it is not ready' : undefined;
  });
  // First of all: what a proxy says of its node's health, it says after it has its rules.
  for (const [name, address] of Object.entries(nodes)) {
    const wanted = name === at ? '200' : '503';
    await waitUntil(`health ${wanted} of ${name}`, patience, async () => {
      const said = await ask(`http://${address}:${healthCheckNodePort}/`, own, '--output', '/dev/null', '--write-out', '%{http_code}');
      return said === wanted ? undefined : `it says ${said}`;
    });
  }
  for (const from of [own, other])
    for (const url of [`http://${nodes[at]}:30081`, `http://${ip}`])
      await waitUntil(`${from} as the client at ${url}`, patience, async () => {
        // The pod listens at an address of IPv6.
        const seen = (await ask(`${url}/cgi-bin/client`, from))?.replace(/^\[::ffff:(.*)\]$/, '$1');
        return seen === from ? undefined : `the pod sees ${seen ?? 'nobody'}`;
      });
  for (const [name, address] of Object.entries(nodes))
    if (name !== at) assert.equal(await ask(`http://${address}:30081/`, own), undefined, `${name} answers, and has no pod of it`);
}
