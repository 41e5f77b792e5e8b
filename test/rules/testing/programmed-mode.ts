/** A mode at work in a network namespace, one set of Services after the other. */
import { mustRun, systemExec } from '../../../src/linux/exec.ts';
import type { Mode, ModeRules } from '../../../src/proxy/mode/mode.ts';
import type { ModeFace } from '../../../src/proxy/mode/testing/face.ts';
import type { Algorithm } from '../../../src/proxy/plan/algorithm.ts';
import type { NodeContext } from '../../../src/proxy/plan/node-context.ts';
import type { ServicePlan } from '../../../src/proxy/plan/service-plan.ts';

export class ProgrammedMode {
  readonly #mode: Mode;
  readonly #namespace: string;
  rules: ModeRules | undefined;

  private constructor(mode: Mode, namespace: string) {
    this.#mode = mode;
    this.#namespace = namespace;
  }

  static async in(face: ModeFace, namespace: string): Promise<ProgrammedMode> {
    const mode = face.open(namespace);
    await mode.probe();
    return new ProgrammedMode(mode, namespace);
  }

  get algorithms(): readonly Algorithm[] {
    return this.#mode.algorithms;
  }

  /** These and nothing of those before. */
  async take(plans: Iterable<ServicePlan>, node: NodeContext): Promise<void> {
    await this.#mode.cleanUp();
    this.rules = await this.#mode.open(node);
    for (const plan of plans) this.rules.put(plan.key, plan);
    await this.rules.sync();
    // Affinity and flows of those before must not show.
    await mustRun(systemExec, 'nsenter', [`--net=${this.#namespace}`, 'conntrack', '-F']);
  }

  async close(): Promise<void> {
    await this.#mode.cleanUp();
    this.#mode.close();
  }
}
