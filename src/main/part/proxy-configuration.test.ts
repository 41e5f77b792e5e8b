import assert from 'node:assert/strict';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parseInvocation } from '../../cli/parse-invocation.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { FlagReader, type FlagValues } from '../flag-reader.ts';
import { partCommands } from '../part-commands.ts';
import { configurationOf, nodeNameIn, readConfiguration } from './proxy-configuration.ts';
import { deprecatedFlags, fieldFlags, namedFields } from './proxy-flags.ts';

/** `kube-proxy --help` of 1.35.3; and what it hides since it is deprecated, and what 1.27 had beside them. Those for Windows are left out. */
const switches = words(`bind-address-hard-fail cleanup conntrack-tcp-be-liberal help init-only iptables-localhost-nodeports ipvs-strict-arp
  log-json-split-stream log-text-split-stream masquerade-all profiling version`);
const withValue = words(`bind-address boot-id-file cluster-cidr config config-sync-period conntrack-max-per-core conntrack-min
  conntrack-tcp-timeout-close-wait conntrack-tcp-timeout-established conntrack-udp-timeout conntrack-udp-timeout-stream detect-local-mode
  feature-gates healthz-bind-address hostname-override iptables-masquerade-bit iptables-min-sync-period iptables-sync-period
  ipvs-exclude-cidrs ipvs-min-sync-period ipvs-scheduler ipvs-sync-period ipvs-tcp-timeout ipvs-tcpfin-timeout ipvs-udp-timeout
  kube-api-burst kube-api-content-type kube-api-qps kubeconfig log-flush-frequency log-json-info-buffer-size log-text-info-buffer-size
  logging-format machine-id-file master metrics-bind-address nodeport-addresses oom-score-adj pod-bridge-interface pod-interface-name-prefix
  proxy-mode show-hidden-metrics-for-version v vmodule write-config-to healthz-port metrics-port proxy-port-range udp-timeout`);
/** Of the command, and of every command. */
const elsewhere = ['cleanup', 'help', 'init-only', 'version', 'write-config-to'];

function words(text: string): string[] {
  return text.split(/\s+/);
}

test('every flag of kube-proxy is known, and takes a value where kube-proxy takes one', async () => {
  const { options = {} } = (await partCommands.proxy?.()) ?? {};
  const typeOf = (flag: string): string | undefined => (flag === 'help' ? 'boolean' : options[flag]?.type);
  assert.deepEqual(
    switches.filter((flag) => typeOf(flag) !== 'boolean'),
    [],
  );
  assert.deepEqual(
    withValue.filter((flag) => typeOf(flag) !== 'string'),
    [],
  );
});

test('every flag of kube-proxy is a field, or says why it changes nothing', () => {
  const own = ['config', 'kubeconfig', 'master'];
  const fields = [...Object.keys(namedFields), ...Object.keys(fieldFlags), ...Object.keys(deprecatedFlags), ...own, ...elsewhere];
  assert.deepEqual(
    [...switches, ...withValue].filter((flag) => !fields.includes(flag)),
    [],
  );
});

test('lists that are given several times are one list, as in kube-proxy', async () => {
  const { options = {} } = (await partCommands.proxy?.()) ?? {};
  const args = ['--nodeport-addresses=10.1.0.0/16', '--nodeport-addresses', '10.2.0.0/16,10.3.0.0/16', '--masquerade-all=T'];
  const { values } = parseInvocation('proxy', { options }, args, {});
  const { configuration } = await readConfiguration(new FlagReader(values as FlagValues));
  assert.deepEqual(configuration.nodePortAddresses, ['10.1.0.0/16', '10.2.0.0/16', '10.3.0.0/16']);
  assert.equal(configuration.iptables.masqueradeAll, true);
});

test('presets of flags are below what a file without a mode brings with it', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'fairlead-'));
  const path = join(folder.path, 'config.yaml');
  await writeFile(path, 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ""\nbindAddress: "::"\n');
  const { options = {} } = (await partCommands.proxy?.()) ?? {};
  const { values } = parseInvocation('proxy', { options }, [`--config=${path}`], {});
  const { configuration } = await readConfiguration(new FlagReader(values as FlagValues));
  const { mode, nodePortAddresses, metricsBindAddress, healthzBindAddress } = configuration;
  assert.deepEqual([mode, nodePortAddresses], ['nftables', ['all', 'localhost']]);
  assert.deepEqual([metricsBindAddress, healthzBindAddress], ['[::1]:10249', '[::]:10256']);
});

