import { type Command, defineCommand } from '../cli/command.ts';
import { outputOption } from '../cli/output.ts';
import { proxyViewFlags } from './rules-command.ts';

const servicesCommand: Command = defineCommand({
  name: 'services',
  summary:
    'which Services are used through this node: connections, bytes, refusals, since its rules or its proxy are there; counted unless the service proxy runs with --service-counters=false',
  examples: ['fairlead top services -n shop', 'fairlead top services --endpoints', 'fairlead top services -o json'],
  options: {
    namespace: { type: 'string', short: 'n', value: 'NAME', help: 'of this namespace alone' },
    endpoints: { type: 'boolean', help: 'each endpoint that a Service has now by itself' },
    'proxy-metrics-address': proxyViewFlags['proxy-metrics-address'],
    output: outputOption,
  },
  run: async ({ values }) => (await import('./top-services.ts')).topServices(values),
});

/** `fairlead top`. */
export const topCommand: Command = { name: 'top', summary: 'what is used most', subcommands: [servicesCommand] };
