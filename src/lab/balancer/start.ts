import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Hierarchy } from '../cgroups.ts';
import { startKept } from '../kept-process.ts';
import type { LabPlan } from '../plan.ts';
import type { ProcessId } from '../process-id.ts';
import type { Tools } from '../tools.ts';

/** What the balancer process is told, as JSON on its command line. */
export interface BalancerConfig {
  readonly address: string;
  readonly port: number;
  readonly servers: readonly string[];
  /** Of the servers' certificates. */
  readonly caFile: string;
}

/** Starts the balancer in the network between the nodes. Gives the process that keeps it running. */
export async function startBalancer(tools: Tools, hierarchies: readonly Hierarchy[], plan: LabPlan): Promise<ProcessId> {
  const config: BalancerConfig = {
    address: plan.apiAddress,
    port: 6443,
    servers: plan.controlPlanes.map(({ address }) => address),
    caFile: join(plan.pkiDir, 'ca.crt'),
  };
  const program = fileURLToPath(new URL('./balancer-process.ts', import.meta.url));
  const inside = [tools.nsenter, `--net=${plan.underlayNetns}`, '--'];
  return await startKept(hierarchies, plan, 'balancer', [...inside, process.execPath, program, JSON.stringify(config)]);
}
