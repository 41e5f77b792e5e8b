/**
 * Which primary the sentinels are about to replace, by what they tell their listeners. It may live: it is silent for a moment, or somebody asked for another one
 * (`SENTINEL FAILOVER`). First one of its replicas goes its own way, and the others follow that one a second later; until then they take what the old primary
 * writes, say that they have it, and forget it. All of it begins some tenths of a second after a sentinel was chosen to do it.
 */
const elected = '+elected-leader';
const aborted: readonly string[] = ['-failover-abort-no-good-slave', '-failover-abort-slave-timeout'];

/** What to listen to. */
export const replacementEvents: readonly string[] = [elected, ...aborted];

/** A sentinel that was chosen and says nothing more has died, and another one was chosen. */
const lastsMs = 20_000;

export class Replacements {
  readonly #name: string;
  readonly #now: () => number;
  /** By the sentinel that does it. */
  readonly #underWay = new Map<string, { readonly primary: string; readonly until: number }>();

  /** `name` is what the sentinels call the primary, `now` a clock in milliseconds. */
  constructor(name: string, now: () => number) {
    this.#name = name;
    this.#now = now;
  }

  hear(sentinel: string, event: string, message: string): void {
    const primary = primaryOf(this.#name, message);
    if (primary === undefined) return;
    if (event === elected) this.#underWay.set(sentinel, { primary, until: this.#now() + lastsMs });
    else if (aborted.includes(event)) this.end(sentinel);
  }

  /** That sentinel has replaced it, or does not. */
  end(sentinel: string): void {
    this.#underWay.delete(sentinel);
  }

  /** `primary` is HOST:PORT. */
  has(primary: string): boolean {
    return [...this.#underWay.values()].some((one) => one.primary === primary && this.#now() < one.until);
  }
}

/** HOST:PORT of the primary that a message is about, `master NAME HOST PORT`; undefined when it is about another one, or a replica. */
function primaryOf(name: string, message: string): string | undefined {
  const [kind, about, host, port] = message.split(' ');
  return kind === 'master' && about === name ? `${host}:${port}` : undefined;
}
