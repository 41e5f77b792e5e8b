/** The URL of a store and its parts: `sqlite:///var/lib/fairlead/state.db?reserve-bytes=0`. A URL that cannot be used throws BAD_CONFIG. */
import { KnownError } from '../errors/known-error.ts';

export class StoreUrl {
  readonly #url: URL;
  readonly #example: string;

  private constructor(url: URL, example: string) {
    this.#url = url;
    this.#example = example;
  }

  /** `examples` has a URL for each scheme that is known. */
  static parse(text: string, examples: Readonly<Record<string, string>>): StoreUrl {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const example = url && examples[url.protocol.slice(0, -1)];
    if (url && example) return new StoreUrl(url, example);
    const [shown, why] = url ? [readable(url), `"${url.protocol}" is no kind of store`] : [text, 'it is no URL'];
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

  /** The options that are given, whole numbers all. An option with another name is refused. */
  numbers<Name extends string>(names: readonly Name[]): Partial<Record<Name, number>> {
    const numbers: Partial<Record<Name, number>> = {};
    for (const [key, value] of this.#url.searchParams) {
      const name = names.find((one) => one === key);
      if (!name) throw this.refuse(`it has no option "${key}"`, `Its options are ${names.join(', ')}`);
      if (!/^\d{1,15}$/.test(value)) throw this.refuse(`"${value}" is no whole number`, `Give it as ${name}=1000`);
      numbers[name] = Number(value);
    }
    return numbers;
  }

  refuse(why: string, hint = `Give it as "${this.#example}"`): KnownError {
    return new KnownError('BAD_CONFIG', `Cannot open store "${readable(this.#url)}": ${why}`, { hint });
  }
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

/** The URL without its password, for messages. */
function readable(url: URL): string {
  const shown = new URL(url);
  if (shown.password) shown.password = '***';
  return shown.href;
}
