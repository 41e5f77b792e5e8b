import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isKnownError } from '../../errors/known-error.ts';
import { proxy } from './proxy.ts';
import { configurationOf } from './proxy-configuration.ts';
import { deprecatedFlags, fieldFlags, namedFields } from './proxy-flags.ts';

/** `kube-proxy --help` of 1.35, without those for Windows; and what 1.27 had beside them. */
const kubeProxys = `bind-address bind-address-hard-fail cleanup cluster-cidr config config-sync-period conntrack-max-per-core conntrack-min
  conntrack-tcp-be-liberal conntrack-tcp-timeout-close-wait conntrack-tcp-timeout-established conntrack-udp-timeout conntrack-udp-timeout-stream
  detect-local-mode feature-gates healthz-bind-address healthz-port help hostname-override init-only iptables-localhost-nodeports
  iptables-masquerade-bit iptables-min-sync-period iptables-sync-period ipvs-exclude-cidrs ipvs-min-sync-period ipvs-scheduler ipvs-strict-arp
  ipvs-sync-period ipvs-tcp-timeout ipvs-tcpfin-timeout ipvs-udp-timeout kube-api-burst kube-api-content-type kube-api-qps kubeconfig
  log-flush-frequency log-json-info-buffer-size log-json-split-stream log-text-info-buffer-size log-text-split-stream logging-format master
  masquerade-all metrics-bind-address metrics-port nodeport-addresses oom-score-adj pod-bridge-interface pod-interface-name-prefix profiling
  proxy-mode proxy-port-range show-hidden-metrics-for-version udp-timeout v vmodule version write-config-to`.split(/\s+/);
/** The command has them, or every command. */
const elsewhere = ['cleanup', 'help', 'init-only', 'version', 'write-config-to'];

test('every flag of kube-proxy is known', () => {
  assert.deepEqual(
    kubeProxys.filter((flag) => !elsewhere.includes(flag) && !Object.hasOwn(proxy.flags, flag)),
    [],
  );
});

test('every flag of kube-proxy is a field, or says why it changes nothing', () => {
  const own = ['config', 'kubeconfig', 'master'];
  const fields = [...Object.keys(namedFields), ...Object.keys(fieldFlags), ...Object.keys(deprecatedFlags), ...own, ...elsewhere];
  assert.deepEqual(
    kubeProxys.filter((flag) => !fields.includes(flag)),
    [],
  );
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

  test('names the flag that is wrong', () => {
    assert.throws(
      () => configurationOf({ 'oom-score-adj': '2000' }),
      (err) => isKnownError(err, 'USAGE') && err.message.startsWith('Cannot use --oom-score-adj="2000"'),
    );
  });
});
