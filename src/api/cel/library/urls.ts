/** URLs, read as net/url of Go does: absolute ones, or paths from the root. */
import type { Environment } from '@marcbachmann/cel-js';
import type { Comparable } from '../equal.ts';
import { charge, RuleError } from '../meter.ts';
import { register } from './register.ts';

class Url implements Comparable {
  readonly text: string;
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;

  constructor(text: string, scheme: string, host: string, path: string, query: string) {
    this.text = text;
    this.scheme = scheme;
    this.host = host;
    this.path = path;
    this.query = query;
  }

  equals(other: unknown): boolean {
    return other instanceof Url && other.text === this.text;
  }

  toString(): string {
    return this.text;
  }
}

const hostPattern = /^(?:\[[0-9a-fA-F:.]+(?:%25[^\]]*)?\]|[^[\]:]*)(?::\d*)?$/;

function urlOf(text: string): Url | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: no URL has them
  if (text === '' || /[\x00-\x1f\x7f]/.test(text)) return undefined;
  if (text.startsWith('/') && !text.startsWith('//')) return withPath(text, '', '', text);
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:/.exec(text)?.[0];
  if (scheme === undefined && !text.startsWith('//')) return undefined;
  const rest = text.slice(scheme?.length ?? 0);
  const name = (scheme ?? ':').slice(0, -1).toLowerCase();
  // Of `mailto:x` there is no more than the scheme.
  if (!rest.startsWith('/')) return new Url(text, name, '', '', '');
  if (!rest.startsWith('//')) return withPath(text, name, '', rest);
  const end = rest.slice(2).search(/[/?#]/);
  const authority = end < 0 ? rest.slice(2) : rest.slice(2, 2 + end);
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  if (!hostPattern.test(host) || /[ "<>\\^`{|}]/.test(host)) return undefined;
  return withPath(text, name, host, end < 0 ? '' : rest.slice(2 + end));
}

function withPath(text: string, scheme: string, host: string, rest: string): Url | undefined {
  const [beforeFragment = ''] = rest.split('#');
  const at = beforeFragment.indexOf('?');
  const path = at < 0 ? beforeFragment : beforeFragment.slice(0, at);
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) return undefined;
  return new Url(text, scheme, host, path, at < 0 ? '' : beforeFragment.slice(at + 1));
}

function mustUrl(text: string): Url {
  const found = urlOf(text);
  if (!found) throw new RuleError(`URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`);
  return found;
}

function hostname({ host }: Url): string {
  if (host.startsWith('[')) return host.slice(1, host.indexOf(']'));
  return host.split(':')[0] ?? '';
}

function port({ host }: Url): string {
  return /:(\d*)$/.exec(host.slice(host.indexOf(']') + 1))?.[1] ?? '';
}

/** What a path may have unescaped stays as it is. */
function escapedPath({ path }: Url): string {
  return path.replace(/[^\w$&+,/:;=@!'()*~.%[\]-]/gu, (found) => encodeURIComponent(found));
}

function unescaped(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

function queryOf({ query }: Url): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const pair of query.split('&')) {
    charge(1);
    if (pair === '' || pair.includes(';')) continue;
    const at = pair.indexOf('=');
    const key = unescaped(at < 0 ? pair : pair.slice(0, at));
    const value = unescaped(at < 0 ? '' : pair.slice(at + 1));
    if (key === undefined || value === undefined) continue;
    const values = found.get(key);
    if (values) values.push(value);
    else found.set(key, [value]);
  }
  return found;
}

export function registerUrls(environment: Environment): void {
  const type = 'kubernetes.URL';
  environment.registerType(type, Url as never);
  environment.registerOperator(`${type} == ${type}`, (a: Url, b: unknown) => a.equals(b));
  const add = register(environment);
  add(`url(string): ${type}`, mustUrl);
  add('isURL(string): bool', isUrl);
  add(`${type}.getScheme(): string`, ({ scheme }: Url) => scheme);
  add(`${type}.getHost(): string`, ({ host }: Url) => host);
  add(`${type}.getHostname(): string`, hostname);
  add(`${type}.getPort(): string`, port);
  add(`${type}.getEscapedPath(): string`, escapedPath);
  add(`${type}.getQuery(): map<string, list<string>>`, queryOf);
}

export function isUrl(text: string): boolean {
  return urlOf(text) !== undefined;
}
