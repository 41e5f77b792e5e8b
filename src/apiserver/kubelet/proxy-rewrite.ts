/**
 * What a backend says about its own addresses, put right for who reaches it through the server: redirects, and links in HTML
 * (upstream's apimachinery/pkg/util/proxy/transport.go). A page that calls itself `/style.css` is at `/api/v1/…/proxy/style.css`.
 */

export interface ProxyPlace {
  /** The path that stands for the backend's root: `/api/v1/namespaces/n/services/web/proxy`. */
  readonly prefix: string;
  /** Hosts by which the backend may call itself: the one it was reached at, and the one the client asked for. */
  readonly hosts: readonly string[];
}

/** Attributes that hold an address, by element (HTML 4 and 5). */
const linkAttributes: Readonly<Record<string, readonly string[]>> = {
  a: ['href'],
  applet: ['codebase'],
  area: ['href'],
  audio: ['src'],
  base: ['href'],
  blockquote: ['cite'],
  body: ['background'],
  button: ['formaction'],
  del: ['cite'],
  embed: ['src'],
  form: ['action'],
  frame: ['longdesc', 'src'],
  head: ['profile'],
  html: ['manifest'],
  iframe: ['longdesc', 'src'],
  img: ['longdesc', 'src', 'usemap'],
  input: ['src', 'usemap', 'formaction'],
  ins: ['cite'],
  link: ['href'],
  object: ['classid', 'codebase', 'data', 'usemap'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  video: ['poster', 'src'],
};
/** Their content is text up to the end tag. */
const rawText = new Set(['script', 'style', 'textarea', 'title', 'xmp', 'iframe', 'noembed', 'noframes']);

/** Only what begins at a root, of the backend or of nobody else, is changed. */
export function rewriteUrl(url: string, { prefix, hosts }: ProxyPlace): string {
  const [, scheme = '', host = '', path = ''] = /^([a-z][a-z0-9+.-]*:)?(?:\/\/([^/?#]*))?(\/[\s\S]*)?$/i.exec(url) ?? [];
  if (!path || (scheme && !host) || (host && !hosts.includes(host))) return url;
  if (path === prefix || path.startsWith(`${prefix}/`)) return path;
  return prefix + path;
}

/** Works through `html` once from its beginning to its end, whatever is in it: who writes the page is not who runs this server. */
export function rewriteHtml(html: string, place: ProxyPlace): string {
  return new HtmlRewriter(html, place).run();
}

class HtmlRewriter {
  readonly #html: string;
  readonly #place: ProxyPlace;
  /** Where the scan is. */
  #at = 0;
  #out = '';
  /** Up to here `#out` has what the page says. */
  #copied = 0;

  constructor(html: string, place: ProxyPlace) {
    this.#html = html;
    this.#place = place;
  }

  run(): string {
    const html = this.#html;
    for (this.#at = html.indexOf('<'); this.#at >= 0; this.#at = html.indexOf('<', this.#at)) {
      if (html.startsWith('<!--', this.#at)) this.#at = endOf(html, '-->', this.#at + 4);
      else this.#element();
    }
    return this.#out + html.slice(this.#copied);
  }

  #element(): void {
    this.#at++;
    const name = this.#match(tagName)?.[0].toLowerCase();
    if (!name) return;
    const links = linkAttributes[name] ?? [];
    for (;;) {
      this.#match(space);
      const found = this.#match(attribute);
      if (!found) break;
      const [, key = '', value] = found;
      if (value !== undefined && links.includes(key.toLowerCase())) this.#rewrite(value);
    }
    if (rawText.has(name)) this.#at = endOfElement(this.#html, name, this.#at);
  }

  /** What the pattern finds here; the scan goes on behind it. */
  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#html);
    if (found) this.#at += found[0].length;
    return found;
  }

  /** The value that ends here, with its quotes if it has any. */
  #rewrite(value: string): void {
    const quotes = value.startsWith('"') || value.startsWith("'") ? 1 : 0;
    const [start, end] = [this.#at - value.length + quotes, this.#at - quotes];
    this.#out += this.#html.slice(this.#copied, start) + rewriteUrl(this.#html.slice(start, end), this.#place);
    this.#copied = end;
  }
}

const tagName = /[a-z][a-z0-9]*/iy;
const space = /[\s/]*/y;
/** Name, and a value if there is one. Anything but the end of the tag is some name, so that the scan always goes on. */
const attribute = /([^\s/>][^\s/>=]*)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s>"'][^\s>]*))?/y;

function endOf(text: string, what: string, from: number): number {
  const found = text.indexOf(what, from);
  return found < 0 ? text.length : found + what.length;
}

function endOfElement(html: string, name: string, from: number): number {
  const end = new RegExp(`</${name}`, 'gi');
  end.lastIndex = from;
  return end.exec(html)?.index ?? html.length;
}
