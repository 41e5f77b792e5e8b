import { existsSync, type Stats } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Exec, mustRun } from '../../linux/exec.ts';
import type { Keeper, ServiceName } from './service.ts';

/** ProtectHome= and PrivateTmp= of the units, see systemd.exec(5). */
const hidden = /^\/(home|root|run\/user|tmp|var\/tmp)\//;

/** The units of the package. */
export class SystemdKeeper implements Keeper {
  readonly #exec: Exec;

  constructor(exec: Exec) {
    this.#exec = exec;
  }

  /** Whether systemd is PID 1 (sd_booted(3)) and the units are there. */
  async isUsable(): Promise<boolean> {
    if (!existsSync('/run/systemd/system')) return false;
    const found = await this.#exec.run('systemctl', ['cat', 'fairlead-agent.service', 'fairlead-server.service']);
    return found.code === 0;
  }

  async hides(given: string): Promise<string | undefined> {
    // What is not there is told by who reads it.
    const path = await realpath(given).catch(() => undefined);
    if (path === undefined) return undefined;
    if (hidden.test(path)) return `${unit('server')} does not see /home, /root and /tmp`;
    const isOpen = mayUse(await stat(path), 4) && (await parentsOf(path)).every((dir) => mayUse(dir, 1));
    return isOpen ? undefined : `${unit('server')} reads what root owns, and has no right to the files of others`;
  }

  async isRunning(name: ServiceName): Promise<boolean> {
    const { stdout } = await this.#exec.run('systemctl', ['is-active', unit(name)]);
    return ['active', 'activating'].includes(stdout.trim());
  }

  async start(name: ServiceName): Promise<void> {
    await mustRun(this.#exec, 'systemctl', ['enable', '--now', '--quiet', unit(name)]);
  }

  async stop(name: ServiceName): Promise<void> {
    await this.#exec.run('systemctl', ['disable', '--now', '--quiet', unit(name)]);
    await this.#exec.run('systemctl', ['reset-failed', unit(name)]);
  }

  async restart(name: ServiceName): Promise<void> {
    await mustRun(this.#exec, 'systemctl', ['restart', unit(name)]);
  }

  logHint(name: ServiceName): string {
    return `journalctl -u ${unit(name)}`;
  }
}

/** Whether root may without CAP_DAC_OVERRIDE, which the unit has not: the first class that fits decides (path_resolution(7)). `bit`: 4 reads, 1 passes through. */
export function mayUse({ uid, gid, mode }: Pick<Stats, 'uid' | 'gid' | 'mode'>, bit: 4 | 1): boolean {
  const shift = uid === 0 ? 6 : gid === 0 ? 3 : 0;
  return (mode & (bit << shift)) !== 0;
}

async function parentsOf(path: string): Promise<Stats[]> {
  const dir = dirname(path);
  return [await stat(dir), ...(dir === '/' ? [] : await parentsOf(dir))];
}

function unit(name: ServiceName): string {
  return `fairlead-${name}.service`;
}
