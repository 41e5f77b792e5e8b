/** `fairlead certs`: when the certificates of a machine end, and new ones in their place. */
import { type Command, defineCommand, textFlag } from '../cli/command.ts';
import { outputOption } from '../cli/output.ts';
import type { CertsDirs } from '../setup/certs/certs.ts';

const dirs = {
  'pki-dir': textFlag('DIR', 'ca.crt, apiserver.crt and the others', '/etc/kubernetes/pki'),
  'kubeconfig-dir': textFlag('DIR', 'admin.conf and the others', '/etc/kubernetes'),
  'cert-dir': textFlag('DIR', 'what the kubelet has asked for', '/var/lib/kubelet/pki'),
} as const;

function dirsOf(values: Readonly<Record<keyof typeof dirs, string>>): CertsDirs {
  return { pkiDir: values['pki-dir'], kubeconfigDir: values['kubeconfig-dir'], certDir: values['cert-dir'] };
}

const check = defineCommand({
  name: 'check',
  summary: 'show when certificates end; the exit code is 1 when one has',
  options: { ...dirs, output: outputOption },
  async run({ values }) {
    const { checkCertificates } = await import('../setup/certs/check.ts');
    const { text, isGood } = await checkCertificates(dirsOf(values), values.output);
    process.stdout.write(text);
    return isGood ? 0 : 1;
  },
});

const renew = defineCommand({
  name: 'renew',
  summary: 'put new certificates in the place of those that the authorities here have signed',
  usage: '[NAME…]',
  examples: ['fairlead certs renew # all', 'fairlead certs renew apiserver admin.conf'],
  options: { ...dirs },
  async run({ values, positionals }) {
    const { findCertificates } = await import('../setup/certs/certs.ts');
    const { renewCertificates } = await import('../setup/certs/renew.ts');
    const where = dirsOf(values);
    const { renewed, left } = await renewCertificates(await findCertificates(where), positionals, {
      pkiDir: where.pkiDir,
      now: Date.now(),
    });
    for (const { name, expires } of renewed) process.stdout.write(`${name} renewed, good until ${expires.toISOString()}\n`);
    for (const { name, why } of left) process.stderr.write(`${name} stays: ${why}\n`);
    if (renewed.length > 0)
      process.stderr.write('What runs takes them when it is started again: systemctl restart fairlead-server fairlead-agent\n');
    return 0;
  },
});

const certificateKey = defineCommand({
  name: 'certificate-key',
  summary: 'print a new key for "fairlead init --upload-certs", when it is to be known before',
  options: {},
  async run() {
    const { newCertificateKey } = await import('../setup/control-plane/certificate-key.ts');
    process.stdout.write(`${newCertificateKey()}\n`);
    return 0;
  },
});

export const certsCommand: Command = {
  name: 'certs',
  summary: "show when a machine's certificates end, and renew them",
  subcommands: [check, renew, certificateKey],
};
