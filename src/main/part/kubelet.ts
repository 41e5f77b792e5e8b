/** The kubelet: pods of this node on a container runtime. */
import { readFile } from 'node:fs/promises';
import { switchFlag, textFlag } from '../../cli/command.ts';
import type { Client } from '../../client/client.ts';
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
  'cluster-dns': textFlag('IP,…', 'DNS servers that pods are told', '10.96.0.10'),
  'cluster-domain': clusterDomain,
  'resolv-conf': resolvConf,
  'register-with-taints': textFlag('KEY=VALUE:EFFECT,…', 'taints of a new Node', ''),
  'node-labels': textFlag('KEY=VALUE,…', 'labels of a new Node', ''),
  'client-ca-file': textFlag('FILE', 'who signs the certificates of clients, such as the API server', '/etc/kubernetes/pki/ca.crt'),
  'tls-cert-file': textFlag('FILE', 'certificate of port 10250 (default: one that it signs itself)'),
  'tls-private-key-file': textFlag('FILE', 'the key to it'),
  'bootstrap-kubeconfig': textFlag('FILE', 'how a new node asks for its client certificate; the kubeconfig is written when it has one'),
  'cert-dir': textFlag('DIR', 'certificates that were asked for', '/var/lib/kubelet/pki'),
  'rotate-certificates': switchFlag('ask for the next client certificate before the one in --cert-dir ends', true),
  'rotate-server-certificates': switchFlag('ask for the certificate of port 10250, too; somebody has to approve it'),
} as const satisfies PartFlags;

/** Gives a function that reads what the files hold now: what was asked for and given, else what the flags name, else what it signs itself, as upstream. */
function tlsReader(read: FlagReader<keyof typeof flags>, node: string, ips: readonly string[]): () => Promise<Tls> {
  const [certFile, keyFile] = [read.optional('tls-cert-file'), read.optional('tls-private-key-file')];
  let own: { readonly cert: string; readonly key: string } | undefined;
  return async () => {
    const clientCa = await readFile(read.text('client-ca-file'), 'utf8');
    if (read.isSet('rotate-server-certificates')) {
      const { servingCertificates } = await import('../../kubelet/certificate/kubelet-certificates.ts');
      const pem = (await servingCertificates(read.text('cert-dir')).current())?.pem;
      if (pem !== undefined) return { cert: pem, key: pem, clientCa };
    } else if (certFile !== undefined && keyFile !== undefined)
      return { cert: await readFile(certFile, 'utf8'), key: await readFile(keyFile, 'utf8'), clientCa };
    own ??= await ownCertificate(node, ips);
    return { ...own, clientCa };
  };
}

async function ownCertificate(node: string, ips: readonly string[]): Promise<{ readonly cert: string; readonly key: string }> {
  const { selfSigned } = await import('../../x509/self-signed.ts');
  const { certPem, keyPem } = selfSigned({ commonName: node, organizations: [], dnsNames: [node], ips }, systemClock.now());
  return { cert: certPem, key: keyPem };
}

/** Whether the kubeconfig names the certificate that is kept in the directory: nobody would read the next one of another. */
async function isKept(client: Client, certDir: string): Promise<boolean> {
  const { cert } = client.transport.config;
  const { clientCertificates } = await import('../../kubelet/certificate/bootstrap.ts');
  return (
    cert !== undefined &&
    (
      await clientCertificates(certDir)
        .current()
        .catch(() => undefined)
    )?.pem === cert
  );
}

export const kubelet: Part = definePart({
  name: 'kubelet',
  flags,
  async prepare(read, context) {
    const [kubeconfig, bootstrapKubeconfig] = [read.optional('kubeconfig'), read.optional('bootstrap-kubeconfig')];
    if (kubeconfig === undefined || bootstrapKubeconfig === undefined) return;
    const { bootstrap } = await import('../../kubelet/certificate/bootstrap.ts');
    await bootstrap({ ...context, kubeconfig, bootstrapKubeconfig, certDir: read.text('cert-dir'), nodeName: nodeNameOf(read) });
  },
  async config(read) {
    const { apiServerOf, nodePartClient } = await import('./part-client.ts');
    const nodeName = nodeNameOf(read);
    const [podManifestPath, givenIps] = [read.optional('pod-manifest-path'), read.ownIps('node-ip')];
    const settings = {
      nodeName,
      runtimeEndpoint: read.text('container-runtime-endpoint'),
      rootDir: read.text('root-dir'),
      ...(podManifestPath === undefined ? {} : { podManifestPath }),
      clusterDns: read.ips('cluster-dns'),
      clusterDomain: read.text('cluster-domain'),
      resolvConf: read.text('resolv-conf'),
      taints: parseTaints(read.text('register-with-taints')),
      labels: parseLabels(read.text('node-labels')),
    };
    const client = await nodePartClient('kubelet', read, nodeName);
    const nodeIps = givenIps ?? [await ownNodeIp(apiServerOf(client))];
    const readTls = tlsReader(read, nodeName, nodeIps);
    const certDir = read.text('cert-dir');
    return {
      ...settings,
      client,
      nodeIps,
      tls: await readTls(),
      readTls,
      certificates: {
        certDir,
        bootstrapKubeconfig: read.optional('bootstrap-kubeconfig'),
        rotatesClient: read.isSet('rotate-certificates') && (await isKept(client, certDir)),
        rotatesServing: read.isSet('rotate-server-certificates'),
      },
    };
  },
  async start({ certificates, ...config }, { clock, log, signal }) {
    const { startKubelet } = await import('../../kubelet/kubelet.ts');
    const { clientCertificateManager, servingCertificateManager } = await import('../../kubelet/certificate/kubelet-certificates.ts');
    const running = await startKubelet({ ...config, port: 10250, clock, log, signal });
    const options = { client: config.client, nodeName: config.nodeName, ...certificates, clock, log };
    const ofClient = certificates.rotatesClient ? clientCertificateManager(options) : undefined;
    const ofServer = certificates.rotatesServing ? servingCertificateManager(options) : undefined;
    const ended = Promise.all([ofClient?.run(signal), ofServer?.run(signal)]);
    return {
      stopped: aborted(signal).then(async () => {
        await ended;
        await running.close();
      }),
      health: () => running.problem ?? ofClient?.problem,
    };
  },
});
