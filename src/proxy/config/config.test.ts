import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isKnownError } from '../../errors/known-error.ts';
import { completed, fieldFromText, fileOf, idleFields, lateFields, readProxyConfig } from './config.ts';
import { configDefaults, type Given, type KubeProxyConfiguration } from './kube-proxy-configuration.ts';
import { proxySettings } from './proxy-settings.ts';

const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n';

/** As kubeadm 1.3x writes it into the ConfigMap kube-proxy. */
const kubeadms = `${head}bindAddress: 0.0.0.0
bindAddressHardFail: false
clientConnection: { acceptContentTypes: "", burst: 0, contentType: "", kubeconfig: /var/lib/kube-proxy/kubeconfig.conf, qps: 0 }
clusterCIDR: 10.244.0.0/16,fd00:10:244::/56
configSyncPeriod: 0s
conntrack: { maxPerCore: null, min: null, tcpBeLiberal: false, tcpCloseWaitTimeout: null, tcpEstablishedTimeout: null, udpStreamTimeout: 0s, udpTimeout: 0s }
detectLocal: { bridgeInterface: "", interfaceNamePrefix: "" }
detectLocalMode: ""
enableProfiling: false
healthzBindAddress: ""
hostnameOverride: ""
iptables: { localhostNodePorts: null, masqueradeAll: false, masqueradeBit: null, minSyncPeriod: 0s, syncPeriod: 0s }
ipvs: { excludeCIDRs: null, minSyncPeriod: 0s, scheduler: "", strictARP: false, syncPeriod: 0s, tcpFinTimeout: 0s, tcpTimeout: 0s, udpTimeout: 0s }
logging: { flushFrequency: 0, options: { json: { infoBufferSize: "0" }, text: { infoBufferSize: "0" } }, verbosity: 0 }
metricsBindAddress: ""
mode: ""
nftables: { masqueradeAll: false, masqueradeBit: null, minSyncPeriod: 0s, syncPeriod: 0s }
nodePortAddresses: null
oomScoreAdj: null
portRange: ""
showHiddenMetricsForVersion: ""
winkernel: { enableDSR: false, forwardHealthCheckVip: false, networkName: "", rootHnsEndpointName: "", sourceVip: "" }
`;

