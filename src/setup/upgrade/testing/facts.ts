/** Two machines with which all is well, and that run the version before. */
import type { UpgradeFacts } from '../facts.ts';

const oldVersion = 'v1.35.0+fairlead.0.1.0';
const newVersion = 'v1.35.0+fairlead.0.2.0';
const running = (name: 'server' | 'agent'): UpgradeFacts['services'][number] => ({
  name,
  isRunning: true,
  isElsewhere: false,
  logHint: `journalctl -u fairlead-${name}`,
});

export const controlPlaneFacts: UpgradeFacts = {
  now: Date.UTC(2030, 0, 1),
  installed: newVersion,
  role: 'control-plane',
  services: [running('server'), running('agent')],
  server: { version: oldVersion },
  nodeName: 'control-plane',
  nodes: ['control-plane', 'worker-1'].map((name) => ({ name, version: oldVersion, isReady: true })),
  isCordonedByUpgrade: false,
  store: { kind: 'file', path: '/state.db', format: 2, knownFormat: 2, bytes: 1000, freeBytes: 1 << 30 },
  certificates: [],
};

export const workerFacts: UpgradeFacts = {
  ...controlPlaneFacts,
  role: 'worker',
  services: [running('agent')],
  server: { version: newVersion },
  nodeName: 'worker-1',
  store: undefined,
};
