/** What a person is told whose kernel or machine lacks a part of a mode: the part, and which modes would work here. */
import { KnownError } from '../errors/known-error.ts';
import { isLack } from '../linux/lack.ts';
import { modes } from './mode/modes.ts';

async function works(open: (typeof modes)[string]): Promise<boolean> {
  try {
    const mode = await open();
    try {
      await mode.probe();
      return true;
    } finally {
      mode.close();
    }
  } catch {
    return false;
  }
}

/** The names of those that work on this machine, `except` left out. */
export async function usableModes(except?: string, all: typeof modes = modes): Promise<string[]> {
  const usable: string[] = [];
  for (const [name, open] of Object.entries(all)) if (name !== except && (await works(open))) usable.push(name);
  return usable;
}

/** The error of a mode that could not start, told whole; any other error as it is. */
export async function explained(err: unknown, mode: string, all: typeof modes = modes): Promise<unknown> {
  if (!isLack(err)) return err;
  const usable = await usableModes(mode, all);
  const said = err.message.startsWith('Cannot use proxy mode')
    ? err.message
    : `Cannot use proxy mode "${mode}": ${err.message.replace(/^Cannot/, 'cannot')}`;
  const others = usable.length === 0 ? 'no other mode works here' : `or use proxy mode ${usable.join(' or ')}, which would work here`;
  return new KnownError(err.code, said, { hint: err.hint ? `${err.hint}; ${others}` : others, cause: err.cause });
}
