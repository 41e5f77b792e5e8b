/** What `iptables-save` prints. Pure. */

import type { Act, Chain, Reader, Table } from './firewall.ts';
import { all, type Match, matchAddress, matchLink, matchPort, matchProtocol, matchState, not, type Packet } from './packet.ts';

const hooks: Readonly<Record<string, Chain['hook']>> = {
  PREROUTING: 'prerouting',
  INPUT: 'input',
  OUTPUT: 'output',
  POSTROUTING: 'postrouting',
};

/** `filter`, `nat`, … */
export function iptablesTableNames(text: string): string[] {
  return [...text.matchAll(/^\*(\w+)/gm)].map(([, name = '']) => name);
}

export function iptablesTables(text: string): Table[] {
  return text
    .split(/^\*/m)
    .slice(1)
    .map((table) => {
      const lines = table.split('\n').map((line) => line.trim());
      const chains = new Map<string, { rules: string[]; hook?: NonNullable<Chain['hook']>; refusesRest: boolean }>();
      const chainOf = (name: string): { rules: string[]; refusesRest: boolean } => {
        const hook = hooks[name];
        const chain = chains.get(name) ?? { rules: [], refusesRest: false, ...(hook ? { hook } : {}) };
        chains.set(name, chain);
        return chain;
      };
      for (const line of lines) {
        const [, declared, policy] = /^:(\S+) (\S+)/.exec(line) ?? [];
        if (declared !== undefined) chainOf(declared).refusesRest = policy === 'DROP';
        const [, appended] = /^-A (\S+)/.exec(line) ?? [];
        if (appended !== undefined) chainOf(appended).rules.push(line);
      }
      return chains;
    });
}

/** Of which the words say everything, or nothing that counts here. */
const plainMatches = new Set(['comment', 'udp', 'tcp', 'multiport', 'conntrack', 'state']);
/** Options that say nothing of a packet. */
const silent = new Set(['-A', '--comment', '--reject-with', '--log-prefix', '--log-level']);

/** Whose words are compared with what of a packet. */
const options: Readonly<Record<string, (words: readonly string[], packet: Packet) => Match>> = {
  '-i': (words, { direction, link }) => (direction === 'in' ? matchLink(words, link) : 'no'),
  '-o': (words, { direction, link }) => (direction === 'out' ? matchLink(words, link) : 'no'),
  '-s': (words, { direction, own, peer }) => matchAddress(words, direction === 'in' ? peer : own),
  '-d': (words, { direction, own, peer }) => matchAddress(words, direction === 'in' ? own : peer),
  '-p': matchProtocol,
  '-m': (words) => (words.every((word) => plainMatches.has(word)) ? 'yes' : 'unknown'),
  '--dport': (words, { port }) => matchPort(words, port),
  '--dports': (words, { port }) => matchPort(words, port),
  '--ctstate': matchState,
  '--state': matchState,
};

const acts: Readonly<Record<string, Act>> = {
  ACCEPT: { kind: 'accept' },
  DROP: { kind: 'refuse' },
  REJECT: { kind: 'refuse' },
  RETURN: { kind: 'return' },
};

/** A target that is no chain, such as LOG, leads nowhere: the rule after it is next. */
function actOf(option: string, target: string): Act {
  return acts[target] ?? { kind: option === '-g' ? 'goto' : 'jump', chain: target };
}

export const readIptablesRule: Reader = (text, packet) => {
  const words = text.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? [];
  const matches: Match[] = [];
  let act: Act = { kind: 'none' };
  for (const [i, option] of words.entries()) {
    if (!/^-/.test(option) || silent.has(option)) continue;
    const value = words[i + 1] ?? '';
    if (option === '-j' || option === '-g') {
      act = actOf(option, value);
      // What follows are options of the target.
      break;
    }
    const match = options[option]?.(value.split(','), packet) ?? 'unknown';
    matches.push(words[i - 1] === '!' ? not(match) : match);
  }
  return { text, match: all(matches), act, namesPort: /--dports? /.test(text) };
};
