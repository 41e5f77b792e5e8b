/** The tour of the README without kubectl: shows each command as it would be typed and the answer to it, and checks the answer. */

import { deployments, pods } from '../../api/resource-types.ts';
import { waitUntil } from '../../cli/wait-until.ts';
import { Client } from '../../client/client.ts';
import type { ClientConfig } from '../../client/client-config.ts';
import { loadKubeconfig } from '../../client/kubeconfig.ts';
import { familyOf, joinHostPort } from '../../ip/ip.ts';
import { enterNetns } from '../../linux/netns.ts';
import type { LabContext } from '../down.ts';
import { httpGet } from '../http-get.ts';
import type { LabPlan } from '../plan.ts';
import { queryDns } from '../ready.ts';
import type { LabState } from '../state.ts';
import { askUntilAll } from './ask-until-all.ts';
import { namespace, nodeTable, podTable, readyPods, rollout, serviceAddress } from './cluster-view.ts';
import { podExec } from './pod-exec.ts';
import { type Failure, playScript, type Step } from './script.ts';
import { TourObjects, tourObjects } from './tour-objects.ts';

export interface TourOptions {
  readonly keep: boolean;
  readonly signal: AbortSignal;
}

/** Plays the tour against a running lab. Gives the exit code. */
export async function labTour(context: LabContext, plan: LabPlan, state: LabState, options: TourOptions): Promise<number> {
  // The tour stands where its reader stands: on the machine when that is attached, in the lab's network otherwise.
  const here = plan.options.attach ? undefined : plan.options.client ? plan.clientNetns : plan.underlayNetns;
  using _inside = here === undefined ? undefined : enterNetns(here);
  const tour = new Tour(context, plan, state, options, await loadKubeconfig(plan.kubeconfig), await TourObjects.read());
  const { total, failures } = await tour.play();
  process.stdout.write(`${total - failures.length} of ${total} answers as they should be\n`);
  for (const failure of failures) process.stderr.write(`failed: ${failure.command}: ${failure.reason}\n`);
  return failures.length === 0 ? 0 : 1;
}

function urlOf(address: string, port = 80): string {
  return new URL(`http://${joinHostPort(address, port)}`).href;
}

async function get(address: string, port: number): Promise<string> {
  const { code, body } = await httpGet(urlOf(address, port), { timeout: 3000 });
  if (code !== 200) throw new Error(`HTTP ${code}`);
  return body.trim();
}

class Tour {
  readonly #context: LabContext;
  readonly #plan: LabPlan;
  readonly #state: LabState;
  readonly #options: TourOptions;
  readonly #config: ClientConfig;
  readonly #client: Client;
  readonly #objects: TourObjects;
  /** The Service's address, and the pod that is asked and then deleted: known once the opening was played. */
  #clusterIp = '';
  #first = '';

  constructor(context: LabContext, plan: LabPlan, state: LabState, options: TourOptions, config: ClientConfig, objects: TourObjects) {
    this.#context = context;
    this.#plan = plan;
    this.#state = state;
    this.#options = options;
    this.#config = config;
    this.#client = new Client(config);
    this.#objects = objects;
  }

