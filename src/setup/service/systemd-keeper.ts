import { existsSync } from 'node:fs';
import { type Exec, mustRun } from '../../linux/exec.ts';
import type { Keeper, ServiceName } from './service.ts';

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

function unit(name: ServiceName): string {
  return `fairlead-${name}.service`;
}
