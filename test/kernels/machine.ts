/** A machine with a kernel, a disk and a clock of its own: User Mode Linux over this machine's root. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { eventually } from '../../src/clock/testing/eventually.ts';
import type { Snapshotter } from '../../src/lab/images/snapshotter.ts';
import { containerdConfig } from '../../src/lab/node/containerd-config.ts';
import { type ExecResult, mustRun, start, systemExec } from '../../src/linux/exec.ts';
import { type Guest, killGuest, memoryDir } from '../guest/guest.ts';

export const fairlead: string = join(import.meta.dirname, '../../src/main/fairlead.sh');

/** For hangs: an undisturbed boot takes three seconds. */
const bootLimitMs = 90_000;
const runLimitMs = 240_000;
const diskBytes = 1 << 30;

export interface MachineOptions {
  readonly name: string;
  readonly address: string;
  readonly gateway: string;
  /** The device of the segment at which it is plugged in. */
  readonly tap: string;
  readonly memoryMb: number;
  readonly guest: Guest;
  /** The `mke2fs` to make its disk with. */
  readonly mke2fs: string;
  /** A containerd directory that has the images of the lab. */
  readonly images: { readonly dir: string; readonly snapshotter: Snapshotter };
  /** For its files; its own. */
  readonly dir: string;
}

