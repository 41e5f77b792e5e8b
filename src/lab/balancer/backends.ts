/** What the balancer knows of the servers behind it, and which of them it tries for a connection. Pure. */

/** `unready`: it answers, but says that it cannot serve now. `silent`: it does not answer. */
export type Answer = 'ready' | 'unready' | 'silent';

interface Backend {
  readonly server: string;
  state: Answer;
  /** How often in a row it did not answer. */
  unanswered: number;
}

/** Once may be chance: a busy machine. Whoever is silent loses its connections. */
const silentAfter = 2;

export class Backends {
  readonly #backends: readonly Backend[];
  #turn = 0;

  /** Before they were asked they count as unready. */
  constructor(servers: readonly string[]) {
    this.#backends = servers.map((server) => ({ server, state: 'unready', unanswered: 0 }));
  }

  /** Takes what a server answered; gives its state if that is another one now. */
  report(server: string, answer: Answer): Answer | undefined {
    const backend = this.#backends.find((one) => one.server === server);
    if (!backend) return undefined;
    backend.unanswered = answer === 'silent' ? backend.unanswered + 1 : 0;
    if (answer === backend.state || (answer === 'silent' && backend.unanswered < silentAfter)) return undefined;
    backend.state = answer;
    return answer;
  }

  /** Those that are ready take turns. The others come behind them: where none is ready, each may have become so since it was asked. */
  order(): string[] {
    const inState = (state: Answer): Backend[] => this.#backends.filter((backend) => backend.state === state);
    const ready = inState('ready');
    const first = this.#turn++ % Math.max(1, ready.length);
    const all = [...ready.slice(first), ...ready.slice(0, first), ...inState('unready'), ...inState('silent')];
    return all.map(({ server }) => server);
  }
}
