/** A speaker as a process of a test: `node speaker-process.ts NODE SERVER`, ended by SIGTERM. Tells what it logs. */
import { Client } from '../../client/client.ts';
import { InformerSet } from '../../client/informers.ts';
import { systemClock } from '../../clock/clock.ts';
import type { Log } from '../../observability/log.ts';
import { startSpeaker } from '../start.ts';

const [nodeName = '', server = ''] = process.argv.slice(2);
const say = (msg: string): void => void process.stdout.write(`${nodeName}: ${msg}\n`);
const log: Log = { debug() {}, info: say, warn: say, error: say, child: () => log };
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());

const client = new Client({ server });
const informers = new InformerSet(client, { log });
const { signal } = stop;
const { stopped } = await startSpeaker({ nodeName, port: 7947, interfaces: [], client, informers, clock: systemClock, log, signal });
await Promise.all([stopped, informers.start(signal)]);
client.close();