export class Machine {
  readonly name: string;
  readonly address: string;
  readonly #options: MachineOptions;
  readonly #share: string;
  #process: ChildProcess | undefined;
  #console = '';
  #jobs = 0;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.name = options.name;
    this.address = options.address;
    this.#share = join(options.dir, 'share');
  }

  get mac(): string {
    return `52:54:00:00:00:${Number(this.address.split('.').at(-1)).toString(16).padStart(2, '0')}`;
  }

  get isOn(): boolean {
    return this.#process?.exitCode === null && this.#process.signalCode === null;
  }

  /** A new disk: what was on the old one is gone. It is sparse, and has the images and a machine-id. */
  async newDisk(): Promise<void> {
    const { dir, guest, mke2fs, images, name } = this.#options;
    const [disk, seed] = [join(dir, 'disk'), join(dir, 'seed')];
    for (const path of [disk, seed]) await rm(path, { recursive: true, force: true });
    for (const path of ['root', 'work', 'upper/etc', 'own/etc/containerd', 'own/var/lib'])
      await mkdir(join(seed, path), { recursive: true });
    await writeFile(join(seed, 'upper/etc/hostname'), `${name}\n`);
    await writeFile(join(seed, 'upper/etc/machine-id'), `${randomBytes(16).toString('hex')}\n`);
    const config = containerdConfig({ snapshotter: images.snapshotter, restrictOomScore: false });
    await writeFile(join(seed, 'own/etc/containerd/config.toml'), config);
    await mustRun(systemExec, 'cp', ['-a', images.dir, join(seed, 'own/var/lib/containerd')]);
    await writeFile(disk, '');
    await truncate(disk, diskBytes);
    const env = { LD_LIBRARY_PATH: guest.env.LD_LIBRARY_PATH ?? '' };
    await mustRun(systemExec, mke2fs, ['-q', '-t', 'ext4', '-d', seed, disk], { env });
    await rm(seed, { recursive: true });
  }

  /** Boots it; once more when it does not come up. */
  async boot(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.#start(await this.#prepare());
      const isUp = (): boolean => existsSync(join(this.#share, 'up'));
      await eventually(() => isUp() || !this.isOn, { timeoutMs: bootLimitMs }).catch(() => {});
      if (isUp()) return;
      await this.cutPower();
      if (attempt === 2) throw new Error(`${this.name} does not boot: ${this.#console.slice(-2000)}`);
    }
  }

  async #prepare(): Promise<string> {
    const { name, address, gateway, memoryMb } = this.#options;
    await rm(this.#share, { recursive: true, force: true });
    await mkdir(this.#share, { recursive: true });
    const words = { NAME: name, ADDRESS: address, GATEWAY: gateway, FAIRLEAD: fairlead };
    await writeFile(
      join(this.#share, 'machine'),
      Object.entries(words)
        .map(([key, value]) => `${key}='${value}'\n`)
        .join(''),
    );
    return await memoryDir(this.#options.dir, memoryMb);
  }

  #start(memory: string): void {
    const { guest, dir, memoryMb, tap } = this.#options;
    const devices = [`ubd0=${join(dir, 'disk')}`, `eth0=tuntap,${tap},${this.mac}`];
    const place = [`mem=${memoryMb}M`, `uml_dir=${dir}`, 'umid=guest', 'quiet', 'con=null', 'con0=null,fd:1', 'con1=fd:3,null'];
    const root = ['root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'ro', 'init=/bin/sh'];
    const preload = guest.preload === undefined ? {} : { LD_PRELOAD: guest.preload };
    this.#process = start(
      guest.kernel,
      [...place, ...devices, ...root, '--', join(import.meta.dirname, 'init.sh'), guest.modules, this.#share],
      {
        env: { ...process.env, ...preload, LD_LIBRARY_PATH: guest.env.LD_LIBRARY_PATH, TMPDIR: memory },
        stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
      },
    );
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#console = (this.#console + text).slice(-8000)));
    // It may go while something is said to it.
    this.#process.stdio[3]?.on('error', () => {});
  }

  /** Runs a script of sh in it. Rejects when the machine ends meanwhile. */
  async run(script: string, timeoutMs: number = runLimitMs): Promise<ExecResult> {
    const job = String(++this.#jobs);
    const file = (kind: string): string => join(this.#share, `${job}.${kind}`);
    const env = Object.entries(this.#options.guest.env).map(([name, value]) => `export ${name}='${value}'\n`);
    await writeFile(file('job'), `${env.join('')}export PATH="/usr/local/sbin:$PATH"\n${script}\n`);
    (this.#process?.stdio[3] as Writable | undefined)?.write(`${job}\n`);
    const isOver = (): boolean => existsSync(file('rc'));
    await eventually(`${this.name}: ${script}`, () => isOver() || !this.isOn, { timeoutMs, pauseMs: 25 });
    if (!isOver()) throw new Error(`${this.name} ended while it ran: ${script}`);
    const [code, stdout, stderr] = await Promise.all(['rc', 'out', 'err'].map((kind) => readFile(file(kind), 'utf8')));
    return { code: Number(code), stdout: stdout ?? '', stderr: stderr ?? '' };
  }

  /** Gives standard output. */
  async sh(script: string): Promise<string> {
    const { code, stdout, stderr } = await this.run(script);
    assert.equal(code, 0, `${this.name}: ${script}: ${stderr}${stdout}`);
    return stdout;
  }

  fairlead(...args: readonly string[]): Promise<ExecResult> {
    return this.run([fairlead, ...args].map((word) => `'${word}'`).join(' '));
  }

  /** Gives standard output. */
  async must(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.fairlead(...args);
    assert.equal(code, 0, `${this.name}: fairlead ${args[0]}: ${stderr}`);
    return stdout;
  }

  /** Ends what runs as this service; as ever, it is started again. */
  async restart(service: 'server' | 'agent'): Promise<void> {
    await this.sh(`pkill -TERM -f '^/.*fairlead.mjs ${service}'`);
  }

  /** Asks the API server on another machine with the certificate of this one's kubelet. */
  async ask(control: Machine, path: string): Promise<string> {
    const files = '--cacert /etc/kubernetes/pki/ca.crt --cert /var/lib/kubelet/pki/kubelet-client-current.pem';
    return await this.sh(`curl --silent --show-error --fail --max-time 10 ${files} 'https://${control.address}:6443${path}'`);
  }

  /** In order: services are told to end, and the disk is written. */
  async shutDown(): Promise<void> {
    const off = `
      for file in /run/fairlead/*.pid; do [ ! -e $file ] || kill -TERM -$(cat $file); done
      for i in $(seq 100); do pgrep -f 'fairlead.mjs (server|agent)' >/dev/null || break; sleep 0.1; done
      sync; busybox poweroff -f`;
    await this.run(off).catch((err: unknown) => {
      if (this.isOn) throw err;
    });
  }

  /** Whatever the kernel had not written to the disk is lost. */
  async cutPower(): Promise<void> {
    const child = this.#process;
    const ended = child && this.isOn ? once(child, 'close') : undefined;
    killGuest(this.#options.dir);
    await ended;
  }

  /** For a person who asks why. */
  async tails(): Promise<string> {
    const look = 'tail -n 25 /var/log/fairlead/*.log /var/log/containerd.log; df /; dmesg | tail -n 10';
    const text = this.isOn ? await this.run(look, 20_000).then(({ stdout }) => stdout, String) : `it is off\n${this.#console.slice(-2000)}`;
    return `\n===== ${this.name} =====\n${text}`;
  }
}
