/** What a kubelet may ask a signer of Kubernetes for (upstream's ValidateKubeletClientCSR and ValidateKubeletServingCSR, and its words). */

/** The names in a request for a certificate. */
export interface CertificateNames {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly dnsNames: readonly string[];
  readonly emailAddresses: readonly string[];
  readonly ips: readonly string[];
  readonly uris: readonly string[];
}

export const kubeAPIServerClientSignerName = 'kubernetes.io/kube-apiserver-client';
export const kubeAPIServerClientKubeletSignerName = 'kubernetes.io/kube-apiserver-client-kubelet';
export const kubeletServingSignerName = 'kubernetes.io/kubelet-serving';

const nodePrefix = 'system:node:';

/** What is wrong with a request for a kubelet's client certificate; undefined when it may be signed. */
export function kubeletClientProblem(names: CertificateNames, usages: readonly string[]): string | undefined {
  return (
    organizationProblem(names) ??
    forbiddenNames(names, ['dnsNames', 'emailAddresses', 'ips', 'uris']) ??
    commonNameProblem(names) ??
    usagesProblem(usages, 'client auth')
  );
}

/** The same for the certificate that it serves with. */
export function kubeletServingProblem(names: CertificateNames, usages: readonly string[]): string | undefined {
  return (
    organizationProblem(names) ??
    (names.dnsNames.length === 0 && names.ips.length === 0 ? 'DNS or IP subjectAltName is required' : undefined) ??
    forbiddenNames(names, ['emailAddresses', 'uris']) ??
    usagesProblem(usages, 'server auth') ??
    commonNameProblem(names)
  );
}

function organizationProblem({ organizations }: CertificateNames): string | undefined {
  return organizations.length === 1 && organizations[0] === 'system:nodes' ? undefined : 'subject organization is not system:nodes';
}

function commonNameProblem({ commonName }: CertificateNames): string | undefined {
  return commonName.startsWith(nodePrefix) ? undefined : `subject common name does not begin with ${nodePrefix}`;
}

const kinds = { dnsNames: 'DNS', emailAddresses: 'Email', ips: 'IP', uris: 'URI' } as const;

function forbiddenNames(names: CertificateNames, fields: readonly (keyof typeof kinds)[]): string | undefined {
  const found = fields.find((field) => names[field].length > 0);
  return found && `${kinds[found]} subjectAltNames are not allowed`;
}

/** Keys that are not RSA encipher no other keys, so that usage may be missing. */
function usagesProblem(usages: readonly string[], needed: string): string | undefined {
  const all = [needed, 'digital signature', 'key encipherment'].toSorted();
  const given = [...new Set([...usages, 'key encipherment'])].toSorted();
  return given.join() === all.join() ? undefined : `usages did not match [${all.join(' ')}]`;
}
