/**
 * A disk of a few megabytes: a tmpfs in a mount namespace of its own, which a process of the test keeps and which ends with it, so that
 * nothing is to be unmounted whatever happens.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemCode } from '../../errors/known-error.ts';
import { here, type Place } from './place.ts';

/** Why nothing can be mounted here, or false; for node:test's `skip`. */
export const cannotMount: string | false = canMount() ? false : 'needs a mount namespace';

function canMount(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export class SmallDisk implements AsyncDisposable {
  /** Where it is mounted for those within. */
  readonly dir: string = mkdtempSync(join(tmpdir(), 'fairlead-disk-'));
  readonly #keeper: ChildProcess;

  private constructor(megabytes: number) {
    const script = `mount -t tmpfs -o size=${megabytes}m tmpfs "$1" && mkdir -m 700 "$1/data" && echo mounted && exec cat`;
    // It reads what never comes, until this process ends.
    this.#keeper = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', this.dir], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
  }

  static async mount(megabytes: number): Promise<SmallDisk> {
    const disk = new SmallDisk(megabytes);
    await once(disk.#keeper.stdout!, 'data');
    return disk;
  }

  get place(): Place {
    return { ...here, within: ['nsenter', `--mount=/proc/${this.#keeper.pid}/ns/mnt`, '--'], dir: join(this.dir, 'data') };
  }

  /** A file of the disk, as this process sees it. */
  #seen(name: string): string {
    return `/proc/${this.#keeper.pid}/root${join(this.dir, name)}`;
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.#seen('.'));
    return bavail * bsize;
  }

  /** Takes all room but so much; less than nothing is left for others after that. */
  fill(leaveBytes = 0): void {
    const piece = new Uint8Array(4_096);
    try {
      while (this.freeBytes > leaveBytes) writeFileSync(this.#seen('ballast'), piece, { flag: 'a' });
    } catch (err) {
      if (systemCode(err) !== 'ENOSPC') throw err;
    }
  }

  /** Gives back what `fill` took. */
  free(): void {
    if (existsSync(this.#seen('ballast'))) rmSync(this.#seen('ballast'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#keeper, 'close');
    this.#keeper.kill('SIGKILL');
    await ended;
    rmSync(this.dir, { recursive: true });
  }
}
