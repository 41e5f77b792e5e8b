import { type Command, defineCommand, switchFlag, textFlag } from '../cli/command.ts';
import { proxyViewFlags } from './rules-command.ts';

/** `fairlead trace`. */
export const traceCommand: Command = defineCommand({
  name: 'trace',
  summary: "follow one packet through the service proxy's rules in the kernel, rule by rule, to its fate; nothing is sent",
  usage: 'FROM TO[:PORT]',
  examples: [
    'fairlead trace 10.244.1.5 10.96.0.10:53 --udp',
    'fairlead trace node svc/web:http -n shop # what this node sends itself',
    'fairlead trace fd00:10:244:1::5 [fd00:10:96::10]:443',
  ],
  options: {
    tcp: switchFlag('the packet is of TCP (this is the default)'),
    udp: switchFlag('the packet is of UDP'),
    sctp: switchFlag('the packet is of SCTP'),
    'source-port': textFlag('PORT', 'the port that it comes from', '40000'),
    interface: textFlag('NAME', 'the interface that it comes in by (default: as the routes say)'),
    namespace: { type: 'string', short: 'n', value: 'NAME', default: 'default', help: 'namespace of a Service that is named' },
    ...proxyViewFlags,
    output: { type: 'string', short: 'o', default: 'text', choices: ['text', 'json'], help: 'how to print the answer' },
  },
  run: async (invocation) => (await import('./trace-packet.ts')).tracePacket(invocation),
});
