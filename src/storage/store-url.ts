/** The URL of a store and its parts: `sqlite:///var/lib/fairlead/state.db?reserve-bytes=0`. A URL that cannot be used throws BAD_CONFIG. */
import { KnownError } from '../errors/known-error.ts';
import { withoutPassword } from '../errors/without-password.ts';

/** Hosts after the first one, which URL does not know. */
const moreHosts = /^([a-z+]+:\/\/(?:[^/?#@]*@)?[^/?#,]*)((?:,[^/?#,]+)+)/;

export class StoreUrl {
  readonly #url: URL;
  readonly #example: string;
  readonly #others: readonly URL[];

  private constructor(url: URL, example: string, others: readonly URL[]) {
    this.#url = url;
    this.#example = example;
    this.#others = others;
  }

  /** `examples` has a URL for each scheme that is known. */
  static parse(given: string, examples: Readonly<Record<string, string>>): StoreUrl {
    const text = asUrl(given);
    const others = moreHosts.exec(text)?.[2] ?? '';
    const single = text.replace(moreHosts, '$1');
    const hosts = others
      .split(',')
      .slice(1)
      .map((host) => `redis://${host}`);
    const url = [single, ...hosts].every((one) => URL.canParse(one)) ? new URL(single) : undefined;
    const example = url && examples[url.protocol.slice(0, -1)];
    if (url && example)
      return new StoreUrl(
        url,
        example,
        hosts.map((host) => new URL(host)),
      );
    const [shown, why] = url ? [readable(url), `"${url.protocol}" is no kind of store`] : [withoutPassword(given), 'it is no URL'];
    const hint = `Give it as ${Object.values(examples).map(quoted).join(' or ')}`;
    throw new KnownError('BAD_CONFIG', `Cannot open store "${shown}": ${why}`, { hint });
  }

  get scheme(): string {
    return this.#url.protocol.slice(0, -1);
  }

  /** The absolute path of the store's file. */
  get path(): string {
    const { host, pathname } = this.#url;
    if (host) throw this.refuse(`it names the host "${host}", but the store is a file on this machine`);
    if (!pathname.startsWith('/') || pathname.endsWith('/')) throw this.refuse('it does not name a file by its absolute path');
    return decodeURIComponent(pathname);
  }

  /** Refuses a path: for stores that are no file. */
  hasNoPath(): void {
    if (this.#url.host || this.#url.pathname) throw this.refuse('it has a path, which this store does not take');
  }

  get user(): string {
    return decodeURIComponent(this.#url.username);
  }

  get password(): string {
    return decodeURIComponent(this.#url.password);
  }

  /** The hosts, which the URL has one or several of, with commas between them. */
  hosts(defaultPort: number): { readonly host: string; readonly port: number }[] {
    return [this.#url, ...this.#others]
      .filter((url) => url.hostname !== '')
      .map((url) => ({ host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? defaultPort : Number(url.port) }));
  }

  /** The parts of the path. */
  get segments(): string[] {
    return this.#url.pathname.split('/').filter(Boolean).map(decodeURIComponent);
  }

  /** The URL without its password, for messages. */
  get shown(): string {
    return this.#others.reduce((shown, { host }) => shown.replace(this.#url.host, (first) => `${first},${host}`), readable(this.#url));
  }

  /** The options that are given, whole numbers all. An option with another name is refused. */
  numbers<Name extends string>(names: readonly Name[]): Partial<Record<Name, number>> {
    return this.options([], names);
  }

  /** The options that are given, texts and whole numbers. An option with another name is refused. */
  options<Text extends string, Num extends string>(
    texts: readonly Text[],
    numbers: readonly Num[],
  ): Partial<Record<Text, string> & Record<Num, number>> {
    const known: readonly string[] = [...texts, ...numbers];
    const given: Record<string, string | number> = {};
    for (const [name, value] of this.#url.searchParams) {
      if (!known.includes(name)) throw this.refuse(`it has no option "${name}"`, `Its options are ${known.join(', ')}`);
      const isNumber = (numbers as readonly string[]).includes(name);
      if (isNumber && !/^\d{1,15}$/.test(value)) throw this.refuse(`"${value}" is no whole number`, `Give it as ${name}=1000`);
      given[name] = isNumber ? Number(value) : value;
    }
    return given as Partial<Record<Text, string> & Record<Num, number>>;
  }

  refuse(why: string, hint = `Give it as "${this.#example}"`): KnownError {
    return new KnownError('BAD_CONFIG', `Cannot open store "${this.shown}": ${why}`, { hint });
  }
}

/** etcd's endpoints are URLs themselves: `etcd=https://a,https://b` is read as `etcd+https://a,b`. */
function asUrl(text: string): string {
  const [, scheme = '', endpoints = '', query = ''] = /^etcd=(https?:\/\/)([^?]*)(.*)$/.exec(text) ?? [];
  const [first = '', ...others] = endpoints.split(',');
  const isAlike = scheme !== '' && others.every((endpoint) => endpoint.startsWith(scheme));
  return isAlike ? `etcd+${scheme}${[first, ...others.map((endpoint) => endpoint.slice(scheme.length))].join(',')}${query}` : text;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

/** The URL without its password, for messages. */
function readable(url: URL): string {
  return withoutPassword(url.href).replace(/^etcd\+/, 'etcd=');
}