describe('readProxyConfig()', () => {
  test('takes what kubeadm writes, and nothing in it but the cluster and where node ports are is another thing than the presets', () => {
    const config = completed(readProxyConfig(kubeadms));
    assert.deepEqual(config, {
      ...configDefaults,
      clusterCIDR: '10.244.0.0/16,fd00:10:244::/56',
      nodePortAddresses: ['all', 'localhost'],
      clientConnection: { ...configDefaults.clientConnection, kubeconfig: '/var/lib/kube-proxy/kubeconfig.conf' },
    });
    assert.deepEqual(idleFields(config), []);
  });

  test('takes back what it writes', () => {
    assert.deepEqual(completed(readProxyConfig(JSON.stringify(fileOf(configDefaults)))), configDefaults);
  });

  const ofNoMode: [name: string, fields: string, wanted: Partial<KubeProxyConfiguration['nftables']> & { at: string[] }][] = [
    ['node ports everywhere', 'mode: ""', { at: ['all', 'localhost'] }],
    ['no node ports at loopback that it does not want', 'iptables: { localhostNodePorts: false }', { at: ['all'] }],
    ['node ports everywhere for a list without any', 'nodePortAddresses: []', { at: ['all', 'localhost'] }],
    ['node ports where it says', 'nodePortAddresses: [primary]', { at: ['primary'] }],
    [
      'what it says of iptables in our mode',
      'iptables: { masqueradeAll: true, syncPeriod: 1m, minSyncPeriod: 2s }',
      { at: ['all', 'localhost'], masqueradeAll: true, syncPeriod: '1m', minSyncPeriod: '2s' },
    ],
    [
      'what it says of our mode over that',
      'iptables: { syncPeriod: 1m }\nnftables: { syncPeriod: 20s }',
      { at: ['all', 'localhost'], syncPeriod: '20s' },
    ],
    ['nothing of that in a file with a mode', 'mode: nftables\niptables: { masqueradeAll: true }', { at: [] }],
  ];
  for (const [name, fields, { at, ...wanted }] of ofNoMode)
    test(`has ${name}, where a file names no mode`, () => {
      const { mode, nftables, nodePortAddresses } = completed(readProxyConfig(head + fields));
      assert.deepEqual([mode, nodePortAddresses], ['nftables', at]);
      assert.deepEqual(nftables, { ...configDefaults.nftables, ...wanted });
    });

  const addresses = ({ healthzBindAddress, metricsBindAddress }: KubeProxyConfiguration): string[] => [
    healthzBindAddress,
    metricsBindAddress,
  ];
  const listening: [fields: string, healthz: string, metrics: string][] = [
    ['bindAddress: "::"', '[::]:10256', '[::1]:10249'],
    ['bindAddress: fd00::11\nhealthzBindAddress: ""', '[::]:10256', '[::1]:10249'],
    ['bindAddress: "::"\nmetricsBindAddress: 127.0.0.1:10249', '[::]:10256', '127.0.0.1:10249'],
    ['bindAddress: 192.0.2.11', '0.0.0.0:10256', '127.0.0.1:10249'],
  ];
  for (const [fields, ...wanted] of listening)
    test(`has as addresses of a file with ${JSON.stringify(fields)} what kube-proxy has`, () =>
      assert.deepEqual(addresses(completed(readProxyConfig(head + fields))), wanted));

  const wrong: [name: string, text: string, message: string][] = [
    ['another kind', 'kind: Service', 'kind is "Service", and not "KubeProxyConfiguration"'],
    [
      'another version',
      'apiVersion: kubeproxy.config.k8s.io/v1alpha2\nkind: KubeProxyConfiguration',
      'apiVersion is "kubeproxy.config.k8s.io/v1alpha2"',
    ],
    ['a list', '[1]', 'it is a list'],
    ['no YAML', 'a: [', 'it is no YAML'],
    ['a field that there is not', `${head}ipvs: { schedular: lc }`, 'there is no field "ipvs.schedular"'],
    ['another mode', `${head}mode: kernelspace`, 'mode is "kernelspace": it is none of '],
    ['a text for a number', `${head}iptables: { masqueradeBit: "14" }`, 'iptables.masqueradeBit is "14": it takes a number'],
    ['a bit that a mark has not', `${head}iptables: { masqueradeBit: 32 }`, 'it is no number from 0 to 31'],
    ['an unknown local mode', `${head}detectLocalMode: Guess`, 'detectLocalMode is "Guess": it is none of ClusterCIDR'],
    ['a bad duration', `${head}nftables: { syncPeriod: soon }`, 'nftables.syncPeriod is "soon": it is no duration'],
    ['a period that never ends', `${head}nftables: { syncPeriod: 0ms }`, 'it must be greater than 0'],
    ['a time-out below nothing', `${head}conntrack: { udpTimeout: -1s }`, 'it is less than nothing'],
    ['an address without a port', `${head}healthzBindAddress: somewhere`, 'it is no address such as 0.0.0.0:10256'],
    ['a port that there is not', `${head}metricsBindAddress: "127.0.0.1:65536"`, 'it is no address'],
    ['a port that takes any', `${head}healthzBindAddress: "0.0.0.0:0"`, 'it is no address'],
    [
      'a gate that is half open',
      `${head}featureGates: { AllAlpha: maybe }`,
      'featureGates is {"AllAlpha":"maybe"}: AllAlpha takes true or false',
    ],
    ['two ranges of one family', `${head}clusterCIDR: 10.1.0.0/16,10.2.0.0/16`, 'it takes one range of each family'],
    ['an address for a range', `${head}clusterCIDR: 10.1.0.1`, 'it is no range'],
    ['an address of node ports without a length', `${head}nodePortAddresses: [all, 192.0.2.1]`, '"192.0.2.1" is no range'],
    ['a scheduler that the kernel has not', `${head}ipvs: { scheduler: best }`, 'it is none of rr, wrr'],
    ['an unknown algorithm', `${head}fairlead: { algorithm: best }`, 'it is no algorithm such as'],
    ['what is for Windows', `${head}winkernel: { enableDSR: true }`, 'it is for Windows'],
    ['a service of Windows', `${head}windowsRunAsService: true`, 'it is for Windows'],
  ];
  for (const [name, text, message] of wrong)
    test(`refuses ${name}, by name`, () => {
      assert.throws(
        () => readProxyConfig(text),
        (err: Error) => isKnownError(err, 'BAD_CONFIG') && err.message.includes(message),
      );
    });

  test('says where the right fields are', () => {
    assert.throws(() => readProxyConfig(`${head}ipvs: { schedular: lc }`), { hint: /^The fields there are .*scheduler/ });
  });
});

