/** `fairlead token`: bootstrap tokens, under kubeadm's flags. */
import { type Command, defineCommand, switchFlag, textFlag } from '../cli/command.ts';
import { outputOption } from '../cli/output.ts';

const kubeconfig = textFlag('FILE', "an administrator's kubeconfig (default: $KUBECONFIG, else /etc/kubernetes/admin.conf)");

function tasks(): Promise<typeof import('./token-tasks.ts')> {
  return import('./token-tasks.ts');
}

const create = defineCommand({
  name: 'create',
  summary: 'make a bootstrap token, by which machines join',
  usage: '[TOKEN]',
  examples: [
    'fairlead token create --print-join-command # the line to run on a machine that joins',
    'fairlead token create --ttl 0 --description "for the image" # one that stays',
  ],
  options: {
    kubeconfig,
    ttl: textFlag('DURATION', 'how long the token may be used; 0 for ever', '24h0m0s'),
    usages: textFlag('USAGE,…', 'what it is good for: signing, authentication', 'signing,authentication'),
    groups: textFlag('GROUP,…', 'groups of whoever shows it', 'system:bootstrappers:kubeadm:default-node-token'),
    description: textFlag('TEXT', 'for people', ''),
    'certificate-key': textFlag('HEX', 'with --print-join-command: that of a machine that becomes a control plane, with this key'),
    'print-join-command': switchFlag('print the whole command by which a machine joins, in place of the token'),
  },
  async run({ values, positionals }) {
    process.stdout.write(
      `${await (await tasks()).create({ ...values, kubeconfig: values.kubeconfig, 'certificate-key': values['certificate-key'] }, positionals[0])}\n`,
    );
    return 0;
  },
});

const list = defineCommand({
  name: 'list',
  summary: 'show the bootstrap tokens that there are',
  options: { kubeconfig, output: outputOption },
  async run({ values }) {
    process.stdout.write(await (await tasks()).list(values.kubeconfig, values.output));
    return 0;
  },
});

const remove = defineCommand({
  name: 'delete',
  summary: 'take bootstrap tokens away: nobody joins by them any more',
  usage: 'TOKEN|ID…',
  options: { kubeconfig },
  async run({ values, positionals }) {
    await (await tasks()).remove(values.kubeconfig, positionals, (id) => process.stdout.write(`bootstrap token "${id}" deleted\n`));
    return 0;
  },
});

const generate = defineCommand({
  name: 'generate',
  summary: 'print a new token that no cluster knows yet, for "fairlead init --token"',
  options: {},
  async run() {
    const { newToken, tokenText } = await import('../setup/token/token.ts');
    process.stdout.write(`${tokenText(newToken())}\n`);
    return 0;
  },
});

export const tokenCommand: Command = {
  name: 'token',
  summary: 'make, show and take away the tokens by which machines join',
  subcommands: [create, list, remove, generate],
};
