/** The arguments that plugins take in a KubeSchedulerConfiguration, and the plugins that they make. */
import { badConfig, checkField, type Fields, isTree, withoutNulls } from '../../api/configuration-fields.ts';
import type { NodeAffinity } from '../../api/schema/types.ts';
import type { Plugin } from '../plugin.ts';
import { type InterPodAffinityOptions, interPodAffinityWith } from '../plugins/inter-pod-affinity.ts';
import { nodeAffinityWith } from '../plugins/node-affinity.ts';
import { nodeResourcesBalancedWith, nodeResourcesFitWith } from '../plugins/node-resources.ts';
import { cpuAndMemory, type ResourceWeight, type ScoringStrategy, type ShapePoint } from '../plugins/resource-scoring.ts';
import { spreadByOwner } from '../plugins/spread-by-owner.ts';
import { defaultPreemption, type PreemptionShare } from '../profile.ts';
import { checkWhole, configApiVersion } from './config.ts';

interface ArgumentReader {
  readonly fields: Fields;
  /** Throws BAD_CONFIG. `path`: where the arguments stand. */
  make(args: never, path: string): Plugin;
}

const resources = [{ name: 'text', weight: 'number' }] as const;

interface FitArgs {
  readonly ignoredResources?: readonly string[];
  readonly ignoredResourceGroups?: readonly string[];
  readonly scoringStrategy?: {
    readonly type?: string;
    readonly resources?: readonly ResourceWeight[];
    readonly requestedToCapacityRatio?: { readonly shape?: readonly ShapePoint[] };
  };
}

const strategies: readonly ScoringStrategy['type'][] = ['LeastAllocated', 'MostAllocated', 'RequestedToCapacityRatio'];

function strategyOf(given: NonNullable<FitArgs['scoringStrategy']>, path: string): ScoringStrategy {
  const type = strategies.find((one) => one === (given.type || 'LeastAllocated'));
  if (type === undefined) throw badConfig(`"${path}.type"`, `it is "${given.type}"`, `It takes ${strategies.join(', ')}`);
  const weighed = (given.resources?.length ? given.resources : cpuAndMemory).map((one) => ({ name: one.name, weight: one.weight || 1 }));
  for (const { name, weight } of weighed) checkWhole(`${path}.resources.${name}.weight`, weight, 1, 100);
  const shape = given.requestedToCapacityRatio?.shape ?? [];
  if (type === 'RequestedToCapacityRatio') checkShape(shape, `${path}.requestedToCapacityRatio.shape`);
  return { type, resources: weighed, shape };
}

function checkShape(shape: readonly ShapePoint[], path: string): void {
  if (shape.length === 0) throw badConfig(`"${path}"`, 'it has no point', 'Give points of utilization (0–100) and score (0–10)');
  for (const [i, { utilization, score }] of shape.entries()) {
    // They rise.
    checkWhole(`${path}[${i}].utilization`, utilization, (shape[i - 1]?.utilization ?? -1) + 1, 100);
    checkWhole(`${path}[${i}].score`, score, 0, 10);
  }
}

function fit(args: FitArgs, path: string): Plugin {
  const { ignoredResources = [], ignoredResourceGroups = [], scoringStrategy } = args;
  const grouped = (resource: string): boolean => ignoredResourceGroups.includes(resource.split('/', 1)[0] ?? '') && resource.includes('/');
  return nodeResourcesFitWith({
    ignores: (resource) => ignoredResources.includes(resource) || grouped(resource),
    ...(scoringStrategy ? { strategy: strategyOf(scoringStrategy, `${path}.scoringStrategy`) } : {}),
  });
}

function balanced(args: { readonly resources?: readonly ResourceWeight[] }, path: string): Plugin {
  for (const { name, weight } of args.resources ?? []) checkWhole(`${path}.resources.${name}.weight`, weight, 1, 1);
  return nodeResourcesBalancedWith(args.resources);
}

