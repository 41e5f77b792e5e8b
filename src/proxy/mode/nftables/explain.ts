/** The part of the table that is one Service's, each step with what it is for. Pure. */
import { opCommands } from '../../../linux/nftables/print.ts';
import type { Op, SetDeclaration, Table } from '../../../linux/nftables/table.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import type { Explained } from '../view.ts';
import { countingSets } from './counting.ts';
import { fewOffset, localOffset, type SetName } from './layout.ts';
import { asRangesSet, isSourceList } from './source-list.ts';

type Why = string | ((key: string, data: string) => string);

const toEnd = (data: string): string => {
  const [, count, own] = /(?:lb|local)-(\d+)(.*)$/.exec(data) ?? [];
  if (data.includes('hash-')) return `one of its slots, by a hash of the client's address (${count} slots)`;
  if (own) return `each of its ${count} slots in turn`;
  return `one of its ${count} slots, drawn`;
};
const goes = (who: string, data: string): string =>
  data === 'accept' ? `${who} go on as they are, to be refused or dropped` : `${who} go to ${toEnd(data)}`;
const unserved = (data: string): string =>
  data === 'drop' || data === 'goto discard' ? 'nobody serves it here, but another node would: dropped' : 'nobody serves it: refused';
const slot: Why = (key) => {
  const number = Number(key.slice(key.lastIndexOf(' . ') + 3));
  if (number >= fewOffset) return `the endpoint in slot ${number - fewOffset} of two, one of which is drawn`;
  return number >= localOffset ? `the endpoint of this node in slot ${number - localOffset}` : `the endpoint in slot ${number}`;
};
const masquerade: Why = (_, data) =>
  data === 'goto masq' ? "endpoints see the node's address, so that they answer through it" : 'what the node itself sends gets its address';
const learn = 'its clients and their endpoints are remembered';
const recall = 'a client that is remembered goes to its endpoint again';

const whySets: Readonly<Record<SetName, Why>> = {
  'cluster-ips': 'its cluster IP: what comes to a port that it does not have is refused',
  'nodeport-ips': 'an address of the node at which node ports are served',
  services: (_, data) => goes('packets', data),
  nodeports: (_, data) => goes('packets to the node port', data),
  'local-services': (_, data) => goes('packets from outside', data),
  'local-nodeports': (_, data) => goes('packets from outside to the node port', data),
  endpoints: slot,
  'nodeport-endpoints': slot,
  'no-endpoint-services': (_, data) => unserved(data),
  'no-endpoint-nodeports': (_, data) => unserved(data),
  'source-checks': (_, data) => (isSourceList(data.slice('goto '.length)) ? 'only some sources may come' : 'nobody may come'),
  'own-sources': 'of a node that may come the kernel takes the address itself as the source',
  hairpin: 'an endpoint that reaches itself sees the node as its client: it would not answer to itself',
  'masquerade-services': masquerade,
  'masquerade-nodeports': masquerade,
  'affinity-services': learn,
  'affinity-nodeports': learn,
  'recall-services': recall,
  'recall-nodeports': recall,
  learning: (key) => `some clients of ${key} ports are remembered: of each connection it is looked up whether its client is`,
};

/** Of a rule of a chain that elements name; those without the Service's name are shared by all that have as many slots. */
function whyRule(name: string, rule: string): string | undefined {
  if (isSourceList(name)) return rule.endsWith(' return') ? 'these may come' : 'drops who is not among these';
  if (name.startsWith('recall-')) return 'sends a client that is remembered to its endpoint';
  if (name.startsWith('learn-')) return 'remembers the client and its endpoint';
  if (/^(?:nodeport-)?(?:hash-|rr-)?(?:lb|local)-\d+/.test(name)) return 'chooses a slot, and sends the packet to the endpoint in it';
  return undefined;
}

/** The table of one Service alone. What every table has, whichever Services there are, is left out. */
export function explainTable({ family, name, sets, chains, elements }: Table, plan: ServicePlan): Explained[] {
  const explain = (op: Op, why: (command: string) => string): Explained[] =>
    opCommands(op, family, name).map((command) => ({ text: `nft ${command}`, why: why(command) }));
  const ofSet = (set: SetDeclaration): Explained[] => {
    if (set.name === 'nodeport-ips' || countingSets.has(set.name)) return [];
    if (set.dynamic) return explain({ op: 'add-set', set }, () => `clients of ${plan.key} and their endpoints`);
    const isRanges = asRangesSet(set.name, { family }) !== undefined;
    const why = isRanges ? 'these may come' : whySets[set.name as SetName];
    const declared = isRanges ? explain({ op: 'add-set', set }, () => `the sources that may come to ${plan.key}`) : [];
    return [
      ...declared,
      ...[...(elements.get(set.name) ?? [])].flatMap(([key, data]) =>
        explain({ op: 'add-elements', set, elements: [[key, data]] }, () => (typeof why === 'string' ? why : why(key, data))),
      ),
    ];
  };
  return [
    ...sets.flatMap(ofSet),
    ...chains.flatMap(({ name: chain, rules }) =>
      rules.flatMap((rule) => {
        const why = whyRule(chain, rule);
        return why === undefined ? [] : explain({ op: 'add-rule', chain, rule }, () => why);
      }),
    ),
  ];
}
