/** The tour of the README without kubectl: shows each command as it would be typed and the answer to it, and checks the answer. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { deployments, type KubeObject, pods, type ResourceType, services } from '../../api/resource-types.ts';
import { isAlreadyExists, isNotFound } from '../../client/api-error.ts';
import { Client } from '../../client/client.ts';
import { loadKubeconfig } from '../../client/kubeconfig.ts';
import { messageOf } from '../../errors/known-error.ts';
import { enterNetns } from '../../linux/netns.ts';
import type { LabContext } from '../down.ts';
import { repository } from '../node/launch-node.ts';
import type { LabPlan } from '../plan.ts';
import { queryDns, waitUntil } from '../ready.ts';
import type { LabState } from '../state.ts';
import { namespace, nodeTable, podTable, readyPods, rollout, serviceAddress } from './cluster-view.ts';
import { httpGet } from './http-get.ts';
import { podExec } from './pod-exec.ts';
import { playScript, type Step } from './script.ts';

export const tourObjects = 'rules/scenarios/web/objects.yaml';

const known: readonly ResourceType<KubeObject>[] = [deployments, services] as readonly ResourceType<KubeObject>[];

function typeOf(object: KubeObject): ResourceType<KubeObject> {
  const type = known.find((t) => t.kind === object.kind);
  if (!type) throw new Error(`the tour knows no "${object.kind}"`);
  return type;
}

async function readObjects(): Promise<KubeObject[]> {
  const text = await readFile(join(repository, tourObjects), 'utf8');
  return parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
}

/** `found` takes the name of what was there already, so that the end of the tour does not take it away. */
async function apply(client: Client, object: KubeObject, found: Set<string>): Promise<string> {
  const type = typeOf(object);
  const name = `${type.kind.toLowerCase()}${type.group === '' ? '' : `.${type.group}`}/${object.metadata.name}`;
  try {
    await client.create(type, object);
    return `${name} created`;
  } catch (err) {
    if (!isAlreadyExists(err)) throw err;
    await client.patch(type, object.metadata.name ?? '', object, { namespace });
    found.add(`${object.kind}/${object.metadata.name}`);
    return `${name} configured`;
  }
}

/** Asks until every one of `names` has answered; gives the different answers. */
async function askUntilAll(get: () => Promise<string>, names: readonly string[], tries: number): Promise<string> {
  const answers = new Set<string>();
  let failed: unknown;
  let failures = 0;
  for (let i = 0; i < tries; i++) {
    // A rule may lag behind the API by a moment after a change; what still fails at the end is reported.
    try {
      answers.add(await get());
    } catch (err) {
      failed = err;
      failures++;
    }
    if (names.every((name) => [...answers].some((answer) => answer.includes(name)))) {
      const lost = failures === 0 ? '' : `\n(${failures} of ${i + 1} requests failed: ${messageOf(failed)})`;
      return `${[...answers].toSorted().join('\n')}${lost}`;
    }
  }
  const silent = names.filter((name) => ![...answers].some((answer) => answer.includes(name)));
  throw new Error(`${silent.join(', ')} did not answer in ${tries} tries${failed instanceof Error ? ` (${failed.message})` : ''}`, {
    cause: failed,
  });
}

