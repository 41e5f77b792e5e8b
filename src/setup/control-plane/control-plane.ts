/** What makes a machine a control plane, the first one as well as those that join: certificates, the server and its flags, the marks of its node. */
import { join } from 'node:path';
import { nodes } from '../../api/resource-types.ts';
import type { Node, Taint } from '../../api/schema/types.ts';
import { clusterKubeconfigs, ensureClusterPki } from '../../bootstrap/pki.ts';
import { readIfThere } from '../../bootstrap/secret-file.ts';
import { waitUntil } from '../../cli/wait-until.ts';
import { Client } from '../../client/client.ts';
import { loadKubeconfig } from '../../client/kubeconfig.ts';
import { KnownError } from '../../errors/known-error.ts';
import { isIp, joinHostPort } from '../../ip/ip.ts';
import { type FoundCertificate, findCertificates } from '../certs/certs.ts';
import { type ClusterPlan, hostOf } from '../config/cluster-plan.ts';
import { layout } from '../layout.ts';
import { ensureService, type ServiceFlags } from '../service/service.ts';
import type { SetupContext } from '../setup-context.ts';

const controlPlaneLabel = 'node-role.kubernetes.io/control-plane';
/** kubeadm's own, for who asks for no others. */
export const controlPlaneTaint: Taint = { key: controlPlaneLabel, effect: 'NoSchedule' };

export function serverFlags(plan: ClusterPlan): ServiceFlags {
  return {
    'data-dir': layout.serverDir,
    'pki-dir': layout.pkiDir,
    'kubeconfig-dir': layout.kubernetesDir,
    'advertise-address': plan.advertiseAddress,
    'secure-port': String(plan.bindPort),
    'cluster-cidr': plan.podSubnet,
    ...plan.nodeMasks,
    'service-cluster-ip-range': plan.serviceSubnet,
    'cluster-dns': plan.dnsAddress,
    'service-account-issuer': `https://kubernetes.default.svc.${plan.dnsDomain}`,
    ...(plan.store === undefined ? {} : { store: plan.store }),
  };
}

/** Throws BAD_CONFIG for the first that the control plane cannot work with any more: nothing but its end is wrong with it, so it was not made anew. */
export function refuseEnded(found: readonly Pick<FoundCertificate, 'name' | 'path' | 'leaf'>[], now: number): void {
  const needed = ['apiserver', 'apiserver-kubelet-client', ...Object.keys(clusterKubeconfigs)];
  const ended = found.find(({ name, leaf }) => needed.includes(name) && leaf !== undefined && leaf.validToDate.getTime() <= now);
  if (!ended) return;
  throw new KnownError('BAD_CONFIG', `Cannot use ${ended.path}: it ended on ${ended.leaf?.validToDate.toISOString()}`, {
    hint: 'fairlead certs renew; then this command again',
  });
}

/** Whether the certificate of the API server was made, or made anew. Throws BAD_CONFIG for one that has ended. */
export async function makeCertificates({ clock }: SetupContext, plan: ClusterPlan, nodeName: string): Promise<boolean> {
  const read = (): Promise<string | undefined> => readIfThere(join(layout.pkiDir, 'apiserver.crt'));
  const [before, hasConfig] = [await read(), (await readIfThere(layout.adminConfig)) !== undefined];
  const extra = [hostOf(plan.endpoint), ...plan.certSans];
  await ensureClusterPki({
    dir: layout.pkiDir,
    kubeconfigDir: layout.kubernetesDir,
    cluster: plan.clusterName,
    server: `https://${plan.endpoint}`,
    addresses: [plan.advertiseAddress, ...extra.filter(isIp)],
    names: [...new Set([nodeName, ...extra.filter((name) => !isIp(name))])],
    serviceAddress: plan.kubernetesAddress,
    clusterDomain: plan.dnsDomain,
    now: clock.now(),
  });
  const { pkiDir, kubernetesDir: kubeconfigDir, certDir } = layout;
  refuseEnded(await findCertificates({ pkiDir, kubeconfigDir, certDir }), clock.now());
  return !hasConfig || before !== (await read());
}

/** Starts it, again where its flags or its certificate are others than before. */
export async function startServer({ keeper }: SetupContext, plan: ClusterPlan, hasNewCertificate: boolean): Promise<boolean> {
  if (await ensureService(keeper, 'server', serverFlags(plan))) return true;
  if (hasNewCertificate) await keeper.restart('server');
  return hasNewCertificate;
}

/** An administrator's, of the API server on this machine and not of one beside it. */
export async function localClient({ advertiseAddress, bindPort }: ClusterPlan): Promise<Client> {
  return new Client({ ...(await loadKubeconfig(layout.adminConfig)), server: `https://${joinHostPort(advertiseAddress, bindPort)}` });
}

type Patience = Pick<SetupContext, 'clock' | 'signal' | 'timeoutMs' | 'steps'>;

/** Whether it had to wait. */
export async function waitForServer(context: Patience, client: Client, what: string, hint: string): Promise<boolean> {
  const { clock, signal, timeoutMs, steps } = context;
  let looks = 0;
  await waitUntil(what, { clock, signal, timeoutMs, onPatience: (text) => steps.note(text), hint }, async () => {
    looks++;
    await client.raw('GET', '/readyz', { signal });
    return undefined;
  });
  return looks > 1;
}

/**
 * What a Node of a control plane has that another has not. Both in one change, so that who is killed has made all of it or nothing; and of the
 * version that was read, since a list of taints is replaced whole.
 */
function marksFor({ metadata, spec }: Node, taints: readonly Taint[]): object {
  const others = (spec?.taints ?? []).filter((own) => !taints.some(({ key, effect }) => key === own.key && effect === own.effect));
  const labels = { [controlPlaneLabel]: '', 'node.kubernetes.io/exclude-from-external-load-balancers': '' };
  return { metadata: { labels, resourceVersion: metadata.resourceVersion }, spec: { taints: [...others, ...taints] } };
}

/**
 * Marks the Node, which its own kubelet may not do (NodeRestriction): one that was a worker has no taint by itself. Whether it was not marked; one
 * that is stays as it is, without the taint that somebody took away. A server that lost its leases on a machine that is too busy starts anew, so
 * it may be away for seconds.
 */
export async function markControlPlane(
  context: Patience,
  client: Pick<Client, 'get' | 'patch'>,
  { metadata: { name = '', labels } }: Node,
  taints: readonly Taint[],
): Promise<boolean> {
  if (labels?.[controlPlaneLabel] === '') return false;
  const { clock, signal, timeoutMs, steps } = context;
  const hint = 'Is the API server of this machine running? Then run the same command again';
  const wait = { clock, signal, timeoutMs, everyMs: 500, onPatience: (text: string) => steps.note(text), hint };
  await waitUntil('the API server to take the marks of a control plane', wait, async () => {
    const node = await client.get<Node>(nodes, name, { signal });
    await client.patch<Node>(nodes, name, marksFor(node, taints), { signal });
    return undefined;
  });
  return true;
}
