/** What "fairlead init", "join" and "reset" have in common: flags, and what they work with. */
import { readFile } from 'node:fs/promises';
import { type PresetText, type Switch, switchFlag, type TextFlag, textFlag } from '../cli/command.ts';
import type { Progress } from '../cli/progress.ts';
import { systemClock } from '../clock/clock.ts';
import { parseDuration } from '../clock/duration.ts';
import { KnownError } from '../errors/known-error.ts';
import { silentLog } from '../observability/log.ts';
import type { Documents } from '../setup/config/documents.ts';
import type { SetupContext } from '../setup/setup-context.ts';

interface NodeFlags {
  readonly config: TextFlag;
  readonly 'node-name': TextFlag;
  readonly 'node-ip': TextFlag;
  readonly 'node-cidr': TextFlag;
  readonly 'cri-socket': TextFlag;
  readonly 'ignore-preflight-errors': PresetText;
  readonly timeout: PresetText;
  readonly foreground: Switch;
  readonly output: PresetText;
}

export const nodeFlags: NodeFlags = {
  config: textFlag('FILE', "what to make, as kubeadm's configuration has it; flags say more than it"),
  'node-name': textFlag('NAME', 'name of the Node object (default: the host name)'),
  'node-ip': textFlag('IP[,IP]', 'address under which the other nodes reach this one, or one of each family'),
  'node-cidr': textFlag('CIDR[,CIDR]', "the network in which the nodes meet: this machine's address in it is that of the node"),
  'cri-socket': textFlag('URL', 'the container runtime (default: unix:///run/containerd/containerd.sock)'),
  'ignore-preflight-errors': textFlag('ID,…', 'checks that may fail, or "all"', ''),
  timeout: textFlag('DURATION', 'how long each thing that is waited for may take', '5m'),
  foreground: switchFlag('where there is no systemd: stay, and end what was started when this command is ended'),
  output: { type: 'string', short: 'o', default: 'text', choices: ['text', 'json'], help: 'how to print what came of it' },
};

/** Milliseconds of a flag. Throws USAGE. */
export function durationOf(flag: string, text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= 0) return ms;
  throw new KnownError('USAGE', `Cannot use --${flag}="${text}": it is no duration`, { hint: `Write it as --${flag}=5m` });
}

export function requireRoot(action: string): void {
  if (process.getuid?.() !== 0) throw new KnownError('NOT_ROOT', `Cannot ${action}: root is needed`, { hint: 'Run it with sudo' });
}

export async function setupContext(signal: AbortSignal, timeoutMs: number): Promise<SetupContext & { readonly progress: Progress }> {
  const [{ standardProgress }, { systemExec }, { openKeeper }, { Steps }, { readRuntime }] = await Promise.all([
    import('../cli/progress.ts'),
    import('../linux/exec.ts'),
    import('../setup/service/open-keeper.ts'),
    import('../setup/steps.ts'),
    import('./setup-runtime.ts'),
  ]);
  const { bootstrap } = await import('../kubelet/certificate/bootstrap.ts');
  const progress = standardProgress(systemClock);
  const getCredential: SetupContext['getCredential'] = ({ onWait, ...options }) =>
    bootstrap({ ...options, clock: systemClock, log: { ...silentLog, warn: onWait } });
  const keeper = await openKeeper(systemExec, systemClock);
  return {
    exec: systemExec,
    clock: systemClock,
    signal,
    steps: new Steps(progress, systemClock),
    keeper,
    readRuntime,
    askStore: async (url) => (await import('./ask-store.ts')).askStore(url),
    getCredential,
    timeoutMs,
    progress,
  };
}

/** Of a file, the documents that a command takes; the others it warns of, and leaves aside. Throws BAD_CONFIG. */
export async function documentsOf(
  file: string | undefined,
  taken: readonly (keyof Documents)[],
  progress: Pick<Progress, 'warn'>,
): Promise<Documents> {
  if (file === undefined) return {};
  const { readDocuments, strayKinds } = await import('../setup/config/documents.ts');
  const documents = readDocuments(await readFile(file, 'utf8'));
  for (const kind of strayKinds(documents, taken)) progress.warn(`${kind} in ${file} is not for this command, and is left aside`);
  if (documents.proxy) {
    const { readProxyConfig } = await import('../proxy/config/config.ts');
    readProxyConfig(JSON.stringify(documents.proxy));
  }
  return documents;
}

/** Where no systemd keeps them, what was started ends with this command. */
export async function stayInForeground({ keeper, signal, progress }: SetupContext & { readonly progress: Progress }): Promise<void> {
  const { aborted } = await import('../clock/aborted.ts');
  progress.note('Running until this command is ended (Ctrl-C)');
  await aborted(signal);
  for (const name of ['agent', 'server'] as const) await keeper.stop(name);
}