export async function labTour(
  context: LabContext,
  plan: LabPlan,
  state: LabState,
  options: { readonly keep: boolean; readonly signal: AbortSignal },
): Promise<number> {
  const { signal } = options;
  const { clock } = context;
  const config = await loadKubeconfig(plan.kubeconfig);
  // The tour stands where its reader stands: on the machine when that is attached, in the lab's network otherwise.
  const here = plan.options.attach ? undefined : plan.options.client ? plan.clientNetns : plan.underlayNetns;
  using _inside = here === undefined ? undefined : enterNetns(here);
  const client = new Client(config);
  const worker = plan.nodes.find((n) => n.role === 'worker') ?? plan.controlPlane;
  const podNames = async (): Promise<string[]> => (await readyPods(client)).map((pod) => pod.metadata.name ?? '');
  const podRef = (name: string): { namespace: string; name: string; container: string } => ({ namespace, name, container: 'web' });
  const objects = await readObjects();
  const found = new Set<string>();
  let clusterIp = '';
  let first = '';

  const onNode = async <T>(name: string, run: () => Promise<T>): Promise<T> => {
    const id = state.nodes[name];
    if (!id) throw new Error(`there is no node "${name}"`);
    using _there = enterNetns(`/proc/${id.pid}/ns/net`);
    return await run();
  };
  const curl = (address: string, port: number) => async (): Promise<string> =>
    await askUntilAll(() => httpGet(address, port), await podNames(), 60);
  const clusterName = `web.${namespace}.svc.${plan.options.clusterDomain}`;

  const opening: Step[] = [
    { command: 'kubectl get nodes -o wide', run: () => nodeTable(client) },
    {
      command: `kubectl apply -f ${tourObjects}`,
      run: async () => (await Promise.all(objects.map((o) => apply(client, o, found)))).join('\n'),
    },
    { command: 'kubectl rollout status deployment/web', run: () => rollout(client, clock, 3, signal) },
    { command: 'kubectl get pods -o wide', run: () => podTable(client) },
    {
      command: "kubectl get service web -o jsonpath='{.spec.clusterIP}'",
      run: async () => {
        [clusterIp, first] = [await serviceAddress(client, 'web'), (await podNames())[0] ?? ''];
        return clusterIp;
      },
    },
  ];
  const closing: Step = {
    command: `kubectl delete -f ${tourObjects}`,
    run: async () => {
      const said: string[] = [];
      for (const object of objects) {
        const what = `${object.kind.toLowerCase()} "${object.metadata.name}"`;
        if (found.has(`${object.kind}/${object.metadata.name}`)) {
          // Somebody's own: it stays, as the file says.
          await apply(client, object, found);
          said.push(`${what} was there before, so it stays`);
          continue;
        }
        await client
          .delete(typeOf(object), object.metadata.name ?? '', { namespace, propagationPolicy: 'Background' })
          .catch((err: unknown) => {
            if (!isNotFound(err)) throw err;
          });
        said.push(`${what} deleted`);
      }
      return said.join('\n');
    },
  };
  const play = async (steps: readonly Step[]): ReturnType<typeof playScript> => {
    try {
      return await playScript(steps, (text) => process.stdout.write(text), signal);
    } catch (err) {
      if (signal.aborted && !options.keep) await closing.run();
      throw err;
    }
  };
  const failures = await play(opening);
  const traffic: Step[] = [
    { command: `curl http://${clusterIp}/`, run: curl(clusterIp, 80) },
    { where: worker.name, command: `curl http://${clusterIp}/`, run: () => onNode(worker.name, curl(clusterIp, 80)) },
    {
      where: `pod ${first}`,
      command: `wget -qO- http://${clusterIp}/`,
      run: async () =>
        await askUntilAll(
          async () => (await podExec(config, podRef(first), ['wget', '-qO-', `http://${clusterIp}/`], signal)).trim(),
          await podNames(),
          30,
        ),
    },
    ...plan.nodes.map(
      (node): Step => ({ command: `curl http://${node.address}:30080/    # ${node.name}`, run: curl(node.address, 30080) }),
    ),
    {
      command: `dig +short @${plan.dnsAddress} ${clusterName} A`,
      run: async () => {
        const answer = await queryDns(plan.dnsAddress, clusterName, 2000);
        if (!answer.includes(clusterIp)) throw new Error(`it answers "${answer.join(' ')}", not ${clusterIp}`);
        return answer.join('\n');
      },
    },
    {
      command: `dig +short @${plan.dnsAddress} web-headless.${namespace}.svc.${plan.options.clusterDomain} A`,
      run: async () => {
        const answer = await queryDns(plan.dnsAddress, `web-headless.${namespace}.svc.${plan.options.clusterDomain}`, 2000);
        const wanted = (await readyPods(client)).map((pod) => pod.status?.podIP ?? '');
        if (answer.toSorted().join() !== wanted.toSorted().join())
          throw new Error(`it answers "${answer.join(' ')}", the pods have ${wanted.join(' ')}`);
        return answer.join('\n');
      },
    },
    {
      command: 'kubectl scale deployment/web --replicas=5',
      run: async () => {
        await client.patch(deployments, 'web', { spec: { replicas: 5 } }, { namespace, subresource: 'scale' });
        await rollout(client, clock, 5, signal);
        return `deployment.apps/web scaled\n${await podTable(client)}`;
      },
    },
    { command: `curl http://${clusterIp}/    # all five answer`, run: curl(clusterIp, 80) },
    {
      command: `kubectl delete pod ${first}`,
      run: async () => {
        await client.delete(pods, first, { namespace });
        await rollout(client, clock, 5, signal, first);
        return `pod "${first}" deleted\n${await podTable(client)}`;
      },
    },
    {
      command: 'kubectl logs deployment/web',
      run: async () => {
        const [name = ''] = await podNames();
        const text = await client.raw('GET', `/api/v1/namespaces/${namespace}/pods/${name}/log?container=web`, { accept: '*/*' });
        if (!text.includes(name)) throw new Error(`the log of ${name} does not name it: "${text.trim()}"`);
        return text;
      },
    },
    {
      command: 'kubectl exec deployment/web -- hostname',
      run: async () => {
        const [name = ''] = await podNames();
        const text = (await podExec(config, podRef(name), ['hostname'], signal)).trim();
        if (text !== name) throw new Error(`it answers "${text}", not ${name}`);
        return text;
      },
    },
    {
      command: `kubectl scale deployment/web --replicas=0; curl http://${clusterIp}/    # refused at once`,
      run: async () => {
        await client.patch(deployments, 'web', { spec: { replicas: 0 } }, { namespace, subresource: 'scale' });
        await rollout(client, clock, 0, signal);
        let said = '';
        await waitUntil('the refusal', { clock, timeoutMs: 5000, signal, hint: 'fairlead lab status' }, async () => {
          said = await httpGet(clusterIp, 80).then(
            (body) => `it still answers "${body}"`,
            (err: unknown) => (err instanceof Error && 'code' in err ? String(err.code) : String(err)),
          );
          return said === 'ECONNREFUSED' ? undefined : said;
        });
        return `curl: (7) Failed to connect: ${said}`;
      },
    },
  ];
  const steps = [...traffic, ...(options.keep ? [] : [closing])];
  failures.push(...(await play(steps)));
  client.close();
  const total = opening.length + steps.length;
  process.stdout.write(`${total - failures.length} of ${total} answers as they should be\n`);
  for (const failure of failures) process.stderr.write(`failed: ${failure.command}: ${failure.reason}\n`);
  return failures.length === 0 ? 0 : 1;
}
