/** `format.named('dns1123Label').value().validate(self)`: the names of Kubernetes, and some formats of schemas. */
import type { Environment } from '@marcbachmann/cel-js';
import { hasFormat } from '../../custom/format.ts';
import { isDns1035Label, isDns1123Label, isDns1123Subdomain, isLabelValue, isQualifiedName } from '../../validation/names.ts';
import { optionalOf } from '../optional.ts';
import { register } from './register.ts';
import { isUrl } from './urls.ts';

type Check = (text: string) => readonly string[];

class NamedFormat {
  readonly check: Check;

  constructor(check: Check) {
    this.check = check;
  }
}

/** A prefix may end where a name may not. */
const asPrefix =
  (check: Check): Check =>
  (text) =>
    check(text.endsWith('-') ? `${text.slice(0, -1)}a` : text);
const ofSchema =
  (format: string, problem: string): Check =>
  (text) =>
    hasFormat(text, format) ? [] : [problem];

const formats: Readonly<Record<string, NamedFormat>> = Object.fromEntries(
  Object.entries<Check>({
    dns1123Label: isDns1123Label,
    dns1123Subdomain: isDns1123Subdomain,
    dns1035Label: isDns1035Label,
    qualifiedName: isQualifiedName,
    dns1123LabelPrefix: asPrefix(isDns1123Label),
    dns1123SubdomainPrefix: asPrefix(isDns1123Subdomain),
    dns1035LabelPrefix: asPrefix(isDns1035Label),
    labelValue: isLabelValue,
    uri: (text) => (isUrl(text) ? [] : [`parse ${JSON.stringify(text)}: invalid URI for request`]),
    uuid: ofSchema('uuid', 'does not match the UUID format'),
    byte: ofSchema('byte', 'invalid base64'),
    date: ofSchema('date', 'invalid date'),
    datetime: ofSchema('date-time', 'invalid datetime'),
  }).map(([name, check]) => [name, new NamedFormat(check)]),
);

class Formats {}

export function registerNamedFormats(environment: Environment): void {
  const type = 'kubernetes.NamedFormat';
  environment.registerType(type, NamedFormat as never);
  environment.registerType('FormatNamespace', Formats as never);
  environment.registerConstant('format', 'FormatNamespace', new Formats());
  const add = register(environment);
  add(`FormatNamespace.named(string): optional<${type}>`, (_: unknown, name: string) =>
    optionalOf(Object.hasOwn(formats, name) ? formats[name] : undefined),
  );
  for (const [name, format] of Object.entries(formats)) add(`FormatNamespace.${name}(): ${type}`, () => format);
  add(`${type}.validate(string): optional<list<string>>`, ({ check }: NamedFormat, text: string) => {
    const problems = check(text);
    return optionalOf(problems.length > 0 ? problems : undefined);
  });
}
