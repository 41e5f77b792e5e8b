import type { KeyPair } from '../x509/authority.ts';

export interface KubeconfigFields {
  readonly cluster: string;
  readonly user: string;
  /** `https://host:port`. */
  readonly server: string;
  readonly caPem: string;
  readonly pair: KeyPair;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** A kubeconfig with everything inside it (no paths). It is written as JSON, which is YAML too and costs no YAML parser to read. */
export function kubeconfigText(fields: KubeconfigFields): string {
  const { cluster, user, server } = fields;
  const name = `${user}@${cluster}`;
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: cluster, cluster: { server, 'certificate-authority-data': base64(fields.caPem) } }],
    users: [
      { name: user, user: { 'client-certificate-data': base64(fields.pair.certPem), 'client-key-data': base64(fields.pair.keyPem) } },
    ],
    contexts: [{ name, context: { cluster, user } }],
    'current-context': name,
    preferences: {},
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
