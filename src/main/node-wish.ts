/** The node that "fairlead init" or "fairlead join" is to make of this machine: flags over the file, and both over what the machine is already. */
import { hostname } from 'node:os';
import type { NodeRegistration } from '../setup/config/documents.ts';
import { type EarlierNode, type NodeTaints, refuseOtherName, taintsFor } from '../setup/node/earlier-node.ts';
import { parseTaints } from './node-flags.ts';

interface NodeValues {
  readonly 'node-name': string | undefined;
  readonly 'cri-socket': string | undefined;
  readonly 'ignore-preflight-errors': string;
  readonly taint: boolean;
}

export interface NodeWish {
  readonly nodeName: string;
  readonly runtimeEndpoint: string;
  readonly ignored: readonly string[];
  readonly taints: NodeTaints;
}

/** Throws BAD_CONFIG. */
export function nodeWish(values: NodeValues, registration: NodeRegistration = {}, before: EarlierNode, isControlPlane: boolean): NodeWish {
  const { name, criSocket, ignorePreflightErrors = [], taints } = registration;
  const wished = (values['node-name'] ?? (name || undefined))?.toLowerCase();
  refuseOtherName(before, wished);
  const taintsBefore = before.taints === undefined ? undefined : parseTaints(before.taints);
  return {
    nodeName: wished ?? before.nodeName ?? hostname().toLowerCase(),
    runtimeEndpoint: values['cri-socket'] ?? (criSocket || undefined) ?? before.runtimeEndpoint ?? 'unix:///run/containerd/containerd.sock',
    ignored: [...values['ignore-preflight-errors'].split(',').filter(Boolean), ...ignorePreflightErrors],
    taints: taintsFor(values.taint ? taints : [], taintsBefore, isControlPlane),
  };
}
