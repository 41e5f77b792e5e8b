/** Has the kernel keep account of what tracked connections carry. */
import { messageOf } from '../../errors/known-error.ts';
import { type Log, silentLog } from '../../observability/log.ts';

/** The kernel's settings by name. */
export interface Settings {
  read(name: string): string | undefined;
  set(name: string, value: string): void;
}

/** Connections that begin while it is 1 have an account. Costs up to 0.7 % of a connection. */
const setting = 'net/netfilter/nf_conntrack_acct';
const dotted = setting.replaceAll('/', '.');

export class FlowAccounting {
  readonly #settings: Settings;
  readonly #log: Log;
  #isOver = false;

  constructor(settings: Settings, log: Log = silentLog) {
    this.#settings = settings;
    this.#log = log;
  }

  /**
   * Once it has been done, or refused, it does nothing. While the kernel has no such setting, its part may not be loaded yet: `wasAsked` says that
   * conntrack was asked for something, which loads it.
   */
  begin({ wasAsked = false }: { readonly wasAsked?: boolean } = {}): void {
    if (this.#isOver) return;
    try {
      const before = this.#settings.read(setting);
      this.#isOver = before !== undefined || wasAsked;
      if (before === undefined) {
        if (wasAsked)
          this.#warn(
            'the kernel keeps no account of tracked connections',
            `Load nf_conntrack (modprobe nf_conntrack) and see that ${dotted} is there`,
          );
        return;
      }
      if (before === '1') return;
      this.#settings.set(setting, '1');
      this.#log.info('Set a kernel setting, to count bytes of Services', { name: setting, before, value: '1' });
    } catch (err) {
      this.#isOver = true;
      this.#warn(messageOf(err), `Set ${dotted} to 1 on the machine`);
    }
  }

  #warn(why: string, cure: string): void {
    this.#log.warn(`Cannot count bytes of Services, only connections: ${why}`, { hint: `${cure}, or start with --service-counters=false` });
  }
}