  async play(): Promise<{ readonly total: number; readonly failures: readonly Failure[] }> {
    const closing: readonly Step[] = this.#options.keep
      ? []
      : [{ command: `kubectl delete -f ${tourObjects}`, run: () => this.#objects.delete(this.#client) }];
    const opening = this.#opening();
    try {
      const failures = await this.#playSteps(opening);
      // Nothing more can be asked: all that follows is about the Service.
      if (this.#clusterIp === '') {
        const { name } = this.#plan.options;
        this.#context.progress.warn(
          `The tour ends here, as Service "web" has no address; "fairlead lab status --name ${name}" says what is missing`,
        );
        if (!this.#options.keep) await this.#objects.delete(this.#client).catch(() => {});
        return { total: opening.length, failures };
      }
      // Made now: their commands have the address in them.
      const steps = [...this.#asking(), ...this.#resolving(), ...this.#scaling(), ...this.#looking(), this.#refusal(), ...closing];
      failures.push(...(await this.#playSteps(steps)));
      return { total: opening.length + steps.length, failures };
    } finally {
      this.#client.close();
    }
  }

  async #playSteps(steps: readonly Step[]): Promise<Failure[]> {
    const { signal, keep } = this.#options;
    try {
      return await playScript(steps, (text) => process.stdout.write(text), signal);
    } catch (err) {
      if (signal.aborted && !keep) await this.#objects.delete(this.#client);
      throw err;
    }
  }

  #opening(): Step[] {
    const client = this.#client;
    return [
      { command: 'kubectl get nodes -o wide', run: () => nodeTable(client) },
      {
        command: `kubectl apply -f ${tourObjects}`,
        run: () => this.#objects.apply(client),
      },
      { command: 'kubectl rollout status deployment/web', run: () => this.#rollout(3) },
      { command: 'kubectl get pods -o wide', run: () => podTable(client) },
      {
        command: "kubectl get service web -o jsonpath='{.spec.clusterIP}'",
        run: async () => {
          [this.#clusterIp, this.#first] = [await serviceAddress(client, 'web'), (await this.#podNames())[0] ?? ''];
          return this.#clusterIp;
        },
      },
    ];
  }

  /** Over HTTP, from everywhere. */
  #asking(): Step[] {
    const url = urlOf(this.#clusterIp);
    const curl = this.#curl(this.#clusterIp, 80);
    const worker = this.#plan.nodes.find((n) => n.role === 'worker') ?? this.#plan.controlPlane;
    return [
      { command: `curl ${url}`, run: curl },
      { where: worker.name, command: `curl ${url}`, run: () => this.#onNode(worker.name, curl) },
      {
        where: `pod ${this.#first}`,
        command: `wget -qO- ${url}`,
        run: async () => await askUntilAll(() => this.#exec(this.#first, ['wget', '-qO-', url]), await this.#podNames(), 30),
      },
      ...this.#plan.nodes.map(
        (node): Step => ({ command: `curl ${urlOf(node.address, 30080)}    # ${node.name}`, run: this.#curl(node.address, 30080) }),
      ),
    ];
  }

  #resolving(): Step[] {
    const domain = `${namespace}.svc.${this.#plan.options.clusterDomain}`;
    const dig = (name: string, check: (answer: readonly string[]) => Promise<void> | void): Step => ({
      command: `dig +short @${this.#plan.dnsAddress} ${name} ${familyOf(this.#plan.dnsAddress) === 6 ? 'AAAA' : 'A'}`,
      run: async () => {
        const answer = await queryDns(this.#plan.dnsAddress, name, 2000);
        await check(answer);
        return answer.join('\n');
      },
    });
    return [
      dig(`web.${domain}`, (answer) => {
        if (!answer.includes(this.#clusterIp)) throw new Error(`it answers "${answer.join(' ')}", not ${this.#clusterIp}`);
      }),
      dig(`web-headless.${domain}`, async (answer) => {
        const wanted = (await readyPods(this.#client)).map((pod) => pod.status?.podIP ?? '');
        if (answer.toSorted().join() !== wanted.toSorted().join())
          throw new Error(`it answers "${answer.join(' ')}", the pods have ${wanted.join(' ')}`);
      }),
    ];
  }

  #scaling(): Step[] {
    return [
      {
        command: 'kubectl scale deployment/web --replicas=5',
        run: async () => {
          await this.#scale(5);
          return `deployment.apps/web scaled\n${await podTable(this.#client)}`;
        },
      },
      { command: `curl ${urlOf(this.#clusterIp)}    # all five answer`, run: this.#curl(this.#clusterIp, 80) },
      {
        command: `kubectl delete pod ${this.#first}`,
        run: async () => {
          await this.#client.delete(pods, this.#first, { namespace });
          await this.#rollout(5, this.#first);
          return `pod "${this.#first}" deleted\n${await podTable(this.#client)}`;
        },
      },
    ];
  }

  /** Into a pod. */
  #looking(): Step[] {
    return [
      {
        command: 'kubectl logs deployment/web',
        run: async () => {
          const [name = ''] = await this.#podNames();
          const path = `/api/v1/namespaces/${namespace}/pods/${name}/log?container=web`;
          const text = await this.#client.raw('GET', path, { accept: '*/*' });
          if (!text.includes(name)) throw new Error(`the log of ${name} does not name it: "${text.trim()}"`);
          return text;
        },
      },
      {
        command: 'kubectl exec deployment/web -- hostname',
        run: async () => {
          const [name = ''] = await this.#podNames();
          const text = await this.#exec(name, ['hostname']);
          if (text !== name) throw new Error(`it answers "${text}", not ${name}`);
          return text;
        },
      },
    ];
  }

  #refusal(): Step {
    const { signal } = this.#options;
    return {
      command: `kubectl scale deployment/web --replicas=0; curl ${urlOf(this.#clusterIp)}    # refused at once`,
      run: async () => {
        await this.#scale(0);
        let said = '';
        await waitUntil('the refusal', { clock: this.#context.clock, timeoutMs: 5000, signal, hint: 'fairlead lab status' }, async () => {
          said = await get(this.#clusterIp, 80).then(
            (body) => `it still answers "${body}"`,
            (err: unknown) => (err instanceof Error && 'code' in err ? String(err.code) : String(err)),
          );
          return said === 'ECONNREFUSED' ? undefined : said;
        });
        return `curl: (7) Failed to connect: ${said}`;
      },
    };
  }

  async #podNames(): Promise<string[]> {
    return (await readyPods(this.#client)).map((pod) => pod.metadata.name ?? '');
  }

  #curl(address: string, port: number): () => Promise<string> {
    return async () => await askUntilAll(() => get(address, port), await this.#podNames(), 60);
  }

  async #exec(pod: string, command: readonly string[]): Promise<string> {
    return (await podExec(this.#config, { namespace, name: pod, container: 'web' }, command, this.#options.signal)).trim();
  }

  async #onNode<T>(name: string, run: () => Promise<T>): Promise<T> {
    const id = this.#state.nodes[name];
    if (!id) throw new Error(`there is no node "${name}"`);
    using _there = enterNetns(`/proc/${id.pid}/ns/net`);
    return await run();
  }

  async #scale(replicas: number): Promise<void> {
    await this.#client.patch(deployments, 'web', { spec: { replicas } }, { namespace, subresource: 'scale' });
    await this.#rollout(replicas);
  }

  #rollout(count: number, without?: string): Promise<string> {
    return rollout(this.#client, this.#context.clock, count, this.#options.signal, without);
  }
}
