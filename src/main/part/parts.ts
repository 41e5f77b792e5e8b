/** Every part, in the order in which parts of one process start. */
import { apiserver } from './apiserver.ts';
import { cloudControllerManager } from './cloud-controller-manager.ts';
import { clusterDns } from './cluster-dns.ts';
import { controllerManager } from './controller-manager.ts';
import { dns } from './dns.ts';
import { kubelet } from './kubelet.ts';
import { led } from './led.ts';
import { netAgent } from './net-agent.ts';
import type { Part } from './part.ts';
import { proxy } from './proxy.ts';
import { scheduler } from './scheduler.ts';
import { settings } from './settings.ts';
import { speaker } from './speaker.ts';

/** A control plane in one process. The Service of the DNS servers needs the API server alone. */
export const serverParts: readonly Part[] = [
  apiserver,
  led(controllerManager, 'kube-controller-manager'),
  led(scheduler, 'kube-scheduler', 'default-scheduler'),
  led(cloudControllerManager, 'cloud-controller-manager'),
  clusterDns,
];

/** A node in one process; the first follows the settings that the others share. Pods need their network before the kubelet starts them. */
export const agentParts: readonly Part[] = [settings, netAgent, kubelet, proxy, dns, speaker];
