/** The pages of controller manager, scheduler and cloud controller manager, over HTTPS and under upstream's flags. */
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { systemClock } from '../clock/clock.ts';
import { KnownError, messageOf } from '../errors/known-error.ts';
import { PageServer, type Pages } from '../observability/health-pages.ts';
import type { FlagReader } from './flag-reader.ts';
import { healthPage, type PartProcess } from './part/part-process.ts';
import type { ProcessMetrics } from './process-metrics.ts';

type Read = FlagReader<
  | 'bind-address'
  | 'secure-port'
  | 'tls-cert-file'
  | 'tls-private-key-file'
  | 'client-ca-file'
  | 'authentication-kubeconfig'
  | 'authorization-kubeconfig'
  | 'authorization-always-allow-paths'
  | 'kubeconfig'
>;

export interface SecureServing {
  /** Gives the port. Throws PORT_TAKEN. */
  serve(process: Pick<PartProcess, 'health' | 'leads' | 'gauges'>): Promise<{ readonly port: number; close(): Promise<void> }>;
}

/** Undefined for --secure-port=0. Throws USAGE and BAD_CONFIG. */
export async function secureServingOf(read: Read): Promise<SecureServing | undefined> {
  const port = read.number('secure-port', 0, 65_535);
  if (port === 0) return undefined;
  const host = read.ip('bind-address') || '0.0.0.0';
  const tls = await certificateOf(read);
  const [{ followKubeconfig }, { Client }, { pageAccess }] = await Promise.all([
    import('../client/kubeconfig.ts'),
    import('../client/client.ts'),
    import('./page-access.ts'),
  ]);
  const clientOf = async (flag: 'authentication-kubeconfig' | 'authorization-kubeconfig'): Promise<InstanceType<typeof Client>> =>
    new Client(await followKubeconfig(read.optional(flag) ?? read.text('kubeconfig'), systemClock));
  const clients = { authenticates: await clientOf('authentication-kubeconfig'), authorizes: await clientOf('authorization-kubeconfig') };
  const allows = pageAccess({ ...clients, open: read.list('authorization-always-allow-paths') });
  return {
    async serve(process) {
      const server = new PageServer(pagesOf(process), { tls, allows });
      const bound = await server.listen(host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);
      const close = async (): Promise<void> => {
        await server.close();
        for (const client of Object.values(clients)) client.close();
      };
      return { port: bound, close };
    },
  };
}

async function certificateOf(read: Read): Promise<{ cert: string; key: string; ca?: string }> {
  const [cert, key, ca] = await Promise.all([pem(read, 'tls-cert-file'), pem(read, 'tls-private-key-file'), pem(read, 'client-ca-file')]);
  if ((cert === undefined) !== (key === undefined))
    throw new KnownError('USAGE', 'Cannot serve pages: --tls-cert-file and --tls-private-key-file go together', {
      hint: 'Give both, or neither for a certificate that is made at the start',
    });
  const more = ca === undefined ? {} : { ca };
  if (cert !== undefined && key !== undefined) return { cert, key, ...more };
  const { selfSigned } = await import('../x509/self-signed.ts');
  const names = { commonName: hostname(), organizations: [], dnsNames: [hostname(), 'localhost'], ips: ['127.0.0.1'] };
  const own = selfSigned(names, systemClock.now());
  return { cert: own.certPem, key: own.keyPem, ...more };
}

async function pem(read: Read, flag: 'tls-cert-file' | 'tls-private-key-file' | 'client-ca-file'): Promise<string | undefined> {
  const path = read.optional(flag);
  if (path === undefined) return undefined;
  return readFile(path, 'utf8').catch((err: unknown) => {
    throw new KnownError('BAD_CONFIG', `Cannot read --${flag}="${path}": ${messageOf(err)}`, { hint: 'Give a file in PEM', cause: err });
  });
}

function pagesOf(process: Pick<PartProcess, 'health' | 'leads' | 'gauges'>): Pages {
  let metrics: ProcessMetrics | undefined;
  const health = (): ReturnType<typeof healthPage> => healthPage(process.health());
  return {
    ...Object.fromEntries(['/healthz', '/livez', '/readyz', '/healthz/leaderElection'].map((path) => [path, health])),
    '/metrics': async () => {
      // Loaded when somebody asks for them.
      metrics ??= new (await import('./process-metrics.ts')).ProcessMetrics(process);
      return { code: 200, body: await metrics.text(), type: metrics.contentType };
    },
  };
}
