/** Projected volumes: files from several sources in one volume. */
import type {
  ClusterTrustBundleProjection,
  PodCertificateProjection,
  ProjectedVolumeSource,
  ServiceAccountTokenProjection,
  VolumeProjection,
} from '../schema/types.ts';
import { signerNameErrors } from './certificate.ts';
import { eachOf, type FieldError, forbidden, invalid, notSupported, repeats, required } from './field-error.ts';
import { selectorErrors } from './formats.ts';
import { isDns1123Subdomain } from './names.ts';
import { unreservedPathErrors } from './paths.ts';
import { downwardFileErrors, itemErrors, modeErrors } from './volume-file.ts';

const minTokenSeconds = 600;
const maxTokenSeconds = 2 ** 32;
const minCertificateSeconds = 3600;
const maxCertificateSeconds = 7_862_400;
const maxKubernetesCertificateSeconds = 86_400;
const keyTypes: readonly string[] = ['RSA3072', 'RSA4096', 'ECDSAP256', 'ECDSAP384', 'ECDSAP521', 'ED25519'];

export function projectedErrors({ sources, defaultMode }: ProjectedVolumeSource, path: string): FieldError[] {
  const isRepeated = repeats<string>();
  return [
    ...modeErrors(defaultMode, `${path}.defaultMode`),
    ...eachOf(sources, `${path}.sources`, (source, at) => [
      ...sourceErrors(source, at, path),
      ...filesOf(source).flatMap((file) => (file && isRepeated(file) ? [invalid(path, file, 'conflicting duplicate paths')] : [])),
      ...(Object.values(source).filter((one) => one !== undefined).length > 1
        ? [forbidden(at, 'may not specify more than 1 volume type per source')]
        : []),
    ]),
  ];
}

function filesOf(source: VolumeProjection): (string | undefined)[] {
  const { secret, configMap, downwardAPI, clusterTrustBundle: bundle, podCertificate: pod } = source;
  return [
    ...[secret, configMap, downwardAPI].flatMap((one) => (one?.items ?? []).map(({ path }) => path)),
    ...[bundle?.path, pod?.credentialBundlePath, pod?.keyPath, pod?.certificateChainPath],
  ];
}

function sourceErrors(source: VolumeProjection, at: string, volume: string): FieldError[] {
  const { secret, configMap, downwardAPI, serviceAccountToken, clusterTrustBundle, podCertificate } = source;
  const errors: FieldError[] = [];
  for (const [key, one] of Object.entries({ secret, configMap })) {
    if (!one) continue;
    if (!one.name) errors.push(required(`${at}.${key}.name`));
    errors.push(...eachOf(one.items, `${at}.${key}.items`, itemErrors));
  }
  return [
    ...errors,
    ...eachOf(downwardAPI?.items, at, (file) => downwardFileErrors(file, `${at}.downwardAPI`)),
    ...(serviceAccountToken ? tokenErrors(serviceAccountToken, `${at}.serviceAccountToken`, volume) : []),
    ...(clusterTrustBundle ? bundleErrors(clusterTrustBundle, `${at}.clusterTrustBundle`) : []),
    ...(podCertificate ? certificateErrors(podCertificate, `${at}.podCertificate`) : []),
  ];
}

/** Upstream reports the path of the token as a field of the volume. */
function tokenErrors({ expirationSeconds, path }: ServiceAccountTokenProjection, at: string, volume: string): FieldError[] {
  return [
    ...tokenSecondsErrors(expirationSeconds, `${at}.expirationSeconds`),
    ...(path ? unreservedPathErrors(path, `${volume}.path`) : [required(`${volume}.path`)]),
  ];
}

/** How long a token of a ServiceAccount may be valid. */
export function tokenSecondsErrors(seconds: number | undefined, path: string): FieldError[] {
  if (seconds === undefined) return [];
  if (seconds < minTokenSeconds) return [invalid(path, seconds, 'may not specify a duration less than 10 minutes')];
  return seconds > maxTokenSeconds ? [invalid(path, seconds, 'may not specify a duration larger than 2^32 seconds')] : [];
}

function bundleErrors(bundle: ClusterTrustBundleProjection, at: string): FieldError[] {
  const { name, signerName, labelSelector, path = '' } = bundle;
  const errors: FieldError[] = [];
  if (name !== undefined && signerName !== undefined) errors.push(invalid(at, bundle, 'only one of name and signerName may be used'));
  else if (name !== undefined) {
    if (name === '') errors.push(required(`${at}.name`, 'must be a valid object name'));
    for (const text of bundleNameErrors(name)) errors.push(invalid(`${at}.name`, name, `not a valid clustertrustbundlename: ${text}`));
    if (labelSelector) errors.push(invalid(`${at}.labelSelector`, labelSelector, 'labelSelector must be unset if name is specified'));
  } else if (signerName !== undefined) {
    errors.push(...signerNameErrors(signerName, `${at}.signerName`), ...selectorErrors(labelSelector, `${at}.labelSelector`));
  } else errors.push(required(at, 'either name or signerName must be specified'));
  return [...errors, ...(path ? [] : [required(`${at}.path`)]), ...unreservedPathErrors(path, `${at}.path`)];
}

/** `example.com:signer:name`, or a plain name. */
function bundleNameErrors(name: string): string[] {
  return isDns1123Subdomain(name.slice(name.lastIndexOf(':') + 1));
}

function certificateErrors(source: PodCertificateProjection, at: string): FieldError[] {
  const { signerName = '', keyType, maxExpirationSeconds: seconds, credentialBundlePath, keyPath, certificateChainPath } = source;
  const errors = signerNameErrors(signerName, `${at}.signerName`);
  if (!keyTypes.includes(keyType)) errors.push(notSupported(`${at}.keyType`, keyType, keyTypes));
  const max = /(^|\.)kubernetes\.io\//.test(signerName) ? maxKubernetesCertificateSeconds : maxCertificateSeconds;
  const path = `${at}.maxExpirationSeconds`;
  if (seconds !== undefined && seconds < minCertificateSeconds) {
    errors.push(invalid(path, seconds, `if provided, maxExpirationSeconds must be >= ${minCertificateSeconds}`));
  }
  if (seconds !== undefined && seconds > max) errors.push(invalid(path, seconds, `if provided, maxExpirationSeconds must be <= ${max}`));
  const files = Object.entries({ credentialBundlePath, keyPath, certificateChainPath }).filter(([, file]) => file);
  if (files.length === 0) errors.push(required(at, 'specify at least one of credentialBundlePath, keyPath, and certificateChainPath'));
  return [...errors, ...files.flatMap(([key, file]) => unreservedPathErrors(file ?? '', `${at}.${key}`))];
}
