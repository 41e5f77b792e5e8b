import { messageOf } from '../../errors/known-error.ts';

/** Where a command is run: the machine itself, the client namespace, a node, a pod. */
export interface Step {
  /** What somebody would type. */
  readonly command: string;
  /** Where, when it is not the machine itself. */
  readonly where?: string;
  /** Does it; gives what to show. Throws when the answer is not as it should be. */
  readonly run: () => Promise<string>;
}

export interface Failure {
  readonly command: string;
  readonly reason: string;
}

/** Runs the steps in order, printing each command and its answer. Goes on after a failure, so that one run shows all. */
export async function playScript(steps: readonly Step[], write: (text: string) => void, signal: AbortSignal): Promise<Failure[]> {
  const failures: Failure[] = [];
  for (const step of steps) {
    signal.throwIfAborted();
    write(`${step.where === undefined ? '' : `[${step.where}] `}$ ${step.command}\n`);
    try {
      const answer = (await step.run()).trimEnd();
      write(`${answer === '' ? '' : `${answer}\n`}\n`);
    } catch (err) {
      signal.throwIfAborted();
      failures.push({ command: step.command, reason: messageOf(err) });
      write(`FAILED: ${messageOf(err)}\n\n`);
    }
  }
  return failures;
}
