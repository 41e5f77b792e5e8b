/** The kubelet: pods of this node on a container runtime. */
import { readFile } from 'node:fs/promises';
import { textFlag } from '../../cli/command.ts';
import { aborted } from '../../clock/aborted.ts';
import { systemClock } from '../../clock/clock.ts';
import type { FlagReader } from '../flag-reader.ts';
import { parseLabels, parseTaints } from '../node-flags.ts';
import { clusterDomain, nodeIp, nodeNameOf, nodePartFlags, ownNodeIp, resolvConf } from './cluster-flags.ts';
import { definePart, type Part, type PartFlags } from './part.ts';

/** Of the kubelet's server, as PEM. */
type Tls = Readonly<Record<'cert' | 'key' | 'clientCa', string>>;

const flags = {
  ...nodePartFlags,
  'node-ip': nodeIp,
  'container-runtime-endpoint': {
    ...textFlag('URL', 'the container runtime, over CRI', 'unix:///run/containerd/containerd.sock'),
    among: { name: 'runtime-endpoint' },
  },
  'root-dir': textFlag('DIR', "where the pods' volumes live", '/var/lib/kubelet'),
  'pod-manifest-path': textFlag('DIR', 'manifests of static pods; empty for none', '/etc/kubernetes/manifests'),
  'cluster-dns': textFlag('IP', 'DNS server that pods are told', '10.96.0.10'),
  'cluster-domain': clusterDomain,
  'resolv-conf': resolvConf,
  'register-with-taints': textFlag('KEY=VALUE:EFFECT,…', 'taints of a new Node', ''),
  'node-labels': textFlag('KEY=VALUE,…', 'labels of a new Node', ''),
  'client-ca-file': textFlag('FILE', 'who signs the certificates of clients, such as the API server', '/etc/kubernetes/pki/ca.crt'),
  'tls-cert-file': textFlag('FILE', 'certificate of port 10250 (default: one that it signs itself)'),
  'tls-private-key-file': textFlag('FILE', 'the key to it'),
} as const satisfies PartFlags;

/** Gives what the files hold now. Without `cert` and `key` it signs a certificate for itself, as upstream's kubelet does. */
async function readTls(read: FlagReader<keyof typeof flags>, node: string, ip: string): Promise<Tls> {
  const clientCa = await readFile(read.text('client-ca-file'), 'utf8');
  const [certFile, keyFile] = [read.optional('tls-cert-file'), read.optional('tls-private-key-file')];
  if (certFile !== undefined && keyFile !== undefined)
    return { cert: await readFile(certFile, 'utf8'), key: await readFile(keyFile, 'utf8'), clientCa };
  const { createAuthority, issueCertificate } = await import('../../x509/authority.ts');
  const now = systemClock.now();
  const request = { commonName: node, dnsNames: [node], ips: ip.split(','), usages: ['server'] as const };
  const pair = await issueCertificate(await createAuthority(`${node}-ca`, now), request, now);
  return { cert: pair.certPem, key: pair.keyPem, clientCa };
}

export const kubelet: Part = definePart({
  name: 'kubelet',
  flags,
  async config(read) {
    const { apiServerOf, nodePartClient } = await import('./part-client.ts');
    const nodeName = nodeNameOf(read);
    const [podManifestPath, givenIp] = [read.optional('pod-manifest-path'), read.ownIp('node-ip')];
    const settings = {
      nodeName,
      runtimeEndpoint: read.text('container-runtime-endpoint'),
      rootDir: read.text('root-dir'),
      ...(podManifestPath === undefined ? {} : { podManifestPath }),
      clusterDns: [read.ip('cluster-dns')],
      clusterDomain: read.text('cluster-domain'),
      resolvConf: read.text('resolv-conf'),
      taints: parseTaints(read.text('register-with-taints')),
      labels: parseLabels(read.text('node-labels')),
    };
    const client = await nodePartClient('kubelet', read, nodeName);
    const ip = givenIp ?? (await ownNodeIp(apiServerOf(client)));
    return {
      ...settings,
      client,
      nodeIp: ip,
      tls: await readTls(read, nodeName, ip),
      // Without files every look would sign another certificate.
      ...(read.optional('tls-cert-file') === undefined ? {} : { readTls: () => readTls(read, nodeName, ip) }),
    };
  },
  async start(config, { clock, log, signal }) {
    const { startKubelet } = await import('../../kubelet/kubelet.ts');
    const running = await startKubelet({ ...config, port: 10250, clock, log, signal });
    return { stopped: aborted(signal).then(() => running.close()), health: () => running.problem };
  },
});
