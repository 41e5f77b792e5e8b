/** The controllers: they see the API only, so they work with any API server. */
import { readFile } from 'node:fs/promises';
import { mustCidr } from '../../ip/ip.ts';
import { clusterCidr, kubeconfig } from './cluster-flags.ts';
import { definePart, type Part } from './part.ts';

export const controllerManager: Part = definePart({
  name: 'controller-manager',
  flags: {
    kubeconfig,
    'cluster-cidr': {
      type: 'string',
      default: '',
      value: 'CIDR',
      help: 'range of the pods, of which each Node gets a part; empty: Nodes bring their own',
      among: clusterCidr,
    },
    'node-cidr-mask-size': { type: 'string', default: '24', value: 'BITS', help: "prefix length of a node's part of the pods' range" },
    'root-ca-file': {
      type: 'string',
      value: 'FILE',
      help: "what pods trust as the API server's authority (default: what the kubeconfig says)",
    },
    controllers: {
      type: 'string',
      default: '*',
      value: 'LIST',
      help: 'which controllers run, by upstream\'s names; "*,-NAME" for all but one',
    },
  },
  async config(read, setting) {
    const [{ partClient }, { controllers }] = await Promise.all([import('./part-client.ts'), import('../../controllers/start.ts')]);
    const range = read.optional('cluster-cidr') && mustCidr(read.cidr('cluster-cidr'));
    const settings = {
      names: read.choice('controllers', Object.keys(controllers)),
      ...(range ? { clusterCidr: range.text, nodeCidrMaskSize: read.number('node-cidr-mask-size', range.prefix, 30) } : {}),
    };
    const client = await partClient('controller-manager', read, setting);
    const rootCaFile = read.optional('root-ca-file');
    const rootCa = rootCaFile === undefined ? (client.transport.config.ca ?? '') : await readFile(rootCaFile, 'utf8');
    return { ...settings, client, rootCa };
  },
  async start({ names, ...config }, { informers: pool, clock, log, signal }) {
    const { startControllers } = await import('../../controllers/start.ts');
    const { endClient } = await import('./part-client.ts');
    // One copy of the cluster serves controllers and scheduler; each writes under its own name.
    const informers = pool.open(config.client, { clock, log: log.child({ part: 'informers' }), shares: 'all', signal });
    const running = Promise.all([informers.start(signal), startControllers({ ...config, informers, clock, log, signal }, names)]);
    return { stopped: endClient(config.client, running, { clock, signal }) };
  },
});