describe('configurationOf()', () => {
  const file = `apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nhostnameOverride: of-file\nclusterCIDR: 10.2.0.0/16\n`;

  test('has what flags say, and the file over them; the name of the node is the flag', () => {
    const given = { 'cluster-cidr': '10.1.0.0/16', 'hostname-override': 'of-flag', 'iptables-sync-period': '7s' };
    const { clusterCIDR, hostnameOverride, iptables } = configurationOf(given, file);
    assert.deepEqual([clusterCIDR, hostnameOverride, iptables.syncPeriod], ['10.2.0.0/16', 'of-flag', '7s']);
    assert.equal(configurationOf({}, file).hostnameOverride, 'of-file');
    assert.equal(configurationOf(given).clusterCIDR, '10.1.0.0/16');
  });

  test('has what a flag of all modes says in the sections of all', () => {
    const { iptables, nftables } = configurationOf({ 'masquerade-all': 'true', 'iptables-min-sync-period': '3s' });
    assert.deepEqual(
      [iptables.masqueradeAll, nftables.masqueradeAll, iptables.minSyncPeriod, nftables.minSyncPeriod],
      [true, true, '3s', '3s'],
    );
  });

  test('listens nowhere when a flag is empty', () => {
    assert.equal(configurationOf({ 'healthz-bind-address': '' }).healthzBindAddress, '');
  });

  test('has what flags of logging say over the file, as kubeadm writes a verbosity of 0', () => {
    const { logging } = configurationOf({ v: '5', 'logging-format': 'json' }, `${file}logging: { verbosity: 0, format: text }\n`);
    assert.deepEqual([logging.verbosity, logging.format], [5, 'json']);
  });

  test('listens nowhere where a deprecated port is 0, unless there is a file', () => {
    const off = { 'healthz-port': '0', 'metrics-port': '0' };
    const addresses = (text?: string): string[] => {
      const { healthzBindAddress, metricsBindAddress } = configurationOf(off, text);
      return [healthzBindAddress, metricsBindAddress];
    };
    assert.deepEqual(addresses(), ['', '']);
    assert.deepEqual(addresses(file), ['0.0.0.0:10256', '127.0.0.1:10249']);
    assert.equal(configurationOf({ 'healthz-port': '10256' }).healthzBindAddress, '0.0.0.0:10256');
  });

  const besideFile: [what: string, given: Record<string, string>, fields: string, nodePortAddresses: string[]][] = [
    ['what a flag says', { 'nodeport-addresses': '10.0.0.0/8' }, '', ['10.0.0.0/8']],
    ['what the file says over a flag', { 'nodeport-addresses': '10.0.0.0/8' }, 'nodePortAddresses: [primary]', ['primary']],
    ['what a flag says beside a file that says null', { 'nodeport-addresses': '10.0.0.0/8' }, 'nodePortAddresses: null', ['10.0.0.0/8']],
    ['the presets of the mode that a flag says', { 'proxy-mode': 'nftables' }, '', []],
    ['no loopback where a flag says so', { 'iptables-localhost-nodeports': 'false' }, '', ['all']],
    ['everything where neither says anything', { 'cluster-cidr': '10.1.0.0/16' }, '', ['all', 'localhost']],
  ];
  for (const [what, given, fields, wanted] of besideFile)
    test(`has as addresses of node ports, with a file that names no mode, ${what}`, () =>
      assert.deepEqual(configurationOf(given, file + fields).nodePortAddresses, wanted));

  test('listens where a flag says, and not where the family of the address in the file would have it', () => {
    const { metricsBindAddress, healthzBindAddress } = configurationOf(
      { 'metrics-bind-address': '127.0.0.1:1' },
      `${file}bindAddress: "::"`,
    );
    assert.deepEqual([metricsBindAddress, healthzBindAddress], ['127.0.0.1:1', '[::]:10256']);
  });

  test('reads the name of the node as kube-proxy does', () => {
    assert.equal(nodeNameIn(configurationOf({ 'hostname-override': ' Node-A ' }, file)), 'node-a');
    assert.equal(nodeNameIn(configurationOf({}, file.replace('of-file', 'Of-File'))), 'of-file');
  });

  const together: [name: string, fields: string, says: string][] = [
    [
      'a bridge that has no name',
      'detectLocalMode: BridgeInterface',
      'detectLocalMode is "BridgeInterface": it takes detectLocal.bridgeInterface',
    ],
    [
      'links that have no prefix',
      'detectLocalMode: InterfaceNamePrefix\ndetectLocal: { bridgeInterface: cni0 }',
      'detectLocalMode is "InterfaceNamePrefix": it takes detectLocal.interfaceNamePrefix',
    ],
    [
      'a least pause that is longer than the period',
      'mode: ipvs\nipvs: { minSyncPeriod: 31s }',
      'ipvs.minSyncPeriod is "31s": it is longer than syncPeriod, which is "30s"',
    ],
  ];
  for (const [name, fields, says] of together)
    test(`refuses ${name}`, () => {
      assert.throws(() => configurationOf({}, file + fields), {
        code: 'BAD_CONFIG',
        message: `Cannot use the KubeProxyConfiguration: ${says}`,
      });
    });

  test('takes the same pause in a mode that does not run, and local links that have a name', () => {
    configurationOf({}, `${file}mode: nftables\nipvs: { minSyncPeriod: 31s }`);
    configurationOf({ 'detect-local-mode': 'BridgeInterface', 'pod-bridge-interface': 'cni0' });
  });

  test('names the flag that is wrong', () => {
    assert.throws(
      () => configurationOf({ 'oom-score-adj': '2000' }),
      (err) => isKnownError(err, 'USAGE') && err.message.startsWith('Cannot use --oom-score-adj="2000"'),
    );
  });
});
