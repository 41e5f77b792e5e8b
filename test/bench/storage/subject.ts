/** What the storage bench measures: records of 2 KiB, known by their numbers, in a store or an engine of their own. */
import { readFileSync } from 'node:fs';

export interface Subject extends AsyncDisposable {
  /** CPU seconds so far of all that the records pass through, the engine's processes included. */
  readonly cpu: number;
  /** Megabytes of the engine's processes, shared pages by their share; NaN for a store that has none. */
  readonly memory: number;
  make(i: number): Promise<void>;
  /** Writes the record, whatever stands there. */
  put(i: number): Promise<void>;
  /** Reads all records in key order, a page after the other. Gives how many there were. */
  list(pageSize: number): Promise<number>;
  /** So many watches of all records, each from now on. `onEvents` hears how many events one of them had. */
  watch(count: number, onEvents: (events: number) => void): Promise<{ end(): void }>;
}

const recordBytes = 2_048;
let writes = 0;

/** No two are the same: a server may see that nothing changes. */
export function nextText(): string {
  return String(writes++).padEnd(recordBytes, 'x');
}

export function nameOf(i: number): string {
  return `record-${String(i).padStart(6, '0')}`;
}

const ticksPerSecond = 100;

/** CPU seconds of processes. */
export function cpuOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // utime and stime: proc(5).
    const [user, system] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13);
    return sum + (Number(user) + Number(system)) / ticksPerSecond;
  }, 0);
}

/** CPU seconds of this process, where the store is. */
export function ownCpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

export function memoryOf(pids: readonly number[]): number {
  if (pids.length === 0) return Number.NaN;
  return pids.reduce((sum, pid) => sum + Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]) / 1024, 0);
}
