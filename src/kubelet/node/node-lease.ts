/** The Lease by which this node says that it lives. */
import { leases } from '../../api/resource-types.ts';
import type { Lease } from '../../api/schema/types.ts';
import { isAlreadyExists } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import type { Clock } from '../../clock/clock.ts';
import { microTimestamp } from '../../clock/timestamp.ts';

const namespace = 'kube-node-lease';
const leaseSeconds = 40;

export class NodeLease {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #name: string;
  #lease: Lease | undefined;

  constructor(client: Client, clock: Clock, nodeName: string) {
    this.#client = client;
    this.#clock = clock;
    this.#name = nodeName;
  }

  /** The Node was deleted, and its Lease with it. */
  forget(): void {
    this.#lease = undefined;
  }

  /** `nodeUid` becomes its owner when it is made. */
  async renew(nodeUid: string | undefined): Promise<void> {
    const name = this.#name;
    const spec = { holderIdentity: name, leaseDurationSeconds: leaseSeconds, renewTime: microTimestamp(this.#clock.now()) };
    try {
      if (this.#lease) {
        this.#lease = await this.#client.update(leases, { ...this.#lease, spec: { ...this.#lease.spec, ...spec } });
        return;
      }
    } catch {
      // Gone or changed by somebody: made or read anew below.
      this.#lease = undefined;
    }
    const owners = nodeUid ? { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid: nodeUid }] } : {};
    try {
      const metadata = { name, namespace, ...owners };
      this.#lease = await this.#client.create(leases, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec });
    } catch (err) {
      if (!isAlreadyExists(err)) throw err;
      const found = await this.#client.get(leases, name, { namespace });
      this.#lease = await this.#client.update(leases, { ...found, spec: { ...found.spec, ...spec } });
    }
  }
}
