import type { Clock } from '../../clock/clock.ts';
import type { Exec } from '../../linux/exec.ts';
import { ProcessKeeper } from './process-keeper.ts';
import type { Keeper } from './service.ts';
import { SystemdKeeper } from './systemd-keeper.ts';

/** What keeps services running on this machine. */
export async function openKeeper(exec: Exec, clock: Clock): Promise<Keeper> {
  const systemd = new SystemdKeeper(exec);
  return (await systemd.isUsable()) ? systemd : new ProcessKeeper(clock);
}
