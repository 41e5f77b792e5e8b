/**
 * Which requests compete with which: upstream's suggested FlowSchemas and PriorityLevelConfigurations (API Priority and Fairness, KEP-1040;
 * kubernetes.io/docs/concepts/cluster-administration/flow-control), as a table. The first schema that matches a request gives it its level
 * and its flow.
 */
import { nodePartOf } from '../../api/node-parts.ts';
import {
  authenticatedGroup,
  mastersGroup,
  nodesGroup,
  serviceAccountsGroup,
  serviceAccountUser,
  type UserInfo,
  unauthenticatedGroup,
} from '../auth/user-info.ts';
import type { RequestInfo } from '../http/request-info.ts';

export type LevelName =
  | 'exempt'
  | 'leader-election'
  | 'node-high'
  | 'system'
  | 'workload-high'
  | 'workload-low'
  | 'global-default'
  | 'catch-all';

export interface LevelRow {
  readonly name: LevelName;
  /** Of the seats of the server. */
  readonly shares: number;
  /** Requests of one flow that may wait: upstream deals a flow six queues of fifty. */
  readonly queueLength: number;
  /**
   * True where the cluster can wait: such requests share a few milliseconds of each round of the event loop, so that however many there
   * are, what keeps the cluster alive gets its turn in between.
   */
  readonly paced: boolean;
}

/** Without `exempt`, which has no limits. */
export const levelRows: readonly LevelRow[] = [
  { name: 'leader-election', shares: 10, queueLength: 300, paced: false },
  { name: 'node-high', shares: 40, queueLength: 300, paced: false },
  { name: 'system', shares: 30, queueLength: 300, paced: false },
  { name: 'workload-high', shares: 40, queueLength: 300, paced: false },
  { name: 'workload-low', shares: 100, queueLength: 300, paced: true },
  { name: 'global-default', shares: 20, queueLength: 300, paced: true },
  { name: 'catch-all', shares: 5, queueLength: 50, paced: true },
];

export function isPaced(name: LevelName): boolean {
  return levelRows.some((row) => row.name === name && row.paced);
}

interface SchemaRow {
  readonly name: string;
  readonly level: LevelName;
  /** What parts the flows of a schema. */
  readonly by: 'user' | 'namespace';
  matches(user: UserInfo, info: RequestInfo): boolean;
}

const controllerManager = 'system:kube-controller-manager';
const cloudControllerManager = 'system:cloud-controller-manager';
const scheduler = 'system:kube-scheduler';
const electing = [controllerManager, cloudControllerManager, scheduler];
const kubeSystem = serviceAccountUser('kube-system', '');

const isMember = (user: UserInfo, group: string): boolean => user.groups.includes(group);
const isKubeSystem = (user: UserInfo): boolean => user.name.startsWith(kubeSystem);
/** Kubelets, and the net-agents, proxies and DNS servers of nodes. */
const isNode = (user: UserInfo): boolean => isMember(user, nodesGroup) || nodePartOf(user) !== undefined;

function isElection({ verb, group, resource }: RequestInfo): boolean {
  const elects =
    group === 'coordination.k8s.io' ? resource === 'leases' : group === '' && (resource === 'endpoints' || resource === 'configmaps');
  return elects && (verb === 'get' || verb === 'create' || verb === 'update');
}

function isNodeVital({ group, resource }: RequestInfo): boolean {
  return group === 'coordination.k8s.io' ? resource === 'leases' : group === '' && resource === 'nodes';
}

const schemaRows: readonly SchemaRow[] = [
  { name: 'exempt', level: 'exempt', by: 'user', matches: (user) => isMember(user, mastersGroup) },
  {
    name: 'probes',
    level: 'exempt',
    by: 'user',
    matches: (_user, { isResource, path, verb }) => !isResource && verb === 'get' && /^\/(healthz|livez|readyz)$/.test(path),
  },
  {
    name: 'system-leader-election',
    level: 'leader-election',
    by: 'user',
    matches: (user, info) => (electing.includes(user.name) || isKubeSystem(user)) && isElection(info),
  },
  { name: 'system-node-high', level: 'node-high', by: 'user', matches: (user, info) => isMember(user, nodesGroup) && isNodeVital(info) },
  { name: 'system-nodes', level: 'system', by: 'user', matches: isNode },
  { name: 'kube-controller-manager', level: 'workload-high', by: 'namespace', matches: ({ name }) => name === controllerManager },
  {
    name: 'cloud-controller-manager',
    level: 'workload-high',
    by: 'namespace',
    matches: ({ name }) => name === cloudControllerManager,
  },
  { name: 'kube-scheduler', level: 'workload-high', by: 'namespace', matches: ({ name }) => name === scheduler },
  { name: 'kube-system-service-accounts', level: 'workload-high', by: 'namespace', matches: isKubeSystem },
  { name: 'service-accounts', level: 'workload-low', by: 'user', matches: (user) => isMember(user, serviceAccountsGroup) },
  {
    name: 'global-default',
    level: 'global-default',
    by: 'user',
    matches: (user) => isMember(user, authenticatedGroup) || isMember(user, unauthenticatedGroup),
  },
  { name: 'catch-all', level: 'catch-all', by: 'user', matches: () => true },
];

/** What a request competes as. */
export interface Flow {
  readonly schema: string;
  readonly level: LevelName;
  /** Names the flow within all levels. */
  readonly key: string;
  readonly user: string;
}

export function flowOf(user: UserInfo, info: RequestInfo): Flow {
  const row = schemaRows.find((schema) => schema.matches(user, info))!;
  return {
    schema: row.name,
    level: row.level,
    key: `${row.name} ${row.by === 'user' ? user.name : info.namespace}`,
    user: user.name,
  };
}

const lasting: ReadonlySet<string> = new Set(['attach', 'exec', 'log', 'portforward', 'proxy']);

/** True for what may last for hours; it is counted apart, as upstream's --long-running-request-regexp says. */
export function isLongRunning({ verb, subresource }: RequestInfo): boolean {
  return verb === 'watch' || lasting.has(subresource);
}
