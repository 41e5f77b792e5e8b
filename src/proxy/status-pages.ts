/** Pages on which a proxy tells how it was started: kube-proxy's /configz, /flagz and /statusz. */
import type { Clock } from '../clock/clock.ts';
import { formatDuration } from '../clock/duration.ts';
import type { Page } from '../observability/health-pages.ts';

const notice =
  'Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for debugging purposes only.';

type StatusPage = readonly [path: string, page: () => Page];

/** The part `what` of a page for people: a title, a warning that programs must not read it, and lines. */
function forPeople(what: string, lines: readonly string[]): Page {
  return { code: 200, body: `\nkube-proxy ${what}\n${notice}\n\n${lines.join('\n')}\n` };
}

export function statusPages(
  flags: Readonly<Record<string, string>>,
  startedAt: number,
  clock: Clock,
  configuration?: () => object | undefined,
): readonly StatusPage[] {
  const pages: readonly StatusPage[] = [
    [
      '/flagz',
      () =>
        forPeople(
          'flagz',
          Object.entries(flags)
            .map(([name, value]) => `${name}=${value}`)
            .sort(),
        ),
    ],
    [
      '/statusz',
      () =>
        forPeople('statusz', [
          `Started: ${new Date(startedAt).toUTCString()}`,
          `Up: ${formatDuration(Math.round((clock.now() - startedAt) / 1000) * 1000)}`,
          `Node.js version: ${process.version}`,
          'Paths: /configz /flagz /healthz /livez /metrics /metrics/endpoints /proxyMode /statusz',
        ]),
    ],
  ];
  if (configuration === undefined) return pages;
  const body = (): string => JSON.stringify({ 'kubeproxy.config.k8s.io': configuration() });
  return [...pages, ['/configz', () => ({ code: 200, type: 'application/json', body: body() })]];
}
