/** The kernel's refusals, by errno. */
import { getSystemErrorName } from 'node:util';
import { KnownError } from '../../errors/known-error.ts';

export class NetlinkError extends KnownError {
  /** The errno's name, such as `EEXIST`. */
  readonly errno: string;

  /** `said`: the kernel's own words (an extended ack), kept as the cause. */
  constructor(errno: string, doing: string, said?: string) {
    super('KERNEL_REFUSED', `Cannot ${doing}: the kernel says ${errno}`, {
      ...(errno === 'EPERM' ? { hint: 'Run as root (CAP_NET_ADMIN)' } : {}),
      ...(said === undefined ? {} : { cause: new Error(said) }),
    });
    this.errno = errno;
  }
}

/** `17` → `EEXIST`; `errno 4100` for what is none of the system's: some kernel parts have refusals of their own. */
export function errnoName(errno: number): string {
  const unknown = `errno ${errno}`;
  try {
    const name = getSystemErrorName(-errno);
    return name.startsWith('Unknown') ? unknown : name;
  } catch {
    return unknown;
  }
}

export function isErrno(err: unknown, ...names: readonly string[]): boolean {
  return err instanceof NetlinkError && names.includes(err.errno);
}

/** When all changes are made that could be: throws KERNEL_REFUSED if some were refused. */
export function complain(answers: readonly (NetlinkError | undefined)[]): void {
  const refused = answers.filter((error) => error !== undefined);
  const [first] = refused;
  if (!first) return;
  if (refused.length === 1) throw first;
  throw new KnownError('KERNEL_REFUSED', `${first.message}, and ${refused.length - 1} more changes were refused`, { cause: first });
}

/** Gathers what was refused of many changes: they may be more than a call has room for as arguments. */
export class Refusals {
  readonly all: NetlinkError[] = [];

  add(...lists: readonly (readonly (NetlinkError | undefined)[])[]): void {
    for (const error of lists.flat()) if (error) this.all.push(error);
  }
}
