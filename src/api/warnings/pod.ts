/** Warnings for pods and for the pod templates of workloads. */
import { milli, quantityOf } from '../quantity/quantity.ts';
import type {
  Container,
  ContainerPort,
  EphemeralContainer,
  NodeSelectorTerm,
  PodAffinityTerm,
  PodSpec,
  PodTemplateSpec,
  Volume,
} from '../schema/types.ts';
import { repeats } from '../validation/field-error.ts';
import { isLabelValue } from '../validation/names.ts';
import { deprecatedLabel, labelWarnings } from './node-labels.ts';

type AnyContainer = Container | EphemeralContainer;
type Place = readonly [at: string, container: AnyContainer];

const oldAnnotations: Readonly<Record<string, string>> = {
  'scheduler.alpha.kubernetes.io/critical-pod': 'non-functional in v1.16+; use the "priorityClassName" field instead',
  'security.alpha.kubernetes.io/sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
  'security.alpha.kubernetes.io/unsafe-sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
};
const seccompAnnotation = 'seccomp.security.alpha.kubernetes.io/pod';
/** Deprecated kinds of volumes, by the names of their fields. */
const oldVolumes: Readonly<Record<string, string>> = {
  photonPersistentDisk: 'deprecated in v1.11, non-functional in v1.16+',
  gitRepo: 'deprecated in v1.11, and disabled by default in v1.33+',
  scaleIO: 'deprecated in v1.16, non-functional in v1.22+',
  flocker: 'deprecated in v1.22, non-functional in v1.25+',
  storageos: 'deprecated in v1.22, non-functional in v1.25+',
  quobyte: 'deprecated in v1.22, non-functional in v1.25+',
  glusterfs: 'deprecated in v1.25, non-functional in v1.26+',
  cephfs: 'deprecated in v1.28, non-functional in v1.31+',
  rbd: 'deprecated in v1.28, non-functional in v1.31+',
};

/** `path` is that of the template, with which its warnings begin; '' for a pod. */
export function podWarnings({ metadata, spec }: PodTemplateSpec, path: string = ''): string[] {
  if (!spec) return [];
  const root = path ? `${path}.` : '';
  const annotations = metadata?.annotations ?? {};
  const places = containersOf(spec, `${root}spec`);
  const profiled = spec.securityContext?.seccompProfile !== undefined;
  return [
    ...placementWarnings(spec, `${root}spec`),
    ...annotationWarnings(annotations, `${root}metadata.annotations`, oldAnnotations),
    ...(spec.volumes ?? []).flatMap((volume, i) => volumeWarnings(volume, `${root}spec.volumes[${i}]`)),
    ...repeated(
      spec.hostAliases,
      (one) => one.ip ?? '',
      (i, ip) => `${root}spec.hostAliases[${i}].ip: duplicate ip ${JSON.stringify(ip)}`,
    ),
    ...repeated(
      spec.imagePullSecrets,
      (one) => one.name ?? '',
      (i, name) => `${root}spec.imagePullSecrets[${i}].name: duplicate name ${JSON.stringify(name)}`,
    ),
    ...(spec.imagePullSecrets ?? []).flatMap(({ name }, i) =>
      name ? [] : [`${root}spec.imagePullSecrets[${i}].name: invalid empty name ""`],
    ),
    ...fractionWarnings(spec.overhead, `${root}spec.overhead`),
    ...(annotations[seccompAnnotation] !== undefined && !profiled
      ? [`${root}metadata.annotations[${seccompAnnotation}]: non-functional in v1.27+; use the "seccompProfile" field instead`]
      : []),
    ...places.flatMap(([at, container]) => [
      ...fractionWarnings(container.resources?.limits, `${at}.resources.limits`),
      ...fractionWarnings(container.resources?.requests, `${at}.resources.requests`),
      ...envWarnings(container, at),
    ]),
    ...portWarnings(places),
  ];
}

/** Warnings for the template of a workload, at `spec.template`. */
export function templateWarnings({ spec }: { readonly spec?: { readonly template?: PodTemplateSpec | undefined } | undefined }): string[] {
  return podWarnings(spec?.template ?? {}, 'spec.template');
}