function interPod(args: InterPodAffinityOptions, path: string): Plugin {
  checkWhole(`${path}.hardPodAffinityWeight`, args.hardPodAffinityWeight, 0, 100);
  return interPodAffinityWith(args);
}

interface SpreadArgs {
  readonly defaultConstraints?: unknown;
  readonly defaultingType?: string;
}

function spread({ defaultConstraints = [], defaultingType = 'System' }: SpreadArgs, path: string): Plugin {
  if (!Array.isArray(defaultConstraints) || defaultConstraints.length > 0)
    throw badConfig(`"${path}.defaultConstraints"`, 'constraints of spreading are not looked at', 'Leave it empty');
  if (defaultingType === 'System') return spreadByOwner;
  if (defaultingType === 'List') return { name: spreadByOwner.name, prepare: () => undefined };
  throw badConfig(`"${path}.defaultingType"`, `it is "${defaultingType}"`, 'It takes System, or List for no spreading');
}

/** By the plugin's name. */
const readers: Readonly<Record<string, ArgumentReader>> = {
  NodeResourcesFit: {
    fields: {
      ignoredResources: 'texts',
      ignoredResourceGroups: 'texts',
      scoringStrategy: {
        type: 'text',
        resources,
        requestedToCapacityRatio: { shape: [{ utilization: 'number', score: 'number' }] },
      },
    },
    make: fit,
  },
  NodeResourcesBalancedAllocation: { fields: { resources }, make: balanced },
  InterPodAffinity: { fields: { hardPodAffinityWeight: 'number', ignorePreferredTermsOfExistingPods: 'switch' }, make: interPod },
  NodeAffinity: {
    fields: {
      addedAffinity: { requiredDuringSchedulingIgnoredDuringExecution: 'free', preferredDuringSchedulingIgnoredDuringExecution: 'free' },
    },
    make: (args: { readonly addedAffinity?: NodeAffinity }) => nodeAffinityWith(args.addedAffinity),
  },
  PodTopologySpread: { fields: { defaultConstraints: 'free', defaultingType: 'text' }, make: spread },
};

/** The plugin as its arguments make it. Throws BAD_CONFIG for one that takes none, and for what it does not take. */
export function pluginWith(name: string, args: unknown, path: string): Plugin {
  const reader = Object.hasOwn(readers, name) ? readers[name] : undefined;
  if (!reader)
    throw badConfig(
      `"${path}"`,
      `"${name}" takes no arguments here`,
      `Take it out; those that take any are ${[...Object.keys(readers), 'DefaultPreemption'].join(', ')}`,
    );
  return reader.make(argsOf(name, args, reader.fields, path) as never, path);
}

/** Which of the nodes are thought through. Throws BAD_CONFIG. */
export function preemptionWith(args: unknown, path: string): PreemptionShare {
  const fields = { minCandidateNodesPercentage: 'number', minCandidateNodesAbsolute: 'number' } as const;
  const share = { ...defaultPreemption, ...argsOf('DefaultPreemption', args, fields, path) } as PreemptionShare;
  checkWhole(`${path}.minCandidateNodesPercentage`, share.minCandidateNodesPercentage, 0, 100);
  checkWhole(`${path}.minCandidateNodesAbsolute`, share.minCandidateNodesAbsolute, 0);
  if (share.minCandidateNodesPercentage === 0 && share.minCandidateNodesAbsolute === 0)
    throw badConfig(`"${path}"`, 'no node would be a candidate', 'Give a percentage or a number above 0');
  return share;
}

/** Throws BAD_CONFIG for what a plugin does not take. */
function argsOf(name: string, args: unknown, fields: Fields, path: string): object {
  const { apiVersion = configApiVersion, kind = `${name}Args`, ...given } = isTree(args) ? args : {};
  if (apiVersion !== configApiVersion || kind !== `${name}Args`)
    throw badConfig(`"${path}"`, `they are a "${kind}" of "${apiVersion}"`, `It takes ${name}Args of ${configApiVersion}`);
  checkField(args === undefined || args === null ? {} : isTree(args) ? given : args, fields, path);
  return withoutNulls(given);
}
