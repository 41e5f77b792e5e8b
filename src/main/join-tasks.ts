/** What `fairlead join --control-plane` reads of its flags. */
import type { Taint } from '../api/schema/types.ts';
import { KnownError } from '../errors/known-error.ts';
import type { JoinConfiguration } from '../setup/config/documents.ts';
import { parseCertificateKey } from '../setup/control-plane/certificate-key.ts';
import { controlPlaneTaint } from '../setup/control-plane/control-plane.ts';
import type { ControlPlaneWish } from '../setup/join/control-plane.ts';
import { FlagReader } from './flag-reader.ts';

interface Values {
  readonly 'control-plane': boolean;
  readonly 'certificate-key': string | undefined;
  readonly 'apiserver-bind-port': string | undefined;
  readonly store: string | undefined;
}

/** Undefined for a node alone. Throws USAGE. */
export function controlPlaneWish(values: Values, document: JoinConfiguration['controlPlane']): ControlPlaneWish | undefined {
  if (!values['control-plane'] && document === undefined) {
    const given = (['certificate-key', 'apiserver-bind-port', 'store'] as const).find((flag) => values[flag] !== undefined);
    if (given === undefined) return undefined;
    throw new KnownError('USAGE', `Cannot use --${given}: the machine becomes a node alone`, { hint: 'Add --control-plane' });
  }
  const key = values['certificate-key'] ?? document?.certificateKey;
  const port = values['apiserver-bind-port'];
  return {
    certificateKey: key === undefined ? undefined : parseCertificateKey(key),
    store: values.store,
    bindPort: port === undefined ? document?.localAPIEndpoint?.bindPort : new FlagReader({ ...values }).port('apiserver-bind-port'),
  };
}

/** Without any that somebody asks for, kubeadm's own. */
export function taintsOf(wished: readonly Taint[] | undefined, isControlPlane: boolean): readonly Taint[] {
  return wished ?? (isControlPlane ? [controlPlaneTaint] : []);
}
