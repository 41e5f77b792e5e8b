/** Hears when others change what attached pods need: their links on the node, and the files that the runtime looks for. */
import { type FSWatcher, statSync, watch } from 'node:fs';
import type { Clock } from '../clock/clock.ts';
import { parseLink } from '../linux/netlink/link.ts';
import type { NetlinkMessage } from '../linux/netlink/message.ts';
import { RTNLGRP, Rtnetlink } from '../linux/netlink/rtnetlink.ts';
import { fromAlias } from './attachment.ts';

/** A pod that goes takes its link out of the bridge first: a moment later there is nothing left to put back. */
const settleMs = 50;
/** Somebody who undoes it every time is not fought faster than this. */
const restMs = 1_000;

/** Whether a pod's link is not as it was made. */
export function isAstray(notice: NetlinkMessage | 'lost'): boolean {
  if (notice === 'lost') return true;
  const link = parseLink(notice);
  return link !== undefined && fromAlias(link.alias) !== undefined && (link.master === 0 || !link.up);
}

export class NodeWatch {
  readonly #dirs: readonly string[];
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #notices = new Rtnetlink();
  readonly #watchers = new Map<string, { readonly watcher: FSWatcher; readonly inode: number }>();
  #timer: { cancel(): void } | undefined;
  #lastCall = Number.NEGATIVE_INFINITY;

  /** Calls `onChange` soon after a link of a pod went astray, or anything happened in one of the folders. */
  constructor(dirs: readonly string[], clock: Clock, onChange: () => void) {
    this.#dirs = dirs;
    this.#clock = clock;
    this.#onChange = onChange;
    this.#notices.unref();
    this.#notices.subscribe([RTNLGRP.link], (notice) => (isAstray(notice) ? this.#wake() : undefined));
    this.renew();
  }

  /** Watches folders that are there now and were not, or are others by the same name. */
  renew(): void {
    for (const dir of this.#dirs) {
      const inode = statSync(dir, { throwIfNoEntry: false })?.ino;
      const known = this.#watchers.get(dir);
      if (known?.inode === inode) continue;
      known?.watcher.close();
      this.#watchers.delete(dir);
      if (inode === undefined) continue;
      const watcher = watch(dir, { persistent: false }, () => this.#wake());
      watcher.on('error', () => watcher.close());
      this.#watchers.set(dir, { watcher, inode });
    }
  }

  close(): void {
    this.#timer?.cancel();
    this.#notices.close();
    for (const { watcher } of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #wake(): void {
    const sinceLast = this.#clock.monotonic() - this.#lastCall;
    this.#timer ??= this.#clock.after(Math.max(settleMs, restMs - sinceLast), () => {
      this.#timer = undefined;
      this.#lastCall = this.#clock.monotonic();
      this.#onChange();
    });
  }
}
