/** Finds keys that stand twice in one object of a JSON text. JSON.parse accepts them silently. */
import { pathOfUnknown, unknownField } from './strict.ts';

/** How many are reported: one broken template can repeat a key thousands of times. */
const most = 100;

/**
 * `duplicate field "spec.ports[0].port"` for every repeated key, in upstream's words. The text must be valid JSON. `unknown` are the errors of
 * unknown fields, from `checkFields`: they are returned too, in the order of the text, and the content of such a field is not checked.
 */
export function duplicateKeys(text: string, unknown: readonly string[] = []): string[] {
  const scanner = new Scanner(text, unknown);
  scanner.value('');
  return scanner.found;
}

class Scanner {
  readonly found: string[] = [];
  readonly #text: string;
  /** The paths of unknown fields. */
  readonly #unknown: ReadonlySet<string>;
  #muted = 0;
  #at = 0;

  constructor(text: string, unknown: readonly string[]) {
    this.#text = text;
    this.#unknown = new Set(unknown.map(pathOfUnknown));
  }

  #space(): number {
    let code = this.#text.charCodeAt(this.#at);
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = this.#text.charCodeAt(++this.#at);
    return code;
  }

  /** Passes over a string, quotes included. */
  #string(): string {
    const start = this.#at;
    let end = this.#text.indexOf('"', start + 1);
    for (;;) {
      let slashes = 0;
      while (this.#text.charCodeAt(end - 1 - slashes) === 0x5c) slashes++;
      if (slashes % 2 === 0 || end < 0) break;
      end = this.#text.indexOf('"', end + 1);
    }
    this.#at = end < 0 ? this.#text.length : end + 1;
    return this.#text.slice(start, this.#at);
  }

  /** True when so many errors are found that the rest of the text is not read. */
  get #full(): boolean {
    return this.found.length >= most;
  }

  value(path: string): void {
    switch (this.#space()) {
      case 0x7b:
        this.#object(path);
        break;
      case 0x5b:
        this.#array(path);
        break;
      case 0x22:
        this.#string();
        break;
      default:
        while (this.#at < this.#text.length && !',]} \n\r\t'.includes(this.#text[this.#at] as string)) this.#at++;
    }
  }

  #object(path: string): void {
    const seen = new Set<string>();
    this.#at++;
    while (!this.#full && this.#space() === 0x22) {
      const quoted = this.#string();
      const key = quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
      const inner = path === '' ? key : `${path}.${key}`;
      const repeated = seen.has(key);
      seen.add(key);
      this.#space();
      this.#at++;
      this.#member(inner, repeated);
      if (this.#space() === 0x2c) this.#at++;
    }
    this.#at++;
  }

  /** Below an unknown field nothing is reported. */
  #member(path: string, repeated: boolean): void {
    const unknown = this.#unknown.has(path);
    if (unknown && !repeated) this.#tell(unknownField(path));
    if (!unknown && repeated) this.#tell(`duplicate field ${JSON.stringify(path)}`);
    if (unknown) this.#muted++;
    this.value(path);
    if (unknown) this.#muted--;
  }

  #tell(error: string): void {
    if (this.#muted === 0 && !this.#full) this.found.push(error);
  }

  #array(path: string): void {
    this.#at++;
    for (let i = 0; !this.#full && this.#at < this.#text.length && this.#space() !== 0x5d; i++) {
      this.value(`${path}[${i}]`);
      if (this.#space() === 0x2c) this.#at++;
    }
    this.#at++;
  }
}
