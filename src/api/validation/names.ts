/**
 * The formats of names, with upstream's wording (apimachinery/pkg/util/validation). Each function returns the messages about a value,
 * without a path; none when it is right.
 */

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const dns1123Label = new RegExp(`^${label}$`);
const dns1123Subdomain = new RegExp(`^${label}(\\.${label})*$`);
const underscoredLabel = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const underscoredSubdomain = new RegExp(`^${underscoredLabel}(\\.${underscoredLabel})*$`);
const wildcardSubdomain = new RegExp(`^\\*\\.${label}(\\.${label})*$`);
const dns1035Label = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const qualifiedName = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const labelValue = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const envVarName = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/;
const relaxedEnvVarName = /^[ -<>-~]+$/;
const httpHeaderName = /^[-A-Za-z0-9]+$/;
const configMapKey = /^[-._a-zA-Z0-9]+$/;

const labelMessage =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
const subdomainMessage =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const label1035Message =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
const qualifiedNameMessage =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const labelValueMessage =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const envVarMessage =
  "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit";

export function isDns1123Label(value: string): string[] {
  if (value.includes('.') && value.length <= 63 && dns1123Subdomain.test(value)) return ['must not contain dots'];
  return matching(value, dns1123Label, 63, labelMessage, ['my-name', '123-abc']);
}

export function isDns1123Subdomain(value: string): string[] {
  return matching(value, dns1123Subdomain, 253, subdomainMessage, ['example.com']);
}

/** A search domain of a pod, which may have labels such as `_tcp`. */
export function isUnderscoredSubdomain(value: string): string[] {
  const message =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character";
  return matching(value, underscoredSubdomain, 253, message, ['example.com']);
}

export function isDns1035Label(value: string): string[] {
  return matching(value, dns1035Label, 63, label1035Message, ['my-name', 'abc-123']);
}

export function isWildcardDns1123Subdomain(value: string): string[] {
  const message =
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character";
  return matching(value, wildcardSubdomain, 253, message, ['*.example.com']);
}

/** A label or annotation key, a resource or condition type: `name` or `prefix/name`. */
export function isQualifiedName(value: string): string[] {
  const parts = value.split('/');
  const name = parts.at(-1)!;
  const errors: string[] = [];
  if (parts.length > 2) {
    return [
      `a qualified name ${withExamples(qualifiedNameMessage, qualifiedName, ['MyName', 'my.name', '123-abc'])} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  if (parts.length === 2) {
    if (parts[0] === '') errors.push('prefix part must be non-empty');
    else errors.push(...isDns1123Subdomain(parts[0]!).map((one) => `prefix part ${one}`));
  }
  if (name === '') errors.push('name part must be non-empty');
  else if (name.length > 63) errors.push('name part must be no more than 63 bytes');
  if (!qualifiedName.test(name))
    errors.push(`name part ${withExamples(qualifiedNameMessage, qualifiedName, ['MyName', 'my.name', '123-abc'])}`);
  return errors;
}

export function isLabelValue(value: string): string[] {
  return matching(value, labelValue, 63, labelValueMessage, ['MyValue', 'my_value', '12345']);
}

/** Since 1.34 the name of an environment variable may hold any printable ASCII but `=`. */
export function isEnvVarName(value: string): string[] {
  if (envVarName.test(value) || relaxedEnvVarName.test(value)) return [];
  return [withExamples(envVarMessage, envVarName, ['my.env-name', 'MY_ENV.NAME', 'MyEnvName1'])];
}

/** A key of a ConfigMap or Secret, which becomes a file name. */
export function isConfigMapKey(value: string): string[] {
  const errors: string[] = [];
  if (value.length > 253) errors.push('must be no more than 253 characters');
  if (!configMapKey.test(value)) {
    errors.push(
      withExamples("a valid config key must consist of alphanumeric characters, '-', '_' or '.'", configMapKey, [
        'key.name',
        'KEY_NAME',
        'key-name',
      ]),
    );
  }
  if (value === '.') errors.push("must not be '.'");
  else if (value === '..') errors.push("must not be '..'");
  else if (value.startsWith('..')) errors.push("must not start with '..'");
  return errors;
}

/** The name of a port in a container: IANA_SVC_NAME. */
export function isValidPortName(value: string): string[] {
  const errors: string[] = [];
  if (value.length > 15) errors.push('must be no more than 15 characters');
  if (!/^[-a-z0-9]+$/.test(value)) errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(value)) errors.push('must contain at least one letter (a-z)');
  if (value.includes('--')) errors.push('must not contain consecutive hyphens');
  if (value.startsWith('-') || value.endsWith('-')) errors.push('must not begin or end with a hyphen');
  return errors;
}

/** The name of an HTTP header: fewer characters than a token of RFC 7230, as upstream. */
export function isHttpHeaderName(value: string): string[] {
  const message = "a valid HTTP header must consist of alphanumeric characters or '-'";
  return httpHeaderName.test(value) ? [] : [withExamples(message, httpHeaderName, ['X-Header-Name'])];
}

export function isPort(value: number): string[] {
  return Number.isInteger(value) && value >= 1 && value <= 65535 ? [] : ['must be between 1 and 65535, inclusive'];
}

type NameCheck = (name: string, asPrefix: boolean) => string[];

/** Names of most resources. */
export const nameIsDnsSubdomain: NameCheck = nameThat(isDns1123Subdomain);
/** Names of Namespaces, and of StatefulSets, after which pods are named. */
export const nameIsDnsLabel: NameCheck = nameThat(isDns1123Label);
/** Names of Services, which are labels in DNS. */
export const nameIsDns1035Label: NameCheck = nameThat(isDns1035Label);

/** A prefix, for `generateName`, may end in a dash: the random suffix follows. */
function nameThat(check: (name: string) => string[]): NameCheck {
  return (name, asPrefix) => check(asPrefix && name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name);
}

/** Names of RBAC objects and others: only what would break a path is refused. */
export function nameIsPathSegment(name: string, asPrefix: boolean = false): string[] {
  if (!asPrefix && (name === '.' || name === '..')) return [`may not be '${name}'`];
  return ['/', '%'].filter((bad) => name.includes(bad)).map((bad) => `may not contain '${bad}'`);
}

function matching(value: string, format: RegExp, max: number, message: string, examples: readonly string[]): string[] {
  const errors: string[] = [];
  if (Buffer.byteLength(value) > max) errors.push(`must be no more than ${max} bytes`);
  if (!format.test(value)) errors.push(withExamples(message, format, examples));
  return errors;
}

/** `message (e.g. 'a',  or 'b', regex used for validation is '…')`, with upstream's two spaces. */
function withExamples(message: string, format: RegExp, examples: readonly string[]): string {
  const regex = format.source.slice(1, -1);
  return `${message} (e.g. ${examples.map((one) => `'${one}'`).join(',  or ')}, regex used for validation is '${regex.replaceAll('\\/', '/')}')`;
}
