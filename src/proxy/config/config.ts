/** KubeProxyConfiguration, whole: from its file and from flags to what a proxy is told. A field has its effect, is named as one that has none, or is refused by name. */
import { isIPv6 } from 'node:net';
import { parse } from 'yaml';
import { KnownError } from '../../errors/known-error.ts';
import { checks, ofOtherSystems, readOnce, togetherWrong, withoutEffect, withoutEffectAmong } from './check.ts';
import { configApiVersion, configDefaults, configKind, type Given, type KubeProxyConfiguration } from './kube-proxy-configuration.ts';

type Tree = { [name: string]: unknown };

/** Objects whose fields are the user's own. */
const free: readonly string[] = ['featureGates'];

/** Fields for whose preset kube-proxy takes a 0, which kubeadm writes. */
const zeroIsPreset = /(^|\.)(\w*[sS]yncPeriod|qps|burst|flushFrequency)$/;

function isUnset(path: string, value: unknown): boolean {
  if (path === 'nodePortAddresses' && Array.isArray(value) && value.length === 0) return true;
  return value === null || value === '' || (['0', '0s'].includes(String(value)) && zeroIsPreset.test(path));
}

function bad(why: string, hint = `See ${configApiVersion}`): KnownError {
  return new KnownError('BAD_CONFIG', `Cannot use the KubeProxyConfiguration: ${why}`, { hint });
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? 'list' : value === null ? 'null' : typeof value;
}

/** Why a field may not have this value; undefined when it may. */
function refusal(path: string, value: unknown, preset: unknown): string | undefined {
  if (kindOf(value) !== kindOf(preset)) return `it takes a ${kindOf(preset)}`;
  const isForeign = ofOtherSystems.some((name) => path === name || path.startsWith(`${name}.`));
  if (isForeign && JSON.stringify(value) !== JSON.stringify(preset)) return 'it is for Windows, and this proxy runs on Linux';
  return checks[path]?.(value as never);
}

/** What the tree says, without what is as good as absent. Throws BAD_CONFIG. */
function givenIn(tree: Tree, presets: Tree, at = ''): Tree {
  const given: Tree = {};
  for (const [name, value] of Object.entries(tree)) {
    const path = at + name;
    const preset = presets[name];
    if (preset === undefined) throw bad(`there is no field "${path}"`, `The fields there are ${Object.keys(presets).join(', ')}`);
    if (isUnset(path, value)) continue;
    if (isTree(value) && isTree(preset) && !free.includes(path)) given[name] = givenIn(value, preset, `${path}.`);
    else {
      const why = refusal(path, value, preset);
      if (why !== undefined) throw bad(`${path} is ${JSON.stringify(value)}: ${why}`);
      given[name] = value;
    }
  }
  return given;
}

/** Addresses that a file does not name follow the family of its bindAddress, as in kube-proxy. */
const ofIPv6: Given<KubeProxyConfiguration> = { healthzBindAddress: '[::]:10256', metricsBindAddress: '[::1]:10249' };

/**
 * A file without a mode, such as kubeadm's, was written for kube-proxy's preset, iptables: ours serves node ports where that one does, and heeds what the file
 * says of it. What it says of ours holds over that.
 */
function ofNoMode({ iptables = {}, nftables }: Given<KubeProxyConfiguration>): Given<KubeProxyConfiguration> {
  const { localhostNodePorts: _, snatNodeInternalIP: __, ...alike } = iptables;
  return { nftables: { ...alike, ...nftables } };
}

/** What it does not say, but brings with it. */
function presetsOf({ mode, bindAddress = '', iptables }: Given<KubeProxyConfiguration>): Given<KubeProxyConfiguration> {
  const everywhere = iptables?.localhostNodePorts === false ? ['all'] : ['all', 'localhost'];
  return { ...(isIPv6(bindAddress) ? ofIPv6 : {}), ...(mode === undefined ? { nodePortAddresses: everywhere } : {}) };
}

/** Reads a file's text, YAML or JSON, which is over `flags`. Throws BAD_CONFIG, naming the field. */
export function readProxyConfig(text: string, ...flags: readonly Given<KubeProxyConfiguration>[]): Given<KubeProxyConfiguration> {
  let file: unknown;
  try {
    file = parse(text) ?? {};
  } catch (err) {
    throw new KnownError('BAD_CONFIG', 'Cannot read the KubeProxyConfiguration: it is no YAML', {
      cause: err,
      hint: 'It takes YAML or JSON',
    });
  }
  if (!isTree(file)) throw bad(`it is a ${kindOf(file)}, and it takes fields`);
  const { apiVersion, kind, ...fields } = file;
  if (kind !== configKind) throw bad(`kind is "${kind ?? ''}", and not "${configKind}"`);
  if (apiVersion !== configApiVersion) throw bad(`apiVersion is "${apiVersion ?? ''}", and not "${configApiVersion}"`);
  const given = givenIn(fields, configDefaults as unknown as Tree) as Given<KubeProxyConfiguration>;
  const below = flags.reduce<Tree>((all, one) => merged(all, one as Tree), {});
  const said = merged(below, given as Tree) as Given<KubeProxyConfiguration>;
  return { ...presetsOf(said), ...below, ...given, ...(said.mode === undefined ? ofNoMode(given) : {}) };
}

