import type { KeyPair } from '../x509/authority.ts';

/** By what somebody is known: fields of a kubeconfig's user. */
export type Credential = Readonly<Record<string, string>>;

export interface KubeconfigFields {
  readonly cluster: string;
  readonly user: string;
  /** `https://host:port`. */
  readonly server: string;
  readonly caPem: string;
  readonly credential: Credential;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** A certificate and its key within the kubeconfig. */
export function embedded({ certPem, keyPem }: KeyPair): Credential {
  return { 'client-certificate-data': base64(certPem), 'client-key-data': base64(keyPem) };
}

/** Both in a file, which others may write anew. */
export function keptIn(path: string): Credential {
  return { 'client-certificate': path, 'client-key': path };
}

/** It is written as JSON, which is YAML too and costs no YAML parser to read. */
export function kubeconfigText({ cluster, user, server, caPem, credential }: KubeconfigFields): string {
  const name = `${user}@${cluster}`;
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: cluster, cluster: { server, 'certificate-authority-data': base64(caPem) } }],
    users: [{ name: user, user: credential }],
    contexts: [{ name, context: { cluster, user } }],
    'current-context': name,
    preferences: {},
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