/** A warning for each annotation that has a text in `texts`. */
export function annotationWarnings(
  annotations: Readonly<Record<string, string>> | undefined,
  path: string,
  texts: Readonly<Record<string, string>>,
): string[] {
  return Object.entries(texts).flatMap(([key, text]) => (annotations?.[key] === undefined ? [] : [`${path}[${key}]: ${text}`]));
}

function containersOf(spec: PodSpec, path: string): Place[] {
  const lists = ['initContainers', 'containers', 'ephemeralContainers'] as const;
  return lists.flatMap((list) => (spec[list] ?? []).map((one: AnyContainer, i) => [`${path}.${list}[${i}]`, one] as const));
}

/** A warning for every entry whose key was there before. */
function repeated<T>(list: readonly T[] | undefined, keyFor: (entry: T) => string, text: (index: number, key: string) => string): string[] {
  const isRepeated = repeats<string>();
  return (list ?? []).flatMap((entry, i) => (isRepeated(keyFor(entry)) ? [text(i, keyFor(entry))] : []));
}

function placementWarnings({ nodeSelector, affinity, topologySpreadConstraints: spread }: PodSpec, path: string): string[] {
  const at = `${path}.affinity`;
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity ?? {};
  const requiredKey = 'requiredDuringSchedulingIgnoredDuringExecution';
  const preferredKey = 'preferredDuringSchedulingIgnoredDuringExecution';
  return [
    ...Object.keys(nodeSelector ?? {}).flatMap((key) => labelWarnings(key, `${path}.nodeSelector[${key}]`)),
    ...(nodeAffinity?.[requiredKey]?.nodeSelectorTerms ?? []).flatMap((term, i) =>
      termWarnings(term, `${at}.nodeAffinity.${requiredKey}.nodeSelectorTerms[${i}]`, false),
    ),
    ...(nodeAffinity?.[preferredKey] ?? []).flatMap(({ preference }, i) =>
      termWarnings(preference ?? {}, `${at}.nodeAffinity.${preferredKey}[${i}].preference`, true),
    ),
    ...(spread ?? []).flatMap(({ topologyKey, labelSelector }, i) => [
      ...(deprecatedLabel(topologyKey)
        ? [`${path}.topologySpreadConstraints[${i}].topologyKey: ${topologyKey} is ${deprecatedLabel(topologyKey)}`]
        : []),
      ...(labelSelector ? [] : [`${path}.topologySpreadConstraints[${i}].labelSelector: a null labelSelector results in matching no pod`]),
    ]),
    ...Object.entries({ podAffinity, podAntiAffinity }).flatMap(([key, group]) => [
      ...(group?.[requiredKey] ?? []).flatMap((term, i) => unselected(term, `${at}.${key}.${requiredKey}[${i}]`)),
      ...(group?.[preferredKey] ?? []).flatMap(({ podAffinityTerm }, i) =>
        unselected(podAffinityTerm, `${at}.${key}.${preferredKey}[${i}].podAffinityTerm`),
      ),
    ]),
  ];
}

/** Warnings for a node selector term. Values that no label can have are warned of if the term is `preferred`; elsewhere they are refused. */
export function termWarnings({ matchExpressions = [] }: NodeSelectorTerm, path: string, preferred: boolean): string[] {
  return matchExpressions.flatMap(({ key, values = [] }, i) => {
    const at = `${path}.matchExpressions[${i}]`;
    const text = deprecatedLabel(key);
    const wrong = preferred
      ? values.flatMap((value, j) => isLabelValue(value).map((why) => valueWarning(`${at}.values[${j}]`, value, why)))
      : [];
    return text ? [`${at}.key: ${key} is ${text}`, ...wrong] : wrong;
  });
}

function valueWarning(path: string, value: string, why: string): string {
  return `${path}: ${value} is invalid, ${why}`;
}

function unselected(term: PodAffinityTerm | undefined, path: string): string[] {
  return term && !term.labelSelector ? [`${path}.labelSelector: a null labelSelector results in matching no pod`] : [];
}

