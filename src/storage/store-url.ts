/** The URL of a store, taken apart: `sqlite:///var/lib/fairlead/state.db?reserve-bytes=0`. What cannot be used is a BAD_CONFIG. */
import { KnownError } from '../errors/known-error.ts';

export class StoreUrl {
  readonly #url: URL;
  readonly #example: string;

  private constructor(url: URL, example: string) {
    this.#url = url;
    this.#example = example;
  }

  /** `examples` has one URL of each scheme that is known. */
  static parse(text: string, examples: Readonly<Record<string, string>>): StoreUrl {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const example = url && examples[url.protocol.slice(0, -1)];
    if (url && example) return new StoreUrl(url, example);
    throw new KnownError(
      'BAD_CONFIG',
      `Cannot open store "${url ? readable(url) : text}": ${url ? `"${url.protocol}" is no kind of store` : 'it is no URL'}`,
      {
        hint: `Give it as ${Object.values(examples)
          .map((one) => `"${one}"`)
          .join(' or ')}`,
      },
    );
  }

  get scheme(): string {
    return this.#url.protocol.slice(0, -1);
  }

  /** The path of a file. */
  get path(): string {
    const { host, pathname } = this.#url;
    if (host) throw this.refuse(`"${host}" stands where a host would, and the store is a file of this machine`);
    if (!pathname.startsWith('/') || pathname.endsWith('/')) throw this.refuse('it names no file by its whole path');
    return decodeURIComponent(pathname);
  }

  /** For stores that have no place. */
  hasNoPath(): void {
    if (this.#url.host || this.#url.pathname) throw this.refuse('it has a path, and this store is nowhere');
  }

  /** Whole numbers by their names; those that are not given are absent. Any other option is refused. */
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

/** Without what nobody else should read. */
function readable(url: URL): string {
  const shown = new URL(url);
  if (shown.password) shown.password = '***';
  return shown.href;
}
