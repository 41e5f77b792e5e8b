import { type Command, defineCommand, switchFlag, textFlag } from '../cli/command.ts';
import { proxyViewFlags } from './rules-command.ts';

/** `fairlead trace`. */
export const traceCommand: Command = defineCommand({
  name: 'trace',
  summary: "follow one packet through the service proxy's rules, rule by rule, to its fate; --live sends one",
  usage: 'FROM TO[:PORT] [--live]',
  examples: [
    'fairlead trace 10.244.1.5 10.96.0.10:53 --udp',
    'fairlead trace node svc/web:http -n shop # what this node sends itself',
    'fairlead trace fd00:10:244:1::5 [fd00:10:96::10]:443',
    'fairlead trace pod/client svc/web --live # send it, and tell where the kernel does something else',
  ],
  options: {
    tcp: switchFlag('the packet is of TCP (this is the default)'),
    udp: switchFlag('the packet is of UDP'),
    sctp: switchFlag('the packet is of SCTP'),
    live: switchFlag(
      'send one such packet from where it would come from on this node, and put what the kernel does beside what its rules say',
    ),
    wait: textFlag('DURATION', 'how long to wait for an answer, with --live', '2s'),
    'source-port': textFlag('PORT', 'the port that it comes from (default: 40000, and with --live a free one)'),
    interface: textFlag('NAME', 'the interface that it comes in by (default: as the routes say)'),
    namespace: { type: 'string', short: 'n', value: 'NAME', default: 'default', help: 'namespace of a Service or pod that is named' },
    ...proxyViewFlags,
    output: { type: 'string', short: 'o', default: 'text', choices: ['text', 'json'], help: 'how to print the answer' },
  },
  run: async (invocation) => (await import('./trace-packet.ts')).tracePacket(invocation),
});
