/** The API server over its store. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { switchFlag, textFlag } from '../../cli/command.ts';
import { aborted } from '../../clock/aborted.ts';
import { KnownError, messageOf } from '../../errors/known-error.ts';
import { familyOf, joinHostPort } from '../../ip/ip.ts';
import type { FlagReader } from '../flag-reader.ts';
import { ownAddress } from './cluster-flags.ts';
import { definePart, type Part, type PartFlag, type PartFlags } from './part.ts';
import { storeFlags, storeUrlOf } from './store-flags.ts';
import { apiserverFlags } from './upstream-flags.ts';

/** One of its own file, for which the directory has a name of kubeadm's otherwise. */
function fileFlag(help: string): PartFlag {
  return { ...textFlag('FILE', help), among: false };
}

const flags = {
  ...apiserverFlags,
  'tls-cert-file': fileFlag('certificate to serve with (default: apiserver.crt of --pki-dir)'),
  'tls-private-key-file': fileFlag('its key (default: apiserver.key)'),
  'client-ca-file': fileFlag('authority of client certificates (default: ca.crt)'),
  'kubelet-client-certificate': fileFlag('certificate that kubelets are shown (default: apiserver-kubelet-client.crt)'),
  'kubelet-client-key': fileFlag('its key (default: apiserver-kubelet-client.key)'),
  'kubelet-certificate-authority': fileFlag("authority of the kubelets' certificates (default: that of clients)"),
  'requestheader-client-ca-file': fileFlag('authority of front proxies (default: front-proxy-ca.crt)'),
  'proxy-client-cert-file': fileFlag('certificate that API servers behind this one are shown (default: front-proxy-client.crt)'),
  'proxy-client-key-file': fileFlag('its key (default: front-proxy-client.key)'),
  'service-account-signing-key-file': fileFlag('key that signs ServiceAccount tokens (default: sa.key)'),
  'service-account-key-file': { ...fileFlag('keys that verify them, beside that one (default: sa.pub)'), several: true },
  'endpoint-reconciler-type': {
    ...{ type: 'string', choices: ['lease', 'none'], default: 'lease', among: false },
    help: 'lease: the Service kubernetes leads to all API servers that live; none: somebody else sees to it',
  },
  ...storeFlags,
  'pki-dir': textFlag('DIR', 'certificates and keys, with the names kubeadm gives them', '/etc/kubernetes/pki'),
  'bind-address': textFlag('IP', 'address to listen on; 0.0.0.0 and :: are all, of both families', '0.0.0.0'),
  'secure-port': textFlag('PORT', 'port to listen on', '6443'),
  'advertise-address': textFlag(
    'IP',
    'address under which the cluster reaches this server (default: --bind-address, else that of the default route)',
  ),
  'service-cluster-ip-range': textFlag(
    'CIDR[,CIDR]',
    'range of the Services, or one of each family; the first is that of who asks for none',
    '10.96.0.0/16',
  ),
  'service-node-port-range': textFlag('FROM-TO', 'range of the node ports', '30000-32767'),
  'service-account-issuer': textFlag('URL', 'issuer of ServiceAccount tokens', 'https://kubernetes.default.svc.cluster.local'),
  'service-account-max-token-expiration': textFlag(
    'DURATION',
    'how long a ServiceAccount token may live; who asks for more gets this and a warning; 0 for no limit',
    '0',
  ),
  'service-account-extend-token-expiration': switchFlag(
    'let the tokens in pods live for a year, within that limit, for programs that read them once only',
    true,
  ),
  'max-requests-inflight': textFlag('N', 'with the next: how many requests are under way at most', '400'),
  'max-mutating-requests-inflight': textFlag('N', 'their sum is shared out among the levels of users', '200'),
  'http2-max-streams-per-connection': textFlag('N', 'requests that one connection of HTTP/2 may have under way; 0 for 1000', '0'),
  'disable-http2-serving': switchFlag('serve HTTP/1.1 alone'),
  'goaway-chance': textFlag(
    'FRACTION',
    'of the requests of HTTP/2, up to 0.02, that are the last of their connection: so clients spread over API servers behind a load balancer',
    '0',
  ),
  'enable-admission-plugins': textFlag('LIST', 'admission plugins beside those that are on by default, such as DenyServiceExternalIPs', ''),
  'disable-admission-plugins': textFlag('LIST', 'admission plugins that are on by default and shall not be', ''),
  'accept-data-loss': switchFlag('start with what is left of a damaged store; revisions jump, so that every client reads everything anew'),
} as const satisfies PartFlags;

type Read = FlagReader<keyof typeof flags>;

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (err) {
    throw new KnownError('BAD_CONFIG', `Cannot read "${path}": ${messageOf(err)}`, {
      hint: 'Make the certificates first: "fairlead init" does, and so does "kubeadm init phase certs all"',
      cause: err,
    });
  }
}

/** Undefined where the PKI has none: servers behind this one then cannot tell who asks. */
async function proxyClientOf(certPath: string, keyPath: string): Promise<{ cert: string; key: string } | undefined> {
  const [cert, key] = await Promise.all([certPath, keyPath].map((path) => readFile(path, 'utf8').catch(() => undefined)));
  return cert && key ? { cert, key } : undefined;
}

