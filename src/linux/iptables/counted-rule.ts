/** A rule with what the kernel counted at it: `iptables -vS` prints both. Pure. */

export interface CountedRule {
  readonly chain: string;
  /** Without the `-A CHAIN` before it. */
  readonly rule: string;
  readonly packets: number;
  readonly bytes: number;
}

/** The last that looks like counts: a comment, which comes before them, may say anything. */
const counted = /^-A (\S+)( .*)? -c (\d+) (\d+)( .*)?$/;

export function parseCounted(text: string): CountedRule[] {
  return text.split('\n').flatMap((line) => {
    const found = counted.exec(line);
    if (!found) return [];
    const [, chain = '', before = '', packets, bytes, after = ''] = found;
    return [{ chain, rule: `${before}${after}`.slice(1), packets: Number(packets), bytes: Number(bytes) }];
  });
}
