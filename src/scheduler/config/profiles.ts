/**
 * The profiles of a KubeSchedulerConfiguration: which plugins filter and score, in which order and with which weight, after upstream's
 * rules for extension points and `multiPoint`. Pure.
 */
import { badConfig } from '../../api/configuration-fields.ts';
import type { Plugin } from '../plugin.ts';
import { plugins as defaultPlugins } from '../plugins/order.ts';
import { defaultPreemption, defaultProfile, defaultSchedulerName, type Profile } from '../profile.ts';
import { checkWhole, type KubeSchedulerConfiguration, type PluginReference, type PluginSet, type ProfileConfiguration } from './config.ts';
import { pluginWith, preemptionWith } from './plugin-args.ts';

type PluginSets = Readonly<Record<string, PluginSet>>;

/** No plugin here, but what a profile does when no node will do. */
const preemption = 'DefaultPreemption';

/** What of the framework's plugins is no plugin here, but always there. */
const alwaysOn: Readonly<Record<string, string>> = { SchedulingGates: 'preEnqueue', PrioritySort: 'queueSort', DefaultBinder: 'bind' };

/** Plugins of upstream's that are not here: to disable them is to ask for what is so. */
const onlyUpstream: readonly string[] = [
  ...['VolumeRestrictions', 'NodeVolumeLimits', 'VolumeZone'],
  ...['NodeDeclaredFeatures', 'GangScheduling', 'EBSLimits', 'GCEPDLimits', 'AzureDiskLimits', 'CinderLimits'],
];

/** At which points upstream's plugins of the same name are called. Others than `filter` and `score` only prepare or follow up. */
const pointsOf: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(Object.entries(alwaysOn).map(([name, point]) => [name, [point]])),
  [preemption]: ['preEnqueue', 'postFilter'],
  NodeUnschedulable: ['filter'],
  NodeName: ['filter'],
  TaintToleration: ['filter', 'preScore', 'score'],
  NodeAffinity: ['preFilter', 'filter', 'preScore', 'score'],
  NodePorts: ['preFilter', 'filter'],
  NodeResourcesFit: ['preFilter', 'filter', 'preScore', 'score'],
  VolumeBinding: ['preFilter', 'filter', 'reserve', 'preBind'],
  DynamicResources: ['preEnqueue', 'preFilter', 'filter', 'postFilter', 'reserve', 'preBind'],
  InterPodAffinity: ['preFilter', 'filter', 'preScore', 'score'],
  NodeResourcesBalancedAllocation: ['preScore', 'score'],
  ImageLocality: ['score'],
  PodTopologySpread: ['preFilter', 'filter', 'preScore', 'score'],
};

/** As `multiPoint` has them where nothing is said. */
const defaults: readonly PluginReference[] = [
  ...[...Object.keys(alwaysOn), preemption].map((name) => ({ name })),
  ...defaultPlugins.map(({ name, scoring }) => ({ name, ...(scoring ? { weight: scoring.weight } : {}) })),
];

/** Throws BAD_CONFIG, naming the field or the plugin. */
export function profilesOf({ profiles = [], percentageOfNodesToScore }: KubeSchedulerConfiguration): Profile[] {
  const given = profiles.length > 0 ? profiles : [{}];
  const made = given.map((one, i) => profileOf(one, percentageOfNodesToScore, `profiles[${i}]`));
  for (const [i, { name }] of made.entries())
    if (made.findIndex((one) => one.name === name) < i)
      throw badConfig(`"profiles[${i}].schedulerName"`, `another profile is "${name}", too`, 'Give each a name of its own');
  return made;
}

function profileOf(given: ProfileConfiguration, percentage: number | undefined, path: string): Profile {
  const { schedulerName, plugins: sets = {}, percentageOfNodesToScore, pluginConfig = [] } = given;
  checkSets(sets, `${path}.plugins`);
  const withArgs = new Map<string, Plugin>();
  let share = defaultPreemption;
  for (const [i, { name, args }] of pluginConfig.entries()) {
    const at = `${path}.pluginConfig[${i}]`;
    if (pluginConfig.findIndex((one) => one.name === name) < i)
      throw badConfig(`"${at}"`, `"${name}" has arguments already`, 'Give them once');
    if (name === preemption) share = preemptionWith(args, `${at}.args`);
    else withArgs.set(name, pluginWith(name, args, `${at}.args`));
  }
  const after = enabledAt('postFilter', sets.postFilter ?? {}, merged(sets.multiPoint ?? {}));
  return {
    name: schedulerName ?? defaultSchedulerName,
    plugins: pluginsOf(sets, withArgs, `${path}.plugins`),
    percentageOfNodesToScore: percentageOfNodesToScore ?? percentage ?? defaultProfile.percentageOfNodesToScore,
    preemption: after.some(({ name }) => name === preemption) ? share : undefined,
  };
}

