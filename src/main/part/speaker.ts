/** The speaker: answers on this node's links for addresses of load balancers that fall to it. */
import { textFlag } from '../../cli/command.ts';
import { nodeNameOf, nodePartFlags } from './cluster-flags.ts';
import { definePart, type Part } from './part.ts';

export const speaker: Part = definePart({
  name: 'speaker',
  flags: {
    ...nodePartFlags,
    interfaces: {
      ...textFlag(
        'NAME,…',
        "links on which addresses of load balancers are announced (default: the one whose network has the address, else that of the node's address)",
        '',
      ),
      among: { name: 'speaker-interfaces' },
    },
    port: {
      ...textFlag('PORT', 'UDP port at which the speakers of all nodes hear each other, the same on all of them', '7947'),
      among: { name: 'speaker-port' },
    },
  },
  async config(read) {
    const { nodePartClient } = await import('./part-client.ts');
    const nodeName = nodeNameOf(read);
    const settings = { nodeName, interfaces: read.list('interfaces'), port: read.port('port') };
    return { ...settings, client: await nodePartClient('speaker', read, nodeName) };
  },
  async start(config, { informers: pool, clock, log, signal }) {
    const { startSpeaker } = await import('../../speaker/start.ts');
    // Proxy and DNS read the same Services and EndpointSlices.
    const informers = pool.open(config.client, { clock, log, shares: ['services', 'endpointslices'], signal });
    const { stopped } = await startSpeaker({ ...config, informers, clock, log, signal });
    return { stopped: Promise.all([stopped, informers.start(signal)]) };
  },
});