test('lateFields() tells of sections that are read once, and not of a verbosity, which holds at once', () => {
  const late = (logging: { verbosity?: number; format?: string }): string[] => lateFields(completed(), completed({ logging }));
  assert.deepEqual(late({ verbosity: 5 }), []);
  assert.deepEqual(late({ verbosity: 5, format: 'json' }), ["The changed logging holds from the proxy's next start on"]);
  assert.deepEqual(lateFields(completed(), completed({ logging: { format: 'json' } }), false), [], 'it holds never');
});

describe('a field that changes nothing', () => {
  const said = (file: string): string[] => idleFields(completed(readProxyConfig(head + file)));
  test('is told with the reason', () => {
    assert.deepEqual(said('showHiddenMetricsForVersion: "1.34"\nclientConnection: { qps: 50 }'), [
      'clientConnection.qps has no effect: a proxy sends a handful of requests, which nothing holds back',
      'showHiddenMetricsForVersion has no effect: no metric is hidden',
    ]);
  });
  test('is told of what is of the process where that is not the proxy alone', () => {
    const config = completed(readProxyConfig(`${head}enableProfiling: true\noomScoreAdj: -500\nlogging: { verbosity: 4, format: json }`));
    assert.deepEqual(idleFields(config), []);
    assert.deepEqual(idleFields(config, false), [
      'enableProfiling has no effect: the log is that of other parts, too',
      'logging.format has no effect: the log is that of other parts, too; --log-format holds',
      'logging.verbosity has no effect: the log is that of other parts, too; --log-level holds',
      'oomScoreAdj has no effect: the process is that of other parts, too',
    ]);
    assert.deepEqual(idleFields(completed(), false), []);
  });
  test('is told of a way to know pods that lacks their range', () => {
    assert.deepEqual(said('detectLocalMode: ClusterCIDR'), [
      'detectLocalMode has no effect: it is ClusterCIDR, and clusterCIDR names no range',
    ]);
    assert.deepEqual(said('detectLocalMode: ClusterCIDR\nclusterCIDR: 10.2.0.0/16'), []);
  });
  test('is told for each feature gate', () => {
    assert.deepEqual(said('featureGates: { AllAlpha: true }'), ['The feature gate AllAlpha has no effect: nothing here waits for it']);
  });
});

describe('fieldFromText()', () => {
  const cases: [path: string, text: string, given: Given<KubeProxyConfiguration>][] = [
    ['ipvs.strictARP', 'true', { ipvs: { strictARP: true } }],
    ['ipvs.strictARP', 'false', { ipvs: { strictARP: false } }],
    ['iptables.masqueradeBit', '9', { iptables: { masqueradeBit: 9 } }],
    ['nodePortAddresses', 'primary,10.0.0.0/8', { nodePortAddresses: ['primary', '10.0.0.0/8'] }],
    ['featureGates', 'A=true,B=false,C=1', { featureGates: { A: true, B: false, C: true } }],
    ['mode', 'nftables', { mode: 'nftables' }],
  ];
  for (const [path, text, given] of cases)
    test(`reads ${path} from "${text}"`, () => assert.deepEqual(fieldFromText(path, text, 'x'), given));

  test('refuses a gate that is half open', () => {
    assert.throws(() => fieldFromText('featureGates', 'A=maybe', 'feature-gates'), { code: 'USAGE', message: /A takes true or false/ });
  });

  test('refuses in the words of the flag', () => {
    assert.throws(() => fieldFromText('iptables.masqueradeBit', 'high', 'iptables-masquerade-bit'), {
      code: 'USAGE',
      message: 'Cannot use --iptables-masquerade-bit="high": it is no number from 0 to 31',
    });
  });
});

