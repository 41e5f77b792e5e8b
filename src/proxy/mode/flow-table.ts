/**
 * What flows had carried when they were last read, by the kernel's numbers for them. Numbers in three arrays: as objects a hundred thousand flows would
 * hold up each collection of garbage.
 */
export class FlowTable {
  #ids = new Uint32Array(smallest);
  #orig = new Float64Array(smallest);
  #reply = new Float64Array(smallest);
  /** In which round it was last seen; 0 where there is none. */
  #rounds = new Uint8Array(smallest);
  #round = 1;
  /** Places that are taken, and those of them that this round has seen. */
  #taken = 0;
  #seen = 0;

  /** How many were seen in the last round. */
  get size(): number {
    return this.#taken;
  }

  /**
   * What a flow carried more than when it was last seen. Undefined when this round has seen its number already: two flows may share one, and to tell
   * each from the other would count both again and again.
   */
  grown(id: number, orig: number, reply: number): { readonly orig: number; readonly reply: number } | undefined {
    if (this.#taken * 2 >= this.#ids.length) this.#rebuild(this.#ids.length * 2, () => true);
    const at = this.#placeOf(id);
    const isNew = this.#rounds[at] === 0;
    if (this.#rounds[at] === this.#round) return undefined;
    // One that carried less is another, which got the number of one that ended.
    const [o, r] = [this.#orig[at] ?? 0, this.#reply[at] ?? 0];
    const isOther = isNew || orig < o || reply < r;
    if (isNew) this.#taken++;
    this.#seen++;
    this.#ids[at] = id;
    this.#orig[at] = orig;
    this.#reply[at] = reply;
    this.#rounds[at] = this.#round;
    return isOther ? { orig, reply } : { orig: orig - o, reply: reply - r };
  }

  /** Ends a round, and forgets flows that it has not seen. */
  endRound(): void {
    const round = this.#round;
    if (this.#seen < this.#taken) this.#rebuild(Math.max(smallest, 2 ** Math.ceil(Math.log2(this.#seen * 2 + 1))), (of) => of === round);
    this.#round = (round % rounds) + 1;
    this.#seen = 0;
  }

  #placeOf(id: number): number {
    const mask = this.#ids.length - 1;
    let at = id & mask;
    while (this.#rounds[at] !== 0 && this.#ids[at] !== id) at = (at + 1) & mask;
    return at;
  }

  #rebuild(length: number, stays: (round: number) => boolean): void {
    const [ids, orig, reply, rounds] = [this.#ids, this.#orig, this.#reply, this.#rounds];
    this.#ids = new Uint32Array(length);
    this.#orig = new Float64Array(length);
    this.#reply = new Float64Array(length);
    this.#rounds = new Uint8Array(length);
    this.#taken = 0;
    for (const [i, id] of ids.entries()) {
      const round = rounds[i] ?? 0;
      if (round === 0 || !stays(round)) continue;
      const at = this.#placeOf(id);
      this.#ids[at] = id;
      this.#orig[at] = orig[i] ?? 0;
      this.#reply[at] = reply[i] ?? 0;
      this.#rounds[at] = round;
      this.#taken++;
    }
  }
}

/** A power of two, as every length. */
const smallest = 1024;
/** What is left after a round is of that round, so that two are enough. */
const rounds = 2;
