/** What `fairlead init` does beside `runInit`, with what only it loads. */
import type { Progress } from '../cli/progress.ts';
import { KnownError } from '../errors/known-error.ts';
import { newCertificateKey, parseCertificateKey } from '../setup/control-plane/certificate-key.ts';

/** Undefined where nothing is uploaded. Throws USAGE. */
export function certificateKeyOf(isUpload: boolean, given: string | undefined): string | undefined {
  if (isUpload) return given === undefined ? newCertificateKey() : parseCertificateKey(given);
  if (given === undefined) return undefined;
  throw new KnownError('USAGE', 'Cannot use a certificate key: nothing is uploaded with it', { hint: 'Add --upload-certs' });
}

interface Printed {
  readonly kubeconfig?: string;
  readonly joinCommand: string;
  readonly controlPlaneJoinCommand?: string;
}

/** On standard output the lines to run, that of further control planes before that of all other machines. */
export function printResult(progress: Progress, output: string, result: Printed): void {
  if (output === 'json') return void process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
  const { kubeconfig, joinCommand, controlPlaneJoinCommand } = result;
  progress.note('On each other machine run the last line');
  if (controlPlaneJoinCommand !== undefined)
    progress.note('To make it one more control plane, run the line before: its key opens the whole cluster, and can be used for two hours');
  const lines = [kubeconfig && `export KUBECONFIG=${kubeconfig}`, controlPlaneJoinCommand, joinCommand].filter(Boolean);
  process.stdout.write(`${lines.join('\n')}\n`);
}
