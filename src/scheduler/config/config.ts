/**
 * KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1), from its file. A field has its effect, is named as one that has none, or is
 * refused by name. Pure.
 */
import { parse } from 'yaml';
import { badConfig, checkField, type Fields, isTree, withoutNulls } from '../../api/configuration-fields.ts';

export const configApiVersion = 'kubescheduler.config.k8s.io/v1';
export const configKind = 'KubeSchedulerConfiguration';

export interface PluginReference {
  readonly name: string;
  /** Of a plugin that scores; 1 without. */
  readonly weight?: number;
}

export interface PluginSet {
  readonly enabled?: readonly PluginReference[];
  /** `*` for all. */
  readonly disabled?: readonly PluginReference[];
}

export interface ProfileConfiguration {
  readonly schedulerName?: string;
  readonly percentageOfNodesToScore?: number;
  /** By extension point, or for all of them under `multiPoint`. */
  readonly plugins?: Readonly<Record<string, PluginSet>>;
  readonly pluginConfig?: readonly { readonly name: string; readonly args?: unknown }[];
}

export interface KubeSchedulerConfiguration {
  readonly parallelism?: number;
  readonly leaderElection?: {
    readonly leaderElect?: boolean;
    readonly leaseDuration?: string;
    readonly renewDeadline?: string;
    readonly retryPeriod?: string;
    readonly resourceLock?: string;
    readonly resourceName?: string;
    readonly resourceNamespace?: string;
  };
  readonly clientConnection?: {
    readonly kubeconfig?: string;
    readonly acceptContentTypes?: string;
    readonly contentType?: string;
    readonly qps?: number;
    readonly burst?: number;
  };
  readonly enableProfiling?: boolean;
  readonly enableContentionProfiling?: boolean;
  readonly percentageOfNodesToScore?: number;
  readonly podInitialBackoffSeconds?: number;
  readonly podMaxBackoffSeconds?: number;
  readonly delayCacheUntilActive?: boolean;
  readonly profiles?: readonly ProfileConfiguration[];
}

const extensionPoints: readonly string[] = [
  ...['preEnqueue', 'queueSort', 'preFilter', 'filter', 'postFilter', 'preScore', 'score'],
  ...['reserve', 'permit', 'preBind', 'bind', 'postBind', 'multiPoint'],
];

const references = [{ name: 'text', weight: 'number' }] as const;
const pluginSet: Fields = { enabled: references, disabled: references };

const fields: Fields = {
  parallelism: 'number',
  leaderElection: {
    ...{ leaderElect: 'switch', leaseDuration: 'text', renewDeadline: 'text', retryPeriod: 'text' },
    ...{ resourceLock: 'text', resourceName: 'text', resourceNamespace: 'text' },
  },
  clientConnection: { kubeconfig: 'text', acceptContentTypes: 'text', contentType: 'text', qps: 'number', burst: 'number' },
  enableProfiling: 'switch',
  enableContentionProfiling: 'switch',
  percentageOfNodesToScore: 'number',
  podInitialBackoffSeconds: 'number',
  podMaxBackoffSeconds: 'number',
  delayCacheUntilActive: 'switch',
  profiles: [
    {
      schedulerName: 'text',
      percentageOfNodesToScore: 'number',
      plugins: Object.fromEntries(extensionPoints.map((point) => [point, pluginSet])),
      pluginConfig: [{ name: 'text', args: 'free' }],
    },
  ],
};

/** Fields that are right and change nothing, with the reason. */
const withoutEffect: Readonly<Record<string, string>> = {
  parallelism: 'one thread looks at the nodes',
  'clientConnection.acceptContentTypes': 'the client speaks JSON',
  'clientConnection.contentType': 'the client speaks JSON',
  'clientConnection.qps': 'work is paced by the API server, by priority and fairness',
  'clientConnection.burst': 'work is paced by the API server, by priority and fairness',
  enableProfiling: "SIGUSR1 opens Node.js's inspector at 127.0.0.1:9229",
  enableContentionProfiling: "SIGUSR1 opens Node.js's inspector at 127.0.0.1:9229",
  delayCacheUntilActive: 'what it knows of the cluster always comes with the lead',
};

/** Reads a file's text, YAML or JSON. Throws BAD_CONFIG, naming the field. */
export function readSchedulerConfiguration(text: string): KubeSchedulerConfiguration {
  const file = parsed(text);
  if (!isTree(file)) throw badConfig(`the ${configKind}`, 'it has no fields', 'Begin it with apiVersion and kind');
  const { apiVersion, kind, ...rest } = file;
  for (const [name, value, wanted] of [['kind', kind, configKind] as const, ['apiVersion', apiVersion, configApiVersion] as const])
    if (value !== wanted) throw badConfig(`the ${configKind}`, `${name} is "${value ?? ''}"`, `It takes ${wanted}`);
  checkField(rest, fields, configKind);
  const configuration: KubeSchedulerConfiguration = withoutNulls(rest);
  checkValues(configuration);
  return configuration;
}

function parsed(text: string): unknown {
  try {
    return parse(text) as unknown;
  } catch (err) {
    throw badConfig(`the ${configKind}`, `it is no YAML: ${String(err).split('\n')[0]}`, 'It takes YAML or JSON');
  }
}

/** Throws BAD_CONFIG unless `value`, if there is one, is a whole number in the range. */
export function checkWhole(path: string, value: number | undefined, min: number, max: number = 2 ** 31 - 1): void {
  if (value !== undefined && !(Number.isInteger(value) && value >= min && value <= max))
    throw badConfig(`"${path}"`, `it is ${value}`, `It takes a whole number from ${min} to ${max}`);
}

function checkValues(configuration: KubeSchedulerConfiguration): void {
  const { podInitialBackoffSeconds: first = 1, podMaxBackoffSeconds: most = 10, leaderElection, profiles } = configuration;
  checkWhole('parallelism', configuration.parallelism, 1);
  checkWhole('percentageOfNodesToScore', configuration.percentageOfNodesToScore, 0, 100);
  checkWhole('podInitialBackoffSeconds', first, 1);
  checkWhole('podMaxBackoffSeconds', most, first);
  for (const [i, profile] of (profiles ?? []).entries())
    checkWhole(`profiles[${i}].percentageOfNodesToScore`, profile.percentageOfNodesToScore, 0, 100);
  const { resourceLock = 'leases' } = leaderElection ?? {};
  if (resourceLock !== 'leases') throw badConfig('"leaderElection.resourceLock"', `it is "${resourceLock}"`, 'It takes leases');
}

/** One line for each field that says something, and changes nothing. */
export function idleFields(configuration: KubeSchedulerConfiguration): string[] {
  const given = (path: string): unknown =>
    path.split('.').reduce<unknown>((tree, name) => (isTree(tree) ? tree[name] : undefined), configuration);
  return Object.entries(withoutEffect).flatMap(([path, why]) => {
    const value = given(path);
    // As the dump of a configuration has it: nothing is said by it.
    return value === undefined || value === '' || value === 0 || value === false ? [] : [`${path} has no effect: ${why}`];
  });
}
