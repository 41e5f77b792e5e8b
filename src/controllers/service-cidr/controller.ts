/** Makes ServiceCIDRs ready for use, and lets none go whose addresses Services have (KEP-1880). */
import { ipAddresses, serviceCidrs } from '../../api/resource-types.ts';
import type { Condition, ServiceCIDR } from '../../api/schema/types.ts';
import type { Controller, Result } from '../../client/controller.ts';
import { isIp } from '../../ip/ip.ts';
import { KeyedController } from '../context.ts';
import { withCondition } from '../ownership/conditions.ts';
import { mayGo } from './desired.ts';

const finalizer = 'networking.k8s.io/service-cidr-finalizer';
const managedByAllocator = 'ipaddress.kubernetes.io/managed-by=ipallocator.k8s.io';
/** Every API server must have heard of the deletion before the last look: it gives out no address of the range from then on. */
const graceMs = 10_000;
/** A Service gives its address back without a word to the ServiceCIDR. */
const lookAgainMs = 5_000;

export class ServiceCidrController extends KeyedController {
  readonly name = 'service-cidr-controller';
  /** Two ranges that go at once could each count on the other. */
  readonly workers = 1;
  readonly #cidrs = this.informers.of(serviceCidrs);

  setup(controller: Controller): void {
    controller.for(this.#cidrs);
  }

  async reconcile(key: string): Promise<Result | undefined> {
    const cidr = this.#cidrs.get(key);
    if (!cidr) return;
    const { name, deletionTimestamp, finalizers = [] } = cidr.metadata;
    const isHeld = finalizers.includes(finalizer);
    if (deletionTimestamp) return isHeld ? this.#letGo(cidr, Date.parse(deletionTimestamp)) : undefined;
    if (!isHeld) await this.client.patch(serviceCidrs, name, { metadata: { finalizers: [...finalizers, finalizer] } });
    await this.#setReady(cidr, { status: 'True', reason: '', message: 'Kubernetes Service CIDR is ready' });
  }

  async #letGo(cidr: ServiceCIDR, deletedAt: number): Promise<Result | undefined> {
    const { name, finalizers = [] } = cidr.metadata;
    const others = this.#cidrs.list().filter((c) => c.metadata.name !== name && !c.metadata.deletionTimestamp);
    const { items } = await this.client.list(ipAddresses, { labelSelector: managedByAllocator });
    if (!mayGo(cidr, others, items.map((ip) => ip.metadata.name).filter(isIp))) {
      const message = 'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR';
      await this.#setReady(cidr, { status: 'False', reason: 'Terminating', message });
      return { requeueAfter: lookAgainMs };
    }
    const left = deletedAt + graceMs - this.clock.now();
    if (left > 0) return { requeueAfter: left };
    await this.client.patch(serviceCidrs, name, { metadata: { finalizers: finalizers.filter((f) => f !== finalizer) } });
  }

  async #setReady({ metadata, status }: ServiceCIDR, ready: Pick<Condition, 'status' | 'reason' | 'message'>): Promise<void> {
    const old = status?.conditions?.find((c) => c.type === 'Ready');
    // What the API server says of its own range is as good.
    if (old?.status === ready.status && (ready.status === 'True' || old.message === ready.message)) return;
    const conditions = withCondition(status?.conditions, { type: 'Ready', ...ready }, this.clock.now());
    await this.client.patch(serviceCidrs, metadata.name, { status: { conditions } }, { subresource: 'status' });
  }
}
