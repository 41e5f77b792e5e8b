import { readFile } from 'node:fs/promises';

/** A process that cannot be mistaken for a later one with the same PID. */
export interface ProcessId {
  readonly pid: number;
  /** Clock ticks after boot at which it began: field 22 of /proc/PID/stat (proc(5)). */
  readonly startTime: string;
}

/** Undefined when there is no such process, or only its zombie. */
export async function readProcessId(pid: number): Promise<ProcessId | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name, in parentheses, may hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, startTime] = [fields[0], fields[19]];
  return startTime === undefined || state === 'Z' || state === 'X' ? undefined : { pid, startTime };
}

export async function isAlive(id: ProcessId): Promise<boolean> {
  return (await readProcessId(id.pid))?.startTime === id.startTime;
}

/** Changes with every boot of the machine. */
export async function readBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}
