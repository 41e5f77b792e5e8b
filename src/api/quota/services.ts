/** Services, their node ports as they are asked for, and load balancers. After pkg/quota/v1/evaluator/core/services.go. */
import type { KubeObject } from '../resource-types.ts';
import type { Service } from '../schema/types.ts';
import { type Amounts, none, one } from './amounts.ts';
import type { Evaluator } from './evaluator.ts';

const names: readonly string[] = ['count/services', 'services', 'services.nodeports', 'services.loadbalancers'];

export const serviceEvaluator: Evaluator = {
  handles: ({ operation, subresource }) => subresource === '' && (operation === 'CREATE' || operation === 'UPDATE'),
  counts: (name) => names.includes(name),
  isIn: () => false,
  usage,
  lacks: () => undefined,
  frees: (object, previous) => outsideType(object as Service) !== outsideType(previous as Service),
};

function usage(object: KubeObject): Amounts {
  const service = object as Service;
  return {
    'count/services': one,
    services: one,
    'services.loadbalancers': service.spec?.type === 'LoadBalancer' ? one : none,
    'services.nodeports': { nano: BigInt(nodePortsOf(service)) * one.nano, form: 'decimal' },
  };
}

/** The ports are given later than they are counted: what counts is that they will be. */
function nodePortsOf({ spec }: Service): number {
  const ports = spec?.ports ?? [];
  if (spec?.type === 'NodePort') return ports.length;
  if (spec?.type !== 'LoadBalancer') return 0;
  return spec.allocateLoadBalancerNodePorts === false ? ports.filter((port) => port.nodePort).length : ports.length;
}

function outsideType({ spec }: Service): string | undefined {
  return spec?.type === 'NodePort' || spec?.type === 'LoadBalancer' ? spec.type : undefined;
}
