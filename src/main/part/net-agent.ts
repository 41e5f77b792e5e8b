/** The pod network between nodes, and the server behind the CNI plugin that attaches pods to it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { switchFlag, textFlag } from '../../cli/command.ts';
import { isKnownError, KnownError, messageOf } from '../../errors/known-error.ts';
import { familyOf } from '../../ip/ip.ts';
import type { NetConf } from '../../net-agent/net-conf.ts';
import type { UnderlayWish } from '../../net-agent/plan/underlay.ts';
import type { NetAgent } from '../../net-agent/start.ts';
import type { FlagReader } from '../flag-reader.ts';
import { clusterCidr, nodeIp, nodeNameOf, nodePartFlags } from './cluster-flags.ts';
import { followFile } from './follow-file.ts';
import { definePart, type Part, type PartContext, type PartFlags } from './part.ts';

const flags = {
  ...nodePartFlags,
  iface: textFlag('NAME|IP,…', "link to the other nodes (default: that of the Node's InternalIP)", ''),
  'iface-regex': textFlag('REGEX', 'link to the other nodes, by its name or address', ''),
  'iface-can-reach': textFlag('IP', 'link to the other nodes: the one by which this address is reached'),
  'public-ip': { ...nodeIp, among: { name: 'node-ip' } },
  'cluster-cidr': clusterCidr,
  backend: {
    type: 'string',
    default: 'vxlan',
    choices: ['vxlan', 'host-gw'],
    help: 'how pods reach those of other nodes; the same on all of them',
    among: { name: 'network-backend' },
  },
  'net-config-path': textFlag(
    'FILE',
    "flannel's net-conf.json: its Backend stands in place of --backend, --vxlan-vni and --vxlan-port, and is followed while it changes",
  ),
  'vxlan-vni': textFlag('N', 'VXLAN network identifier', '1'),
  'vxlan-port': textFlag('PORT', 'UDP port of VXLAN', '8472'),
  'ip-masq': {
    ...switchFlag('give pods the address of their node when they speak to the world', true),
    among: { name: 'masquerade-pods' },
  },
  'state-dir': textFlag('DIR', 'what must survive a reboot: addresses given to pods', '/var/lib/fairlead/agent'),
  'run-dir': textFlag('DIR', 'sockets', '/run/fairlead'),
  'cni-conf-dir': textFlag('DIR', 'where the runtime looks for its network', '/etc/cni/net.d'),
  'cni-bin-dir': textFlag('DIR', 'where the runtime looks for plugins', '/opt/cni/bin'),
} as const satisfies PartFlags;

function underlayOf(read: FlagReader<keyof typeof flags>): UnderlayWish {
  const [iface, regex] = [read.list('iface'), read.regex('iface-regex')];
  const [reach, publicIps] = [read.ip('iface-can-reach'), read.ownIps('public-ip') ?? []];
  const [publicIp, publicIpv6] = ([4, 6] as const).map((family) => publicIps.find((ip) => familyOf(ip) === family));
  return {
    ...(iface.length > 0 ? { iface } : {}),
    ...(regex ? { ifaceRegex: [regex] } : {}),
    ...(reach ? { ifaceCanReach: reach } : {}),
    ...(publicIp === undefined ? {} : { publicIp }),
    ...(publicIpv6 === undefined ? {} : { publicIpv6 }),
  };
}

/** The file of --net-config-path. Throws BAD_CONFIG. */
async function netConfigOf(read: FlagReader<keyof typeof flags>): Promise<{ readonly path: string; readonly text: string } | undefined> {
  const path = read.optional('net-config-path');
  if (path === undefined) return undefined;
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new KnownError('BAD_CONFIG', `Cannot read "${path}": ${messageOf(cause)}`, {
      hint: "Give a file as flannel's net-conf.json",
      cause,
    });
  });
  return { path, text };
}

/** With the backend of the file; where that is none, what flags say holds, and why: a node keeps its pods and DNS whatever somebody has edited. */
async function configOf(flagged: NetConf, text: string | undefined): Promise<{ readonly config: NetConf; readonly problem?: string }> {
  const { backendConfigOf, openNetConf } = await import('../../net-agent/net-conf.ts');
  openNetConf(flagged);
  if (text === undefined) return { config: flagged };
  try {
    const config = { ...flagged, Backend: backendConfigOf(text) };
    openNetConf(config);
    return { config };
  } catch (err) {
    if (!isKnownError(err, 'BAD_CONFIG')) throw err;
    return { config: flagged, problem: messageOf(err) };
  }
}

/** Changes over with the file; what is wrong with it is said, and changes nothing. */
async function followBackend(
  { path, text }: { readonly path: string; readonly text: string },
  agent: Pick<NetAgent, 'use'>,
  { clock, log, signal }: Pick<PartContext, 'clock' | 'log' | 'signal'>,
): Promise<void> {
  const { backendConfigOf } = await import('../../net-agent/net-conf.ts');
  const onChange = async (now: string): Promise<void> => {
    try {
      agent.use(backendConfigOf(now));
      log.info('Changes over to what the file says of the pod network', { path });
    } catch (err) {
      log.error(`${messageOf(err)}; the pod network stays as it was`, { path });
    }
  };
  await followFile(path, { text, clock, signal, onChange });
}

export const netAgent: Part = definePart({
  name: 'net-agent',
  flags,
  async config(read) {
    const { apiServerOf, nodePartClient } = await import('./part-client.ts');
    const nodeName = nodeNameOf(read);
    const { netConfOf } = await import('../../net-agent/net-conf.ts');
    const backend = { Type: read.text('backend'), VNI: read.number('vxlan-vni', 1, 0xff_ff_ff), Port: read.port('vxlan-port') };
    const file = await netConfigOf(read);
    const { config, problem } = await configOf(netConfOf(read.familyCidrs('cluster-cidr'), backend), file?.text);
    const underlay = underlayOf(read);
    const client = await nodePartClient('net-agent', read, nodeName);
    return {
      file,
      problem,
      network: {
        client,
        nodeName,
        config,
        runDir: '/run/flannel',
        underlay,
        apiServer: apiServerOf(client),
        masquerade: read.isSet('ip-masq'),
      },
      cni: {
        socket: join(read.text('run-dir'), 'cni.sock'),
        stateDir: join(read.text('state-dir'), 'cni'),
        confDir: read.text('cni-conf-dir'),
        binDir: read.text('cni-bin-dir'),
      },
    };
  },
  async start(config, { informers: pool, clock, log, signal }) {
    const [{ startCniServer }, { startNetAgent }] = await Promise.all([import('../../cni/start.ts'), import('../../net-agent/start.ts')]);
    const informers = pool.open(config.network.client, { clock, log, signal });
    const cni = await startCniServer({ ...config.cni, log: log.child({ part: 'cni' }), clock, signal });
    const network = startNetAgent({ ...config.network, informers, onNetwork: (n) => cni.setNetwork(n), log, clock, signal });
    if (config.problem !== undefined) log.error(`${config.problem}; the pod network is as flags say`, { path: config.file?.path });
    const following = config.file && followBackend(config.file, network, { clock, log, signal });
    return {
      stopped: Promise.all([cni.stopped, network.stopped, following, informers.start(signal)]),
      health: () => (network.isReady ? undefined : 'the pod network is not set up yet'),
    };
  },
});
