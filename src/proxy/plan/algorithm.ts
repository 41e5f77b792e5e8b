/** How a Service's connections are spread over its endpoints: what may be asked for, and what of it a mode can do. Pure. */
import { objectKey } from '../../api/object-key.ts';
import type { Service } from '../../api/schema/types.ts';

/** In the words of the annotation, with the kernel's schedulers that do the same when all endpoints weigh the same. */
const sameAs = {
  random: [],
  'round-robin': ['rr', 'wrr'],
  'least-connection': ['lc', 'wlc'],
  'source-hash': ['sh', 'mh'],
} as const;

type Word = keyof typeof sameAs;
const words = Object.keys(sameAs) as Word[];

/** Of the kernel's IPVS. Source: net/netfilter/ipvs/ip_vs_*.c */
export const schedulers = ['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'sh', 'dh', 'sed', 'nq', 'mh'] as const;

/** The scheduler sh that counts the client's port, too: one client's connections are spread. */
const byPort = 'sh-port';

export type Algorithm = Word | (typeof schedulers)[number] | typeof byPort;

export const algorithmAnnotation = 'fairlead.dev/lb-algorithm';

/** The word or scheduler; undefined when there is no such. */
export function readAlgorithm(text: string): Algorithm | undefined {
  const all: readonly Algorithm[] = [...words, ...schedulers, byPort];
  return all.find((name) => name === text.trim());
}

/** What of those that a mode offers is the same as `asked`; undefined when none is. */
export function offeredAs(asked: Algorithm, offered: readonly Algorithm[]): Algorithm | undefined {
  const word = words.find((one) => one === asked || sameAs[one].some((scheduler) => scheduler === asked));
  const same: readonly Algorithm[] = word === undefined ? [asked] : word === asked ? [asked, ...sameAs[word]] : [asked, word];
  return same.find((one) => offered.includes(one));
}

/** What is wrong with the cluster's choice under a mode, in words. */
export function refusalOf(usual: Algorithm | undefined, mode: string, offered: readonly Algorithm[]): string | undefined {
  if (usual === undefined || offeredAs(usual, offered) !== undefined) return undefined;
  return `Cannot spread connections by "${usual}": proxy mode "${mode}" cannot. Services that ask for nothing get "${offered[0]}"`;
}

export interface AlgorithmChoice {
  /** One that the mode offers. Absent: the first of those, which it takes by itself. */
  readonly algorithm?: Algorithm;
  /** Why the Service does not get what it asks for. */
  readonly refusal?: { readonly reason: 'AlgorithmUnknown' | 'AlgorithmUnsupported'; readonly message: string };
}

/** By its annotation, else as the cluster has it. */
export function chooseAlgorithm(service: Service, usual: Algorithm | undefined, offered: readonly Algorithm[]): AlgorithmChoice {
  const asked = service.metadata.annotations?.[algorithmAnnotation];
  const otherwise = usual && offeredAs(usual, offered);
  if (asked === undefined) return choiceOf(otherwise, offered);
  const known = readAlgorithm(asked);
  const found = known && offeredAs(known, offered);
  if (found) return choiceOf(found, offered);
  const instead = otherwise ?? offered[0];
  const why = known ? 'this proxy mode cannot' : `there is no such algorithm, use one of ${words.join(', ')} or a scheduler of IPVS`;
  const offer = known && offeredAs(known, ['source-hash']) ? '; with sessionAffinity ClientIP a client keeps its endpoint' : '';
  return {
    ...choiceOf(otherwise, offered),
    refusal: {
      reason: known ? 'AlgorithmUnsupported' : 'AlgorithmUnknown',
      message: `Cannot spread connections to Service "${objectKey(service)}" by "${asked}": ${why}. It gets "${instead}"${offer}`,
    },
  };
}

function choiceOf(algorithm: Algorithm | undefined, offered: readonly Algorithm[]): AlgorithmChoice {
  return algorithm === undefined || algorithm === offered[0] ? {} : { algorithm };
}
