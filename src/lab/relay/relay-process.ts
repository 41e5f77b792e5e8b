/**
 * The relay of a lab, a process of its own: listens in the lab's network, speaks to the world from the machine's. It is started by
 * path rather than as a command, because it must load little and because nobody should start it by hand.
 */
import { systemClock } from '../../clock/clock.ts';
import { listenInNetns } from '../../linux/listen-in-netns.ts';
import { createLog } from '../../observability/stream-log.ts';
import { serveConnect } from './connect-proxy.ts';
import { serveDnsTcp, serveDnsUdp } from './dns-relay.ts';
import { HostResolvers } from './resolvers.ts';
import type { RelayConfig } from './start-relay.ts';

const config = JSON.parse(process.argv[2] ?? '{}') as RelayConfig;
const log = createLog({ clock: systemClock, level: process.env.FAIRLEAD_LOG_LEVEL === 'debug' ? 'debug' : 'info' });
const resolvers = new HostResolvers('/etc/resolv.conf');
const { netns, address } = config;

serveDnsUdp(listenInNetns(netns, 'udp', address, 53), resolvers, log);
serveDnsTcp(listenInNetns(netns, 'tcp', address, 53), resolvers, log);
serveConnect(listenInNetns(netns, 'tcp', address, 3128), config.refused, log);
log.info('Relaying', { address, resolvers: await resolvers.servers() });