/** Where others reach a server that listens on all addresses of its machine. Throws USAGE. */
async function advertisedAddress(read: Read, serviceCidr: string): Promise<string> {
  const family = familyOf(serviceCidr);
  const address = read.ip('advertise-address') || read.ownIp('bind-address') || (await ownAddress(family));
  if (address !== undefined && familyOf(address) !== family && read.text('endpoint-reconciler-type') !== 'none')
    throw new KnownError('USAGE', `Cannot advertise "${address}": it is no IPv${family} address, as the first range of the Services is`, {
      hint: `Give --advertise-address an IPv${family} address, or name that family's range first in --service-cluster-ip-range`,
    });
  if (address !== undefined) return address;
  throw new KnownError('USAGE', 'Cannot tell under which address the cluster reaches this server: the machine has none but loopback', {
    hint: 'Give one with --advertise-address',
  });
}

export const apiserver: Part = definePart({
  name: 'apiserver',
  flags,
  async config(read: Read, { parts }) {
    const file = (flag: keyof typeof flags, name: string): string => read.optional(flag) ?? join(read.text('pki-dir'), name);
    const verifying = read.list('service-account-key-file');
    const serviceCidrs = read.familyCidrs('service-cluster-ip-range');
    const settings = {
      store: {
        url: storeUrlOf(read),
        acceptDataLoss: read.isSet('accept-data-loss'),
      },
      listen: { host: read.ip('bind-address'), port: read.port('secure-port') },
      advertiseAddress: await advertisedAddress(read, serviceCidrs[0]!),
      serviceAccounts: {
        issuer: read.text('service-account-issuer'),
        keyFiles: [
          file('service-account-signing-key-file', 'sa.key'),
          ...(verifying.length > 0 ? verifying : [file('service-account-key-file', 'sa.pub')]),
        ],
        // The bounds are upstream's: a token in a pod is renewed within the hour.
        maxExpirationSeconds: read.seconds('service-account-max-token-expiration', 3600, 2 ** 32) || undefined,
        extendExpiration: read.isSet('service-account-extend-token-expiration'),
      },
      admission: { enabled: read.list('enable-admission-plugins'), disabled: read.list('disable-admission-plugins') },
      inflight: {
        requests: read.number('max-requests-inflight', 0, 1_000_000),
        mutating: read.number('max-mutating-requests-inflight', 0, 1_000_000),
      },
      http2MaxStreams: read.isSet('disable-http2-serving') ? 0 : read.number('http2-max-streams-per-connection', 0, 10_000) || undefined,
      // With more, clients would do little else than connect.
      goawayChance: read.fraction('goaway-chance', 0.02),
      serviceCidrs,
      nodePortRange: read.text('service-node-port-range'),
      foreign: (['controller-manager', 'scheduler'] as const).filter((doer) => !parts.includes(doer)),
    };
    const ca = await readPem(file('client-ca-file', 'ca.crt'));
    const kubeletCa = read.optional('kubelet-certificate-authority');
    return {
      ...settings,
      registers: read.text('endpoint-reconciler-type') !== 'none',
      tls: {
        cert: await readPem(file('tls-cert-file', 'apiserver.crt')),
        key: await readPem(file('tls-private-key-file', 'apiserver.key')),
        clientCa: ca,
      },
      kubeletClient: {
        cert: await readPem(file('kubelet-client-certificate', 'apiserver-kubelet-client.crt')),
        key: await readPem(file('kubelet-client-key', 'apiserver-kubelet-client.key')),
        ca: kubeletCa === undefined ? ca : await readPem(kubeletCa),
      },
      proxyClient: await proxyClientOf(
        file('proxy-client-cert-file', 'front-proxy-client.crt'),
        file('proxy-client-key-file', 'front-proxy-client.key'),
      ),
      // Not every PKI has it: it matters to programs beside this one.
      frontProxyCa: await readFile(file('requestheader-client-ca-file', 'front-proxy-ca.crt'), 'utf8').catch(() => undefined),
    };
  },
  async start({ store: { url, acceptDataLoss }, ...config }, { informers, clock, log, signal }) {
    const [{ openStore }, { createApiServer }, { withoutHistory }, { registerWatchAge }] = await Promise.all([
      import('../../storage/open.ts'),
      import('../../apiserver/apiserver.ts'),
      import('../../apiserver/cache/load.ts'),
      import('../../client/watch-age.ts'),
    ]);
    const store = await openStore(url, { clock, log: log.child({ part: 'store' }), withoutHistory, acceptDataLoss });
    const close = (): Promise<void> => store.close();
    const api = await createApiServer({ ...config, store, clock, log }).catch(async (err: unknown) => {
      await close();
      throw err;
    });
    registerWatchAge(api.metrics, () => informers.agesMs);
    return {
      ready: Promise.resolve(`API server listens on ${joinHostPort(api.address.host, api.address.port)}`),
      stopped: aborted(signal)
        .then(() => api.close())
        .then(close),
    };
  },
});
