/** How often a container has been started already, when the runtime remembers nothing of it: after a reboot, or with a runtime made anew. */
import { readdir } from 'node:fs/promises';

/**
 * The number of the next start as the names of the container's logs tell it (`0.log`, `1.log.20260102-030405.gz`): as upstream's
 * calcRestartCountByLogDir. 0 when there are none.
 */
export async function restartCountOfLogs(directory: string): Promise<number> {
  const numbers = (await readdir(directory).catch(() => [])).flatMap((name) => {
    const number = /^(\d+)\.log(\..*)?$/.exec(name)?.[1];
    return number === undefined ? [] : [Number(number)];
  });
  return numbers.length === 0 ? 0 : Math.max(...numbers) + 1;
}
