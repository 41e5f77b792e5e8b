/**
 * One end of a conversation between pods, for tests: sends numbers over a TCP connection and by UDP, fifty a second, to who sends them back. Says `begun`
 * when the first has come back both ways. When standard input ends it tells how many were sent, and how many came back. Arguments: its own address, the
 * other's, port.
 */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { eventually } from '../../clock/testing/eventually.ts';

const [localAddress = '', address = '', port = ''] = process.argv.slice(2);
let sent = 0;
let datagrams = 0;
let bytes = 0;
const udp = createSocket('udp4').on('message', () => datagrams++);
const tcp = connect({ port: Number(port), host: address, localAddress }).on('data', (chunk) => {
  bytes += chunk.length;
});
udp.bind(0, localAddress);
const timer = setInterval(() => {
  sent++;
  tcp.write('.');
  udp.send('.', Number(port), address);
}, 20);
await eventually('something comes back', () => bytes > 0 && datagrams > 0);
process.stdout.write('begun\n');
await text(process.stdin);
clearInterval(timer);
// What is still under way counts; what was lost never comes.
await eventually('all bytes are back', () => bytes === sent).catch(() => {});
await eventually('all datagrams are back', () => datagrams === sent, { timeoutMs: 2_000 }).catch(() => {});
process.stdout.write(`${JSON.stringify({ sent, bytes, datagrams })}\n`);
tcp.destroy();
udp.close();
