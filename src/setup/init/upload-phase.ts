/** `fairlead init phase upload-certs`: lets further control planes join a cluster that is there, and says how. */
import { Client } from '../../client/client.ts';
import { loadKubeconfig } from '../../client/kubeconfig.ts';
import { KnownError } from '../../errors/known-error.ts';
import { newCertificateKey } from '../control-plane/certificate-key.ts';
import { requireSharedStore, uploadKeys } from '../control-plane/upload.ts';
import { layout } from '../layout.ts';
import type { SetupContext } from '../setup-context.ts';
import type { StepRecord } from '../steps.ts';
import { controlPlaneJoin, joinCommandFor } from '../token/cluster-tokens.ts';
import { readEarlier } from './earlier.ts';
import { ensureTokens } from './tokens.ts';

export interface UploadResult {
  readonly certificateKey: string;
  readonly joinCommand: string;
  readonly controlPlaneJoinCommand: string;
  readonly steps: readonly StepRecord[];
}

/** Throws BAD_CONFIG on a machine that is no control plane, and where there can be one alone. */
export async function runUpload(context: SetupContext, certificateKey: string = newCertificateKey()): Promise<UploadResult> {
  const { clock, steps } = context;
  const { server, store } = await readEarlier();
  if (server === undefined)
    throw new KnownError('BAD_CONFIG', 'Cannot upload keys: this machine is no control plane', {
      hint: 'Run it where "fairlead init" was run',
    });
  requireSharedStore(store);
  const client = new Client(await loadKubeconfig(layout.adminConfig));
  try {
    await steps.run(
      'upload-certs',
      'Keys for further control planes in the Secret kube-system/kubeadm-certs, encrypted, for two hours',
      async () => uploadKeys(client, store, certificateKey, clock.now()),
    );
    const { token } = await ensureTokens(client, { planned: [], tokenTtlMs: 24 * 3_600_000 }, clock.now());
    const joinCommand = await joinCommandFor(client, token);
    return { certificateKey, joinCommand, controlPlaneJoinCommand: controlPlaneJoin(joinCommand, certificateKey), steps: steps.records };
  } finally {
    client.close();
  }
}