function pluginsOf(sets: PluginSets, withArgs: ReadonlyMap<string, Plugin>, path: string): Plugin[] {
  const multiPoint = merged(sets.multiPoint ?? {});
  const at = (point: string): readonly PluginReference[] => enabledAt(point, sets[point] ?? {}, multiPoint);
  for (const [name, point] of Object.entries(alwaysOn))
    if (!at(point).some((one) => one.name === name))
      throw badConfig(`"${path}.${point}"`, `"${name}" cannot be switched off`, 'Take it out, or enable it again');
  const [filters, scores] = [at('filter'), at('score')];
  checkPrepared(filters, at('preFilter'), ['preFilter', 'filter'], path);
  checkPrepared(scores, at('preScore'), ['preScore', 'score'], path);
  const names = new Set([...filters, ...scores].map(({ name }) => name));
  return [...names].flatMap((name) => {
    const plugin = withArgs.get(name) ?? defaultPlugins.find((one) => one.name === name);
    const score = scores.find((one) => one.name === name);
    return plugin
      ? [
          partOf(
            plugin,
            filters.some((one) => one.name === name),
            score,
          ),
        ]
      : [];
  });
}

/** A plugin that is called to filter, or to score, or both. */
function partOf(plugin: Plugin, filters: boolean, scores: PluginReference | undefined): Plugin {
  const { scoring, ...silent } = plugin;
  const whole: Plugin = scoring && scores ? { ...silent, scoring: { ...scoring, weight: scores.weight || 1 } } : silent;
  if (filters) return whole;
  return {
    ...whole,
    prepare(pod, cluster) {
      const { score } = plugin.prepare(pod, cluster) ?? {};
      return score && { score };
    },
  };
}

/** The default plugins with what a profile says of all points: one that is named keeps its place, others come after. */
function merged({ enabled = [], disabled = [] }: PluginSet): PluginReference[] {
  const off = new Set(disabled.map(({ name }) => name));
  const kept = off.has('*') ? [] : defaults.filter(({ name }) => !off.has(name));
  const named = new Map(enabled.map((one) => [one.name, one]));
  const more = enabled.filter(({ name }) => !kept.some((one) => one.name === name));
  return [...kept.map((one) => named.get(one.name) ?? one), ...more];
}

/** What is called at a point: first what is named here over `multiPoint`, then the rest of that, then what else is named here. */
function enabledAt(point: string, { enabled = [], disabled = [] }: PluginSet, multiPoint: readonly PluginReference[]): PluginReference[] {
  const off = new Set(disabled.map(({ name }) => name));
  const candidates = off.has('*') ? [] : multiPoint.filter(({ name }) => pointsOf[name]?.includes(point) && !off.has(name));
  const isNamed = ({ name }: PluginReference): boolean => enabled.some((one) => one.name === name);
  const overrides = (reference: PluginReference): boolean => candidates.some(({ name }) => name === reference.name);
  return [...enabled.filter(overrides), ...candidates.filter((one) => !isNamed(one)), ...enabled.filter((one) => !overrides(one))];
}

/** Here a plugin prepares when it filters or scores, as upstream's would fail if it did not. */
function checkPrepared(
  called: readonly PluginReference[],
  prepared: readonly PluginReference[],
  [before, point]: readonly [string, string],
  path: string,
): void {
  for (const { name } of called)
    if (pointsOf[name]?.includes(before) && !prepared.some((one) => one.name === name))
      throw badConfig(`"${path}.${before}"`, `"${name}" is off there and on at ${point}`, `Disable it at ${point}, too, or at neither`);
}

function checkSets(sets: PluginSets, path: string): void {
  for (const [point, { enabled = [], disabled = [] }] of Object.entries(sets)) {
    const names = enabled.map(({ name }) => name);
    for (const [i, { name, weight }] of enabled.entries()) {
      const at = `${path}.${point}.enabled[${i}]`;
      checkEnabled(name, point, at);
      if (names.indexOf(name) < i) throw badConfig(`"${at}"`, `"${name}" is there already`, 'Name it once');
      checkWhole(`${at}.weight`, weight, 0);
    }
    const unknown = disabled.find(({ name }) => name !== '*' && !Object.hasOwn(pointsOf, name) && !onlyUpstream.includes(name));
    if (unknown) throw noPlugin(`${path}.${point}.disabled`, unknown.name);
  }
}

function checkEnabled(name: string, point: string, path: string): void {
  const points = Object.hasOwn(pointsOf, name) ? pointsOf[name] : undefined;
  if (!points) throw noPlugin(path, name);
  if (point !== 'multiPoint' && !points.includes(point))
    throw badConfig(`"${path}"`, `"${name}" does nothing at ${point}`, `It is called at ${points.join(', ')}`);
}

function noPlugin(path: string, name: string): Error {
  return badConfig(`"${path}"`, `there is no plugin "${name}" here`, `There are ${Object.keys(pointsOf).join(', ')}`);
}
