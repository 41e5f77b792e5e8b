/** What becomes of a packet in the chains of a firewall. Pure. */
import type { Match, Packet } from './packet.ts';

export type Act =
  | { readonly kind: 'accept' | 'refuse' | 'return' | 'none' }
  /** Some of what it holds may accept, as a map of verdicts. */
  | { readonly kind: 'unsure' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string };

export interface ReadRule {
  readonly text: string;
  readonly match: Match;
  readonly act: Act;
  /** It is about this very port. */
  readonly namesPort: boolean;
}

/** Reads one of the rules, in the words of its tool. */
export type Reader = (rule: string, packet: Packet) => ReadRule;

export interface Chain {
  readonly rules: readonly string[];
  /** Where the kernel begins. */
  readonly hook?: 'prerouting' | 'input' | 'output' | 'postrouting';
  readonly refusesRest?: boolean;
}

/** By name. */
export type Table = ReadonlyMap<string, Chain>;

/** `rule`: undefined for the policy of the chain. */
export interface Refusal {
  readonly rule: string | undefined;
  readonly namesPort: boolean;
}

type Ending = 'accepted' | 'returned' | Refusal;

const hooks = { in: ['prerouting', 'input'], out: ['output', 'postrouting'] } as const;

/** Who refuses the packet for certain; undefined when nobody does, or when a rule of which that cannot be told may accept it before. */
export function refusalIn(table: Table, packet: Packet, read: Reader): Refusal | undefined {
  const begins = [...table.values()].filter(({ hook }) => hook !== undefined && hooks[packet.direction].some((one) => one === hook));
  for (const chain of begins) {
    const refusal = new Walk(table, packet, read).through(chain);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

class Walk {
  readonly #table: Table;
  readonly #packet: Packet;
  readonly #read: Reader;
  #mayBeAccepted = false;

  constructor(table: Table, packet: Packet, read: Reader) {
    this.#table = table;
    this.#packet = packet;
    this.#read = read;
  }

  through(base: Chain): Refusal | undefined {
    const ending = this.#chain(base, []);
    const refusal = ending === 'returned' && base.refusesRest ? { rule: undefined, namesPort: false } : ending;
    return typeof refusal === 'string' || this.#mayBeAccepted ? undefined : refusal;
  }

  /** `above`: the chains that led here, of which none is entered again. */
  #chain(chain: Chain, above: readonly Chain[]): Ending {
    for (const text of chain.rules) {
      const { match, act, namesPort } = this.#read(text, this.#packet);
      if (match === 'no') continue;
      const ending = this.#act(act, [...above, chain], { rule: text, namesPort });
      if (match === 'yes' && ending !== undefined) return ending;
      if (match === 'unknown' && ending === 'accepted') this.#mayBeAccepted = true;
    }
    return 'returned';
  }

  /** Undefined when the rule after it is next. */
  #act(act: Act, above: readonly Chain[], refusal: Refusal): Ending | undefined {
    switch (act.kind) {
      case 'none':
        return undefined;
      case 'unsure':
        this.#mayBeAccepted = true;
        return undefined;
      case 'accept':
        return 'accepted';
      case 'return':
        return 'returned';
      case 'refuse':
        return refusal;
      case 'jump':
      case 'goto': {
        const chain = this.#table.get(act.chain);
        const ending = chain === undefined || above.includes(chain) ? 'returned' : this.#chain(chain, above);
        return ending === 'returned' && act.kind === 'jump' ? undefined : ending;
      }
    }
  }
}
