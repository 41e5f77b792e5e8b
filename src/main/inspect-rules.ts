/** What `fairlead rules` runs: objects of a cluster, what they mean on a node, and how a mode shows it. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Node } from '../api/schema/types.ts';
import type { Invocation } from '../cli/command.ts';
import { systemClock } from '../clock/clock.ts';
import { KnownError } from '../errors/known-error.ts';
import type { TableFamily } from '../linux/nftables/table.ts';
import { createLog } from '../observability/stream-log.ts';
import { proxySettings } from '../proxy/config/proxy-settings.ts';
import { type ClusterObjects, listObjects, type Manifest, readManifests } from '../proxy/inspect/cluster-objects.ts';
import { ClusterView, hostOf, type ViewedProxy } from '../proxy/inspect/cluster-view.ts';
import { diffText, pendingChanges } from '../proxy/inspect/diff.ts';
import { explainText } from '../proxy/inspect/explain-text.ts';
import { noPlanWhy } from '../proxy/inspect/unproxied.ts';
import { familyNames } from '../proxy/mode/ip-family.ts';
import type { Explained, ModeView, ViewOptions } from '../proxy/mode/view.ts';
import { KernelNodeHost, type NodeHost } from '../proxy/node-host.ts';
import type { NodeContext } from '../proxy/plan/node-context.ts';
import type { Planner } from '../proxy/plan/planner.ts';
import { FlagReader } from './flag-reader.ts';
import { requireRootToRead, thisNode, viewedConfiguration, viewingClient, viewOf } from './proxy-view.ts';
import { namedService } from './service-name.ts';

type Asked = Pick<Invocation, 'values' | 'positionals' | 'signal'>;

/** All that a command shows something of. */
interface Inspected {
  readonly view: ModeView;
  readonly cluster: ClusterView;
  readonly contexts: readonly NodeContext[];
  readonly options: ViewOptions;
  /** Whether it is about this machine, whose kernel can be asked. */
  readonly isHere: boolean;
}

const log = createLog({ clock: systemClock, level: 'warn' });

function manifestsOf(paths: readonly string[]): Manifest[] {
  return paths.flatMap((path): Manifest[] => {
    if (path === '-') return [{ name: 'standard input', text: readFileSync(0, 'utf8') }];
    const files = statSync(path).isDirectory()
      ? readdirSync(path)
          .filter((name) => /\.(?:ya?ml|json)$/.test(name))
          .sort()
          .map((name) => join(path, name))
      : [path];
    return files.map((name) => ({ name, text: readFileSync(name, 'utf8') }));
  });
}

/** Of manifests with one Node alone it is that one. Throws BAD_CONFIG where there are Nodes, and not this one. */
function nodeOf(objects: ClusterObjects, name: string | undefined, here: string): { name: string; node: Node | undefined } {
  const [only, ...others] = objects.nodes;
  const wanted = name ?? (objects.server === undefined && only && others.length === 0 ? only.metadata.name : here);
  const node = objects.nodes.find(({ metadata }) => metadata.name === wanted);
  if (node || objects.nodes.length === 0) return { name: wanted, node };
  throw new KnownError('BAD_CONFIG', `Cannot find node "${wanted}" among the Nodes`, {
    hint: `--node NAME, one of ${objects.nodes
      .slice(0, 5)
      .map(({ metadata }) => metadata.name)
      .join(', ')}`,
  });
}

async function fromManifests(files: readonly string[]): Promise<ClusterObjects> {
  const objects = readManifests(manifestsOf(files));
  const { deriveSlices } = await import('./derived-slices.ts');
  const { slices, notes } = deriveSlices(objects);
  for (const note of notes) process.stderr.write(`note: ${note}\n`);
  return { ...objects, slices: [...objects.slices, ...slices] };
}

async function readObjects(
  read: FlagReader,
  files: readonly string[],
  configuration: Parameters<typeof viewingClient>[1],
  signal: AbortSignal,
) {
  if (files.length > 0) return await fromManifests(files);
  const client = await viewingClient(read, configuration);
  try {
    return await listObjects(client, signal);
  } finally {
    client.close();
  }
}

