/** The balancer of a lab, a process of its own in the network between the nodes: started by path, as nobody should start it by hand. */
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { createServer } from 'node:net';
import { systemClock } from '../../clock/clock.ts';
import { joinHostPort } from '../../ip/ip.ts';
import { createLog } from '../../observability/stream-log.ts';
import { Balancer } from './balancer.ts';
import { probeServer } from './probe.ts';
import type { BalancerConfig } from './start.ts';

const { address, port, servers, caFile } = JSON.parse(process.argv[2] ?? '{}') as BalancerConfig;
const log = createLog({ clock: systemClock, level: process.env.FAIRLEAD_LOG_LEVEL === 'debug' ? 'debug' : 'info' });
const agent = new Agent({ keepAlive: true, ca: readFileSync(caFile) });
const probe = (server: string): ReturnType<typeof probeServer> => probeServer(`https://${joinHostPort(server, port)}`, agent);
const balancer = new Balancer({ servers, port, probe, clock: systemClock, log, signal: new AbortController().signal });
// A client that vanishes with its machine says nothing: the kernel asks it now and then.
const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true, keepAlive: true, keepAliveInitialDelay: 15_000 });
balancer.serve(listener);
listener.listen(port, address, () => log.info('Taking connections for the API servers', { address, servers }));
