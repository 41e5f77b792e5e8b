/** What an earlier "fairlead init" or "fairlead join" has made of this machine as a node: what a later one does not name stays as it is. */
import { X509Certificate } from 'node:crypto';
import type { Taint } from '../../api/schema/types.ts';
import { readIfThere } from '../../bootstrap/secret-file.ts';
import { KnownError } from '../../errors/known-error.ts';
import { controlPlaneTaint } from '../control-plane/control-plane.ts';
import { envFile, readEnv, type ServiceName } from '../service/service.ts';
import { readNodeConfig } from './node-config.ts';

type Env = Readonly<Partial<Record<string, string>>>;

export interface EarlierNode {
  readonly nodeName: string | undefined;
  /** Whether its certificate bears that name: another would be another node. */
  readonly isCertified: boolean;
  /** With a comma between two. */
  readonly addresses: string | undefined;
  readonly runtimeEndpoint: string | undefined;
  /** As --register-with-taints has them; undefined where nobody has ever said any, empty where somebody wanted none. */
  readonly taints: string | undefined;
  /** Of its API server, where it has one. */
  readonly apiPort: number | undefined;
}

export async function readEarlierNode(): Promise<EarlierNode> {
  // Of one that cannot be used who needs it tells.
  const config = await readNodeConfig().catch(() => undefined);
  const [agent, server] = await Promise.all((['agent', 'server'] as const).map((name) => readIfThere(envFile(name))));
  return earlierNodeOf({ agent, server }, config?.cert);
}

type Files = Readonly<Partial<Record<ServiceName, string | undefined>>>;

/** `files`: of flags. `certPem`: of kubelet.conf, which is there before they are. Pure. */
export function earlierNodeOf(files: Files, certPem: string | undefined): EarlierNode {
  const env: Env = readEnv(files.agent ?? '');
  const server: Env = readEnv(files.server ?? '');
  const certified = nodeOfCertificate(certPem);
  return {
    nodeName: certified ?? (env.FAIRLEAD_NODE_NAME || undefined),
    isCertified: certified !== undefined,
    addresses: env.FAIRLEAD_NODE_IP || undefined,
    runtimeEndpoint: env.FAIRLEAD_RUNTIME_ENDPOINT || undefined,
    taints: env.FAIRLEAD_REGISTER_WITH_TAINTS,
    apiPort: Number(server.FAIRLEAD_SECURE_PORT) || undefined,
  };
}

function nodeOfCertificate(certPem: string | undefined): string | undefined {
  try {
    return /^CN=system:node:(.+)$/m.exec(new X509Certificate(certPem ?? '').subject)?.[1];
  } catch {
    return undefined;
  }
}

/** Throws BAD_CONFIG for another name than that of the machine's certificate: the API server would let it say nothing of such a Node. */
export function refuseOtherName({ nodeName: known, isCertified }: EarlierNode, wished: string | undefined): void {
  if (wished === undefined || !isCertified || known === wished) return;
  throw new KnownError('BAD_CONFIG', `Cannot use --node-name="${wished}": this machine is the node "${known}"`, {
    hint: `Leave it out to go on as "${known}"; for another name take away what is here first: fairlead reset`,
  });
}

export interface NodeTaints {
  /** With which its kubelet makes the Node; undefined where nobody has said. */
  readonly registered: readonly Taint[] | undefined;
  /** What a Node gets that becomes one of a control plane. */
  readonly marked: readonly Taint[];
}

/** `wished`: now. `before`: of an earlier run, perhaps one that made this machine a worker. Without any that somebody asks for, kubeadm's own. Pure. */
export function taintsFor(wished: readonly Taint[] | undefined, before: readonly Taint[] | undefined, isControlPlane: boolean): NodeTaints {
  const preset = isControlPlane ? [controlPlaneTaint] : undefined;
  return { registered: wished ?? before ?? preset, marked: wished ?? preset ?? [] };
}
