/** Makes ServiceCIDRs ready for use, and lets none go whose addresses Services have (KEP-1880). */
import { ipAddresses, serviceCidrs } from '../../api/resource-types.ts';
import type { Condition, ServiceCIDR } from '../../api/schema/types.ts';
import { runController } from '../../client/run-controller.ts';
import { WorkQueue } from '../../client/work-queue.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { isIp } from '../../ip/ip.ts';
import type { ControllerContext } from '../context.ts';
import { mayGo } from './desired.ts';

const finalizer = 'networking.k8s.io/service-cidr-finalizer';
/** Every API server must have heard of the deletion before the last look: it gives out no address of the range from then on. */
const graceMs = 10_000;
/** A Service gives its address back without a word to the ServiceCIDR. */
const lookAgainMs = 5_000;

export async function runServiceCidrs(context: ControllerContext): Promise<void> {
  const { client, informers, clock, log, signal } = context;
  const queue = new WorkQueue({ clock });
  const informer = informers.of(serviceCidrs);
  informer.on({ add: (c) => queue.add(c.metadata.name), update: (c) => queue.add(c.metadata.name) });
  await informer.synced;
  await runController({ name: 'service-cidr-controller', queue, reconcile, log, signal, workers: 1 });

  async function reconcile(name: string): Promise<void> {
    const cidr = informer.get(name);
    if (!cidr) return;
    const finalizers = cidr.metadata.finalizers ?? [];
    const { deletionTimestamp } = cidr.metadata;
    if (!deletionTimestamp) {
      if (!finalizers.includes(finalizer)) await client.patch(serviceCidrs, name, { metadata: { finalizers: [...finalizers, finalizer] } });
      await setReady(cidr, { status: 'True', reason: '', message: 'Kubernetes Service CIDR is ready' });
      return;
    }
    if (!finalizers.includes(finalizer)) return;
    const others = informer.list().filter((c) => c.metadata.name !== name && !c.metadata.deletionTimestamp);
    const { items } = await client.list(ipAddresses, { labelSelector: 'ipaddress.kubernetes.io/managed-by=ipallocator.k8s.io' });
    const taken = items.map((ip) => ip.metadata.name).filter(isIp);
    if (!mayGo(cidr, others, taken)) {
      const message = 'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR';
      await setReady(cidr, { status: 'False', reason: 'Terminating', message });
      queue.addAfter(name, lookAgainMs);
      return;
    }
    const left = Date.parse(deletionTimestamp) + graceMs - clock.now();
    if (left > 0) queue.addAfter(name, left);
    else await client.patch(serviceCidrs, name, { metadata: { finalizers: finalizers.filter((f) => f !== finalizer) } });
  }

  async function setReady({ metadata, status }: ServiceCIDR, ready: Pick<Condition, 'status' | 'reason' | 'message'>): Promise<void> {
    const old = status?.conditions?.find((c) => c.type === 'Ready');
    // What the API server says of its own range is as good.
    if (old?.status === ready.status && (ready.status === 'True' || old.message === ready.message)) return;
    const lastTransitionTime = old && old.status === ready.status ? old.lastTransitionTime : timestamp(clock.now());
    const conditions = [...(status?.conditions ?? []).filter((c) => c.type !== 'Ready'), { type: 'Ready', ...ready, lastTransitionTime }];
    await client.patch(serviceCidrs, metadata.name, { status: { conditions } }, { subresource: 'status' });
  }
}
