/** kube-proxy's /debug/flags: who PUTs a number to /debug/flags/v makes the log say more, or less, until the proxy ends. Source: apiserver/pkg/server/routes/flags.go */
import type { IncomingMessage } from 'node:http';
import type { Page, Pages } from '../observability/health-pages.ts';

/** No number is longer. */
const longest = 64;
const largest = 2 ** 32 - 1;

const index = `<html>
<head>
<title>/debug/flags/</title>
</head>
<body>
/debug/flags/<br>
<br>
flags:<br>
<table>
<tr>v<br>
</table>
<br>
full flags configurable<br>
</body>
</html>
`;

function plain(code: number, body: string): Page {
  return { code, body, type: 'text/plain' };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of request) {
    text += String(piece);
    if (text.length > longest) break;
  }
  return text.slice(0, longest);
}

/** Answers a PUT of another verbosity in kube-proxy's words. */
async function put(request: IncomingMessage, setVerbosity: (verbosity: number) => void): Promise<Page> {
  if (request.method !== 'PUT') return plain(406, 'unsupported http method');
  const text = await bodyOf(request);
  const verbosity = Number(text);
  const wrong = !/^\d+$/.test(text) ? 'invalid syntax' : verbosity > largest ? 'value out of range' : undefined;
  if (wrong !== undefined) return plain(400, `strconv.ParseUint: parsing ${JSON.stringify(text)}: ${wrong}`);
  setVerbosity(verbosity);
  return plain(200, `successfully set klog.logging.verbosity to ${text}`);
}

export function debugFlagPages(setVerbosity: (verbosity: number) => void): readonly (readonly [path: string, page: Pages[string]])[] {
  const list = (): Page => ({ code: 200, body: index, type: 'text/html; charset=utf-8' });
  return [
    ['/debug/flags', list],
    ['/debug/flags/', list],
    ['/debug/flags/v', (request) => put(request, setVerbosity)],
  ];
}