/** `isHere`: it is about this machine, whatever it is called. */
async function inspect(asked: Asked, files: readonly string[], isHere: boolean): Promise<Inspected> {
  const read = new FlagReader(asked.values);
  const configuration = await viewedConfiguration(read, files.length === 0);
  const view = await viewOf(configuration.mode);
  const objects = await readObjects(read, files, configuration, asked.signal);
  const { name, node } = nodeOf(objects, read.optional('node'), thisNode(configuration));
  const settings = proxySettings(configuration);
  const ip = read.ip('node-ip');
  const proxy: ViewedProxy = {
    ...settings,
    nodeName: name,
    clusterCidrs: [...(settings.clusterCidrs ?? []), ...read.cidrs('cluster-cidr')],
    serviceCidrs: read.cidrs('service-cidr'),
    ...(ip ? { nodeIps: [ip] } : {}),
  };
  const looksHere = isHere || (files.length === 0 && read.optional('node') === undefined);
  const host: NodeHost = looksHere ? new KernelNodeHost() : hostOf(node, proxy.nodeIps);
  try {
    const hostIps = (await host.addresses()).map((address) => address.ip);
    const cluster = await ClusterView.look(objects, proxy, host, log);
    const family = read.text('family');
    const contexts = [...cluster.contexts.values()].filter(
      (context) => family === 'both' || familyNames[context.family].toLowerCase() === family,
    );
    return { view, cluster, contexts, options: { ...settings.modeOptions, hostIps }, isHere: looksHere };
  } finally {
    host.close();
  }
}

function planned({ view, cluster, contexts }: Inspected): Planner[] {
  const planners = contexts.map((context) => cluster.plan(context, view.algorithms));
  const warnings = planners.flatMap(({ warnings }) => warnings);
  for (const message of new Set(warnings.map(({ message }) => message))) process.stderr.write(`note: ${message}\n`);
  return planners;
}

const isJson = ({ values }: Asked): boolean => values.output === 'json';
const print = (text: string): void => void process.stdout.write(text);
const printJson = (document: unknown): void => print(`${JSON.stringify(document, undefined, 2)}\n`);

export async function renderRules(asked: Asked): Promise<number> {
  const files = [...new FlagReader(asked.values).list('filename'), ...asked.positionals];
  const inspected = await inspect(asked, files, false);
  const { view, options, cluster } = inspected;
  const rendered = planned(inspected).map(({ plans, node }) => ({ family: node.family, ...view.render(plans.values(), node, options) }));
  for (const service of cluster.services) {
    const why = noPlanWhy(service);
    if (why?.isLack)
      process.stderr.write(`note: Service ${service.metadata.namespace}/${service.metadata.name} has no rules: ${why.text}\n`);
  }
  if (isJson(asked)) printJson(rendered.map(({ family, document }) => ({ mode: view.name, family, rules: document() })));
  else if (rendered.length === 1) print(rendered[0]?.text ?? '');
  else print(rendered.map(({ family, text }) => `# ${familyNames[family]}\n${text}`).join('\n'));
  return 0;
}

export async function showRules(asked: Asked): Promise<number> {
  const [name = '', ...more] = asked.positionals;
  const read = new FlagReader(asked.values);
  if (name === '')
    throw new KnownError('USAGE', 'Cannot show rules: no Service is named', { hint: 'fairlead rules show svc/NAME -n NAMESPACE' });
  const inspected = await inspect(asked, [...read.list('filename'), ...more], false);
  const { view, options, cluster, isHere } = inspected;
  const { key, service } = namedService(name, read.text('namespace'), cluster.services);
  // Who may not read the kernel is told what a fresh one would hold.
  const asksKernel = isHere && process.getuid?.() === 0;
  const explained: { family: TableFamily; rules: readonly Explained[] }[] = [];
  for (const { plans, node } of planned(inspected)) {
    const plan = plans.get(key);
    const held = plan && asksKernel ? view.explainHeld?.(plan, node, options) : undefined;
    if (plan) explained.push({ family: node.family, rules: (await held) ?? view.explain(plan, node, options) });
  }
  if (isJson(asked)) printJson(explained.map(({ family, rules }) => ({ mode: view.name, family, service: key, rules })));
  else if (explained.length === 0)
    print(`# Service ${key} has no rules: ${noPlanWhy(service)?.text ?? 'it has no address of this family'}\n`);
  else print(explained.map(({ family, rules }) => explainText(`Service ${key}, ${familyNames[family]}`, rules)).join('\n'));
  return 0;
}

export async function diffRules(asked: Asked): Promise<number> {
  requireRootToRead('rules diff');
  const inspected = await inspect(asked, [], true);
  const { view, cluster, contexts, options } = inspected;
  planned(inspected);
  const pending = await pendingChanges(view, cluster, contexts, options);
  const changes = pending.filter(({ isMoving }) => !isMoving);
  if (isJson(asked)) printJson({ mode: view.name, changes });
  else if (changes.length === 0) print(`No drift: the kernel holds what mode ${view.name} wants\n`);
  else print(diffText(changes));
  return changes.length === 0 ? 0 : 1;
}