function volumeWarnings(volume: Volume, path: string): string[] {
  const template = volume.ephemeral?.volumeClaimTemplate;
  return [
    ...oldVolumeWarnings(volume, path, Object.keys(oldVolumes)),
    ...(template ? claimSizeWarnings(template.spec?.resources, `${path}.ephemeral.volumeClaimTemplate.spec.resources`) : []),
  ];
}

/** Warnings for those deprecated `kinds` of volumes that are given. */
export function oldVolumeWarnings(volume: object, path: string, kinds: readonly string[]): string[] {
  return kinds
    .filter((kind) => volume[kind as keyof typeof volume] !== undefined)
    .map((kind) => `${path}.${kind === 'storageos' ? 'storageOS' : kind}: ${oldVolumes[kind]}`);
}

interface Amounts {
  readonly requests?: Readonly<Record<string, string>> | undefined;
  readonly limits?: Readonly<Record<string, string>> | undefined;
}

export function claimSizeWarnings({ requests, limits }: Amounts = {}, path: string): string[] {
  return [...fractions(requests, `${path}.requests`, ['storage']), ...fractions(limits, `${path}.limits`, ['storage'])];
}

function fractionWarnings(amounts: Readonly<Record<string, string>> | undefined, path: string): string[] {
  return fractions(amounts, path, ['memory', 'ephemeral-storage']);
}

/** Amounts of bytes should be whole numbers. */
function fractions(amounts: Readonly<Record<string, string>> | undefined, path: string, names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const text = amounts?.[name];
    const amount = text === undefined ? undefined : quantityOf(text);
    if (!amount || milli(amount) % 1000n === 0n) return [];
    return [`${path}[${name}]: fractional byte value ${JSON.stringify(text)} is invalid, must be an integer`];
  });
}

/** A variable may stand twice if the second value contains the first one (`PATH: $(PATH):/x`). */
function envWarnings({ env }: AnyContainer, path: string): string[] {
  const isRepeated = repeats<string>();
  return (env ?? []).flatMap(({ name, value = '', valueFrom }, i) => {
    const ref = `$(${name})`;
    const containsFirst = valueFrom === undefined && value !== ref && value.includes(ref);
    if (!isRepeated(name) || containsFirst) return [];
    return [`${path}.env[${i}]: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`];
  });
}

interface PlacedPort {
  readonly at: string;
  readonly port: ContainerPort;
}

/** Ports are compared with at most so many others of their number: all pairs of a pod of 14,000 ports would be a hundred million texts. */
const comparedPorts = 4;

function portWarnings(places: readonly Place[]): string[] {
  const all = places.flatMap(([at, { ports }]) => (ports ?? []).map((port, i) => ({ at: `${at}.ports[${i}]`, port })));
  const before = new Map<string, PlacedPort[]>();
  const clashes = all.flatMap((placed) => {
    const number = `${placed.port.containerPort}/${placed.port.protocol ?? ''}`;
    const others = before.get(number);
    const found = (others ?? []).flatMap((other) => portClash(placed, other));
    if (!others) before.set(number, [placed]);
    else if (others.length < comparedPorts) others.push(placed);
    return found;
  });
  const named = new Map<string, string>();
  const names = all.flatMap(({ at, port: { name } }) => {
    if (!name) return [];
    const first = named.get(name);
    named.set(name, first ?? at);
    if (first === undefined) return [];
    return [
      `${at}: duplicate port name ${JSON.stringify(name)} with ${first}, services and probes that select ports by name will use ${first}`,
    ];
  });
  return [...clashes, ...names];
}

/** The warning for two ports of one number and protocol. */
function portClash({ at, port }: PlacedPort, { at: other, port: before }: PlacedPort): string[] {
  const [mine, theirs] = [port.hostPort ?? 0, before.hostPort ?? 0];
  if (mine === theirs && (port.hostIP ?? '') === (before.hostIP ?? '')) return [`${at}: duplicate port definition with ${other}`];
  if (mine === 0 || theirs === 0) return [`${at}: overlapping port definition with ${other}`];
  const oneOpen = (port.hostIP ?? '') === '' || (before.hostIP ?? '') === '';
  return mine === theirs && oneOpen ? [`${at}: dangerously ambiguous port definition with ${other}`] : [];
}
