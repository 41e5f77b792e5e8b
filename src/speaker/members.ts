/** Which nodes' speakers live, by what is heard of them. Pure but for the clock, which is passed in as a number. */
import type { Hello } from './hello.ts';

/** Between two hellos. */
export const beatMs = 500;
/** A node that was not heard of for so long is taken for dead: three hellos may get lost. */
export const silenceMs = 2_000;

interface Member {
  readonly life: string;
  readonly count: number;
  readonly isReady: boolean;
  readonly heardAt: number;
}

export class Members {
  readonly #others = new Map<string, Member>();

  hear({ node, life, count, isReady }: Hello, now: number): void {
    const known = this.#others.get(node);
    const lives = known !== undefined && now - known.heardAt < silenceMs;
    // Of one that lives only what is newer counts; who was silent for long may come back as whoever it likes.
    if (lives && known.life === life && count <= known.count) return;
    this.#others.set(node, { life, count, isReady, heardAt: now });
  }

  /** Those that live and take addresses. */
  ready(now: number): string[] {
    return [...this.#others].flatMap(([node, { heardAt, isReady }]) => (isReady && now - heardAt < silenceMs ? [node] : []));
  }

  /** Those that live. */
  alive(now: number): string[] {
    return [...this.#others].flatMap(([node, { heardAt }]) => (now - heardAt < silenceMs ? [node] : []));
  }

  /** When the next of those that live will have been silent for too long; undefined when nobody lives. */
  nextSilence(now: number): number | undefined {
    const ends = [...this.#others.values()].map(({ heardAt }) => heardAt + silenceMs).filter((end) => end > now);
    return ends.length > 0 ? Math.min(...ends) : undefined;
  }

  /** Nothing that was heard counts any more. */
  forget(): void {
    this.#others.clear();
  }
}
