/** The notes that DELs left while the agent was down (cni-bin/fairlead.cjs writes them). */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '../errors/known-error.ts';
import type { Log } from '../observability/log.ts';
import { type CallPlugin, callFrom, type PluginCall } from './plugin-call.ts';
import { cniErrorCodes } from './spec/cni-error.ts';

/** Errors that may be over the next time; nothing else gets better by itself. */
const passing: readonly unknown[] = [cniErrorCodes.io, cniErrorCodes.tryAgainLater, cniErrorCodes.internal];

/**
 * Acts on every note, and removes those that are done or never can be: the address of a pod that is gone is taken back
 * without a note, too.
 */
export async function actOnNotes(dir: string, call: CallPlugin, log: Log): Promise<void> {
  for (const name of namesIn(dir)) {
    const path = join(dir, name);
    const request = read(path);
    const answer = request && (await call(request));
    if (answer?.code === 1 && passing.includes((JSON.parse(answer.stdout) as { code: unknown }).code)) continue;
    if (answer?.code !== 0) log.warn('Left out a note that cannot be acted on', { path, answer: answer?.stdout });
    rmSync(path, { force: true });
  }
}

/** Unfinished notes have other names. */
function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir).filter((name) => name.endsWith('.json'));
  } catch (err) {
    if (systemCode(err) === 'ENOENT') return [];
    throw err;
  }
}

function read(path: string): PluginCall | undefined {
  try {
    return callFrom(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
