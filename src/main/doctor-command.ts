/** `fairlead doctor`. */
import { hostname } from 'node:os';
import { type Command, defineCommand, textFlag } from '../cli/command.ts';
import { durationOf, nodeFlags, setupContext } from './setup-flags.ts';

export const doctorCommand: Command = defineCommand({
  name: 'doctor',
  summary: 'say what is wrong with this node, why, and what to do; the exit code is 1 when more than a warning is',
  examples: ['sudo fairlead doctor', "sudo fairlead doctor -o json | jq -r '.findings[].id'"],
  options: {
    kubeconfig: textFlag('FILE', 'where the control plane is, and who asks', '/etc/kubernetes/kubelet.conf'),
    'node-name': nodeFlags['node-name'],
    'cri-socket': textFlag('URL', 'the container runtime (default: that of the agent)'),
    timeout: textFlag('DURATION', 'how long the control plane may take to answer', '10s'),
    output: nodeFlags.output,
  },
  async run({ values, signal }) {
    const context = await setupContext(signal, durationOf('timeout', values.timeout));
    const [{ gatherDoctorFacts }, { examine, isHealthy, reportText }, { settingsDir }] = await Promise.all([
      import('../setup/doctor/gather.ts'),
      import('../setup/doctor/doctor.ts'),
      import('./part/settings.ts'),
    ]);
    const facts = await gatherDoctorFacts(context, {
      kubeconfig: values.kubeconfig,
      settingsDir,
      nodeName: values['node-name'],
      hostName: hostname().toLowerCase(),
      runtimeEndpoint: values['cri-socket'],
    });
    const checks = examine(facts);
    const healthy = isHealthy(checks);
    if (values.output === 'json') {
      const findings = checks.flatMap((check) => check.findings);
      const document = { nodeName: facts.machine.nodeName, healthy, findings, checks };
      process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
    } else process.stdout.write(reportText(checks));
    return healthy ? 0 : 1;
  },
});
