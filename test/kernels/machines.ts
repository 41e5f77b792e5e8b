/** Three machines on one segment, and what befalls them. */
import { rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../src/clock/clock.ts';
import { ensureImageStore } from '../../src/lab/images/image-store.ts';
import { findProgram, type Program } from '../../src/lab/images/programs-of-debian.ts';
import { snapshotterFor } from '../../src/lab/images/snapshotter.ts';
import { findBusybox } from '../../src/lab/tools.ts';
import { systemExec } from '../../src/linux/exec.ts';
import { type Guest, killGuest, onInterrupt, prepareGuest, unpacked } from '../guest/guest.ts';
import { Machine, type MachineOptions } from './machine.ts';
import { Segment } from './segment.ts';

const network = '192.168.56';
/** The names, and where: as the lab of Vagrant has it. */
const places = { 'cp-1': 10, 'worker-1': 11, 'worker-2': 12 } as const;
const memoryMb = { 'cp-1': 768, 'worker-1': 512, 'worker-2': 512 } as const;

const disk: Program = { name: 'mke2fs', package: 'e2fsprogs' };
/** For doctor, which does without where it is not. */
const ping: Program = { name: 'ping', package: 'iputils-ping' };
const cacheDir = '/var/lib/fairlead/.cache';

/** Gets what is missing. Throws what a person should know when there can be no machines here. */
export function prepareMachines(): Promise<Guest> {
  return prepareGuest([disk, ping]);
}

async function imagesOfLab(): Promise<MachineOptions['images']> {
  const busybox = await findBusybox();
  if (busybox === undefined) throw new Error('there is no static busybox');
  await mkdir(cacheDir, { recursive: true, mode: 0o711 });
  const snapshotter = await snapshotterFor(cacheDir);
  const { dir } = await ensureImageStore({ cacheDir, busybox, snapshotter, exec: systemExec, clock: systemClock, timeoutMs: 120_000 });
  return { dir, snapshotter };
}

export class Machines implements AsyncDisposable {
  readonly segment: Segment;
  readonly all: readonly Machine[];
  readonly #taps: ReadonlyMap<Machine, string>;
  readonly #calm: () => void;

  constructor(segment: Segment, taps: ReadonlyMap<Machine, string>, dir: string) {
    this.segment = segment;
    this.#calm = onInterrupt(() => {
      for (const name of Object.keys(places)) killGuest(join(dir, name));
      rmSync(dir, { recursive: true, force: true });
    });
    this.#taps = taps;
    this.all = [...taps.keys()];
  }

  #tap(machine: Machine): string {
    return this.#taps.get(machine) ?? '';
  }

  /** The wire is cut; the machine sees its link up. */
  cutOff(machine: Machine): Promise<void> {
    return this.segment.unplug(this.#tap(machine));
  }

  reconnect(machine: Machine): Promise<void> {
    return this.segment.plug(this.#tap(machine));
  }

  /** What is larger does not reach it. */
  narrow(machine: Machine, mtu: number): Promise<void> {
    return this.segment.narrow(this.#tap(machine), mtu);
  }

  /** The clocks of the machines go; that of the test stays. */
  async moveClocks(days: number): Promise<void> {
    await Promise.all(this.all.map((machine) => machine.sh(`date -s "@$(($(date +%s) + ${days} * 86400))"`)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map((machine) => machine.cutPower()));
    await this.segment[Symbol.asyncDispose]();
    this.#calm();
  }
}

/** Off as yet, with new disks. `dir`: for their files. */
export async function makeMachines(guest: Guest, dir: string): Promise<Machines> {
  const shared = { guest, mke2fs: await findProgram(disk, unpacked), images: await imagesOfLab() };
  const gateway = `${network}.1`;
  const segment = await Segment.open(`${gateway}/24`);
  const taps = new Map<Machine, string>();
  for (const name of ['cp-1', 'worker-1', 'worker-2'] as const) {
    const host = places[name];
    const tap = `tap${host}`;
    const own = join(dir, name);
    await mkdir(own);
    await segment.addPort(tap);
    taps.set(new Machine({ name, address: `${network}.${host}`, gateway, tap, memoryMb: memoryMb[name], ...shared, dir: own }), tap);
  }
  // As vagrant/README.md has it: the way from beside the nodes to the cluster.
  for (const range of ['10.96.0.0/16', '10.244.0.0/16']) await segment.route(range, `${network}.${places['cp-1']}`);
  await Promise.all([...taps.keys()].map((machine) => machine.newDisk()));
  return new Machines(segment, taps, dir);
}