function merged(below: Tree, above: Tree): Tree {
  const both: Tree = { ...below };
  for (const [name, value] of Object.entries(above)) {
    const under = below[name];
    both[name] = isTree(value) && isTree(under) ? merged(under, value) : value;
  }
  return both;
}

/** The presets, with what each of `given` says over what stands before it. */
export function completed(...given: readonly Given<KubeProxyConfiguration>[]): KubeProxyConfiguration {
  return given.reduce<Tree>((all, one) => merged(all, one as Tree), configDefaults as unknown as Tree) as unknown as KubeProxyConfiguration;
}

function at(config: KubeProxyConfiguration, path: string): unknown {
  return path.split('.').reduce<unknown>((tree, name) => (tree as Tree)[name], config);
}

/** One field of a configuration by its path, such as `iptables.syncPeriod`, from the text of a flag. Throws USAGE. */
export function fieldFromText(path: string, text: string, flag: string): Given<KubeProxyConfiguration> {
  const value = fromText(at(configDefaults, path), text);
  const why = refusal(path, value, at(configDefaults, path));
  if (why !== undefined) throw new KnownError('USAGE', `Cannot use --${flag}="${text}": ${why}`, { hint: 'See "fairlead proxy --help"' });
  return path
    .split('.')
    .reverse()
    .reduce<unknown>((tree, name) => ({ [name]: tree }), value) as Given<KubeProxyConfiguration>;
}

const switchWords: Readonly<Record<string, boolean>> = { true: true, t: true, 1: true, false: false, f: false, 0: false };

function fromText(preset: unknown, text: string): unknown {
  if (typeof preset === 'number') return Number(text);
  if (typeof preset === 'boolean') return text === 'true';
  if (Array.isArray(preset)) return text.split(',').filter(Boolean);
  if (!isTree(preset)) return text;
  return Object.fromEntries(
    text
      .split(',')
      .filter(Boolean)
      .map((gate) => gate.split('='))
      .map(([gate, value = '']) => [gate, switchWords[value.toLowerCase()] ?? value]),
  );
}

/** Throws BAD_CONFIG for fields that cannot hold together. */
export function checkTogether(config: KubeProxyConfiguration): void {
  const [wrong] = togetherWrong(config);
  if (wrong !== undefined) throw bad(wrong);
}

/** One line for each field that says something, and changes nothing. `isAlone`: whether the process is the proxy's own. */
export function idleFields(config: KubeProxyConfiguration, isAlone = true): string[] {
  const idle = { ...withoutEffect, ...(isAlone ? {} : withoutEffectAmong) };
  const fields = Object.entries(idle).flatMap(([path, why]) => {
    return JSON.stringify(at(config, path)) === JSON.stringify(at(configDefaults, path)) ? [] : [`${path} has no effect: ${why}`];
  });
  const gates = Object.keys(config.featureGates).map((gate) => `The feature gate ${gate} has no effect: nothing here waits for it`);
  const isVain = config.detectLocalMode === 'ClusterCIDR' && config.clusterCIDR === '';
  return [...fields, ...gates, ...(isVain ? ['detectLocalMode has no effect: it is ClusterCIDR, and clusterCIDR names no range'] : [])];
}

/** One line for each section in which a proxy at work does not heed that it says something else now. */
export function lateFields(before: KubeProxyConfiguration, now: KubeProxyConfiguration, isAlone = true): string[] {
  const told = ({ clientConnection, logging }: KubeProxyConfiguration) => ({ clientConnection, logging: { ...logging, verbosity: 0 } });
  const [had, has] = [told(before), told(now)];
  const isHeeded = (section: string): boolean => isAlone || section !== 'logging';
  const changed = readOnce.filter((section) => isHeeded(section) && JSON.stringify(had[section]) !== JSON.stringify(has[section]));
  return changed.map((section) => `The changed ${section} holds from the proxy's next start on`);
}

/** As `--write-config-to` writes it and /configz tells it. */
export function fileOf(config: KubeProxyConfiguration): object {
  return { apiVersion: configApiVersion, kind: configKind, ...config };
}