describe('proxySettings()', () => {
  const settings = (given: Given<KubeProxyConfiguration>): ReturnType<typeof proxySettings> => proxySettings(completed(given));

  test('of the presets', () => {
    assert.deepEqual(settings({}), {
      mode: 'nftables',
      modeOptions: {
        masqueradeBit: 14,
        localhostNodePorts: true,
        conntrackLiberal: false,
        ipvs: { excludeCidrs: [], strictArp: false, tcpTimeoutMs: 0, tcpFinTimeoutMs: 0, udpTimeoutMs: 0 },
      },
      clusterCidrs: [],
      masqueradeAll: false,
      syncPeriodMs: 30_000,
      minSyncPeriodMs: 20,
      bindAddressHardFail: false,
      serviceCounters: true,
      healthzAddress: '0.0.0.0:10256',
      metricsAddress: '127.0.0.1:10249',
    });
  });

  const iptables = { masqueradeAll: true, masqueradeBit: 3, syncPeriod: '1m', minSyncPeriod: '2s' };
  const ipvs = {
    syncPeriod: '10s',
    minSyncPeriod: '3s',
    scheduler: 'lc',
    strictARP: true,
    tcpTimeout: '15m',
    excludeCIDRs: ['10.9.0.0/16'],
  };
  const nftables = { masqueradeAll: true, masqueradeBit: 5, syncPeriod: '40s' };
  test('takes periods and masquerading from the section of the mode', () => {
    const of = (mode: string): unknown[] => {
      const { syncPeriodMs, minSyncPeriodMs, masqueradeAll, modeOptions, algorithm } = settings({ mode, iptables, ipvs });
      return [syncPeriodMs, minSyncPeriodMs, masqueradeAll, modeOptions?.masqueradeBit, algorithm];
    };
    assert.deepEqual(of('iptables'), [60_000, 2000, true, 3, 'lc']);
    assert.deepEqual(of('ipvs'), [10_000, 3000, true, 3, 'lc']);
    assert.deepEqual(of('nftables'), [30_000, 20, false, 14, 'lc']);
    assert.deepEqual(settings({ nftables, iptables: { masqueradeBit: 3 } }).modeOptions?.masqueradeBit, 5);
    assert.deepEqual([settings({ nftables }).masqueradeAll, settings({ nftables }).syncPeriodMs], [true, 40_000]);
  });

  test('gives what ipvs alone has', () => {
    assert.deepEqual(settings({ ipvs }).modeOptions?.ipvs, {
      excludeCidrs: ['10.9.0.0/16'],
      strictArp: true,
      tcpTimeoutMs: 900_000,
      tcpFinTimeoutMs: 0,
      udpTimeoutMs: 0,
    });
  });

  test('prefers the algorithm of its own key to the scheduler', () => {
    assert.equal(settings({ ipvs, fairlead: { algorithm: 'source-hash' } }).algorithm, 'source-hash');
    assert.deepEqual([settings({}).serviceCounters, settings({ fairlead: { serviceCounters: false } }).serviceCounters], [true, false]);
  });

  test('adds the usual port to an address alone, and listens nowhere without one', () => {
    const { healthzAddress, metricsAddress } = settings({ healthzBindAddress: '::1', metricsBindAddress: '192.0.2.1' });
    assert.deepEqual([healthzAddress, metricsAddress], ['[::1]:10256', '192.0.2.1:10249']);
    assert.ok(!('healthzAddress' in settings({ healthzBindAddress: '' })));
  });

  test("has the node's address from bindAddress, when it is one", () => {
    assert.deepEqual(settings({ bindAddress: '192.0.2.11' }).nodeIps, ['192.0.2.11']);
    assert.deepEqual(settings({ bindAddress: '192.0.2.11,::' }).nodeIps, ['192.0.2.11']);
    for (const bindAddress of ['0.0.0.0', '::', '0.0.0.0,::']) assert.ok(!('nodeIps' in settings({ bindAddress })));
  });

  test('serves node ports at loopback as the mode can, where the addresses say so', () => {
    const of = (mode: string, nodePortAddresses: string[], localhostNodePorts = true): unknown[] => {
      const given = settings({ mode, nodePortAddresses, iptables: { localhostNodePorts } });
      return [given.nodePortAddresses?.join(), given.loopbackNodePorts];
    };
    assert.deepEqual(of('iptables', []), ['all', 'rules']);
    assert.deepEqual(of('iptables', [], false), ['all', undefined]);
    assert.deepEqual(of('ipvs', []), ['all', undefined]);
    assert.deepEqual(of('nftables', []), [undefined, undefined]);
    assert.deepEqual(of('nftables', ['all']), ['all', undefined]);
    for (const range of ['localhost', '127.0.0.0/8', '::1/128'])
      assert.deepEqual(of('nftables', ['primary', range]), [`primary,${range}`, 'relay']);
  });

  test('tells how pods are told from others, and where node ports are served', () => {
    const detectLocal = { bridgeInterface: 'cni0', interfaceNamePrefix: 'veth' };
    const given = settings({ detectLocalMode: 'BridgeInterface', detectLocal, nodePortAddresses: ['primary'], clusterCIDR: '10.1.0.0/16' });
    const { localMode, bridgeInterface, interfaceNamePrefix, nodePortAddresses, clusterCidrs } = given;
    assert.deepEqual(
      [localMode, bridgeInterface, interfaceNamePrefix, nodePortAddresses, clusterCidrs],
      ['BridgeInterface', 'cni0', 'veth', ['primary'], ['10.1.0.0/16']],
    );
  });
});
