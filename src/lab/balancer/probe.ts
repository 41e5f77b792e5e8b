import { type Agent, get } from 'node:https';
import type { Answer } from './backends.ts';

/** Of a machine that is busy or paused. */
const answerWithinMs = 2_000;

/**
 * Asks without any credential. Who answers to `/livez/ping` lives; one whose store does not answer lets `/readyz` wait, and keeps its connections:
 * reads from its caches go on.
 */
export async function probeServer(url: string, agent: Agent): Promise<Answer> {
  if (!(await answersTo(`${url}/livez/ping`, agent))) return 'silent';
  return (await answersTo(`${url}/readyz`, agent)) === 200 ? 'ready' : 'unready';
}

/** The status code; undefined when there is no answer. */
function answersTo(url: string, agent: Agent): Promise<number | undefined> {
  return new Promise((resolve) => {
    const request = get(url, { agent, timeout: answerWithinMs }, (response) => {
      response.resume();
      response.on('error', () => resolve(undefined));
      response.on('end', () => resolve(response.statusCode));
    });
    // A socket that is silent ends here; a refusal comes as an error.
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
  });
}
