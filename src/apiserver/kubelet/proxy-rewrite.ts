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

/**
 * Works through `html` once from its beginning to its end, whatever is in it: who writes the page is not who runs this server.
 */
export function rewriteHtml(html: string, place: ProxyPlace): string {
  let out = '';
  let copied = 0;
  for (let at = html.indexOf('<'); at >= 0; at = html.indexOf('<', at)) {
    if (html.startsWith('<!--', at)) {
      at = endOf(html, '-->', at + 4);
      continue;
    }
    tagName.lastIndex = at + 1;
    const name = tagName.exec(html)?.[0].toLowerCase();
    at++;
    if (!name) continue;
    at += name.length;
    const wanted = linkAttributes[name] ?? [];
    for (;;) {
      space.lastIndex = at;
      space.exec(html);
      at = space.lastIndex;
      attribute.lastIndex = at;
      const found = attribute.exec(html);
      if (!found) break;
      const [whole, key = '', quoted] = found;
      at += whole.length;
      if (quoted === undefined || !wanted.includes(key.toLowerCase())) continue;
      const quote = quoted[0] === '"' || quoted[0] === "'" ? quoted[0] : '';
      const value = quote ? quoted.slice(1, -1) : quoted;
      const start = at - quoted.length + quote.length;
      out += html.slice(copied, start) + rewriteUrl(value, place);
      copied = start + value.length;
    }
    if (rawText.has(name)) at = endOfElement(html, name, at);
  }
  return out + html.slice(copied);
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
