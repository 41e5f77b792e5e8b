/** What every controller gets, and how it is started. */
import type { KubeObject, ResourceType } from '../api/resource-types.ts';
import type { Client } from '../client/client.ts';
import { Controller, type Reconciler, type Result } from '../client/controller.ts';
import { EventRecorder } from '../client/event-recorder.ts';
import type { InformerSet } from '../client/informers.ts';
import type { Clock } from '../clock/clock.ts';
import type { GaugeSource } from '../observability/gauge.ts';
import type { Log } from '../observability/log.ts';
import type { Authority } from '../x509/authority.ts';
import { canonical } from './ownership/template-hash.ts';

type WithStatus = KubeObject & { readonly status?: object | undefined };

export interface PodRange {
  readonly clusterCidr: string;
  /** The prefix length of a node's part. */
  readonly maskSize: number;
}

export interface ControllerContext {
  readonly client: Client;
  readonly informers: InformerSet;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** PEM of the authority that signed the API server's certificate; published in every namespace. */
  readonly rootCa: string;
  /** The range from which nodes get their podCIDR, or one of each family; absent: nodes bring their own. */
  readonly podRanges?: readonly PodRange[];
  /** Absent: nobody here signs certificates. */
  readonly signing?: Signing;
  /** What is not given is as upstream has it by default. */
  readonly autoscalerTimes?: Partial<AutoscalerTimes>;
  /** False: nobody is asked to make volumes for claims. */
  readonly provisioning?: boolean;
  /** Where controllers put what they count, by its name; one that is started again puts it there anew. Absent: nobody asks. */
  readonly gauges?: Map<string, GaugeSource>;
  /** The client of one ServiceAccount, for a controller that acts as its own; absent: all act as `client`, who reads for all. */
  readonly clientOf?: (account: string) => Client;
}

/** How autoscalers go about it, in milliseconds where it is a time. */
export interface AutoscalerTimes {
  readonly syncPeriodMs: number;
  /** How long a fall waits where the object does not say. */
  readonly downWindowMs: number;
  /** A share of the target. */
  readonly tolerance: number;
  readonly cpuBeginningMs: number;
  readonly readinessBeginningMs: number;
}

/** What requests for certificates are signed with. */
export interface Signing {
  /** The longest life of a certificate. */
  readonly mostMs: number;
  /** By the signer's name. What one gives may change while the process runs. */
  readonly authorities: Readonly<Record<string, () => Promise<Authority>>>;
}

/** What every controller of keys has at hand, also while its own fields are made. */
export abstract class KeyedController implements Reconciler {
  abstract readonly name: string;
  protected readonly context: ControllerContext;
  protected readonly client: Client;
  protected readonly informers: InformerSet;
  protected readonly clock: Clock;
  /** Stands in its events. Default: its name. */
  protected readonly component: string | undefined;
  #recorder: EventRecorder | undefined;

  constructor(context: ControllerContext) {
    this.context = context;
    this.client = context.client;
    this.informers = context.informers;
    this.clock = context.clock;
  }

  protected get recorder(): EventRecorder {
    this.#recorder ??= new EventRecorder({ ...this.context, component: this.component ?? this.name });
    return this.#recorder;
  }

  /** Writes a status that says something new, and gives the object as it is then. `absent`: what the server leaves out of one. */
  protected async writeStatus<T extends WithStatus>(
    type: ResourceType<T>,
    object: T,
    status: T['status'] & object,
    absent: object = {},
  ): Promise<T> {
    if (canonical({ ...absent, ...status }) === canonical({ ...absent, ...object.status })) return object;
    return this.client.update(type, { ...object, status }, { subresource: 'status' });
  }

  abstract setup(controller: Controller): void;
  abstract reconcile(key: string): Promise<Result | undefined>;
}

/** Runs until the signal aborts. */
export type RunController = (context: ControllerContext) => Promise<void>;

/** Runs one of each class. */
export function keyed(...classes: readonly (new (context: ControllerContext) => Reconciler)[]): RunController {
  return async (context) => {
    const { clock, log, signal } = context;
    const controllers = classes.map((Class) => new Controller({ reconciler: new Class(context), clock, log }));
    await Promise.all(controllers.map((controller) => controller.run(signal)));
  };
}
