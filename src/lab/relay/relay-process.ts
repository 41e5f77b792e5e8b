/**
 * The relay of a lab, a process of its own: listens in the lab's network, speaks to the world from the machine's. It is started by
 * path rather than as a command, because it must load little and because nobody should start it by hand.
 */
import { readFileSync } from 'node:fs';
import { systemClock } from '../../clock/clock.ts';
import { familyOf, mustCidr } from '../../ip/ip.ts';
import { hostResolvers } from '../../linux/host-resolvers.ts';
import { listenInNetns } from '../../linux/listen-in-netns.ts';
import { createLog } from '../../observability/stream-log.ts';
import { serveConnect } from './connect-proxy.ts';
import { parseAllowed } from './destination.ts';
import { resolveHost } from './dial.ts';
import { serveDnsTcp, serveDnsUdp } from './dns-relay.ts';
import { relayPort } from './login.ts';
import { ownAddresses } from './own-addresses.ts';
import type { RelayConfig } from './start.ts';
import { loadOnDemand } from './tools-on-demand.ts';
import { upstreamProxy } from './upstream-proxy.ts';

const config = JSON.parse(process.argv[2] ?? '{}') as RelayConfig;
const log = createLog({ clock: systemClock, level: process.env.FAIRLEAD_LOG_LEVEL === 'debug' ? 'debug' : 'info' });
const resolvers = hostResolvers('/etc/resolv.conf');
const { netns, address } = config;
const allowed = parseAllowed(config.allowed);
if ('wrong' in allowed) throw new Error(`"${allowed.wrong}" is neither a range nor a host's name`);
const way = { lab: config.lab.map(mustCidr), allowed, own: ownAddresses, resolve: resolveHost, proxy: upstreamProxy(process.env) };
const credential = readFileSync(config.credentialFile, 'utf8').trim();

serveDnsUdp(listenInNetns(netns, 'udp', address, 53), familyOf(address), resolvers, log);
serveDnsTcp(listenInNetns(netns, 'tcp', address, 53), resolvers, log);
serveConnect(listenInNetns(netns, 'tcp', address, relayPort), credential, way, loadOnDemand(config.name, log), log);
log.info('Relaying', { address, resolvers: resolvers() });
